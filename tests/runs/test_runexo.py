"""The command runexo: what it does, says and returns."""

import contextlib
import logging
import signal

import pytest
from django.core.management import CommandError, call_command
from django_q.models import OrmQ

from exo_registry.management.foreground import quiet_log
from exo_registry.models import Point, Run, Series
from exo_registry.runs import plan, worker

from .conftest import DAYS, START

pytestmark = pytest.mark.django_db


def status(*arguments: str) -> int:
    """The exit status of `manage.py runexo …`."""
    try:
        call_command("runexo", *arguments)
    except CommandError as error:
        return error.returncode
    except SystemExit as error:
        return error.code
    return 0


def test_a_backfill_computes_here(es, contfut, capsys):
    assert status("ES", "-E", "ContFut", "-B", str(START)) == 0
    run = Run.objects.get()
    assert (run.kind, run.source, run.status) == ("backfill", "shell", "done")
    assert Point.objects.count() == 100
    out = capsys.readouterr().out
    assert "ES_ContFut: 100 sessions\n" in out
    assert "done: 1 series" in out


def test_without_a_date_it_brings_series_up_to_date(es, contfut, bars, capsys):
    assert status("-B", str(START)) == 0
    assert status() == 0
    assert "Every series is up to date." in capsys.readouterr().out
    bars("ES", DAYS[100:103])
    assert status("ES") == 0
    assert Run.objects.first().kind == "online"
    assert Series.objects.get().last_date == DAYS[102]


def test_a_series_never_backfilled_is_refused(es, contfut, capsys):
    assert status("ES") == 2
    assert "ES_ContFut: never backfilled: say from which date (From; in the shell -B)." in capsys.readouterr().err
    assert Run.objects.count() == 0


def test_one_refused_and_the_others_computed(es, contfut, make_definition, bars, capsys):
    status("-B", str(START))
    make_definition("New")
    bars("ES", DAYS[100:101])
    assert status() == 1
    assert Series.objects.get(name="ES_ContFut").last_date == DAYS[100]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["EX"], "There is no product 'EX'. Did you mean ES?"),
        (["es"], "There is no product 'es'. Did you mean ES?"),
        (["-E", "Contfut"], "There is no EXO definition 'Contfut'. Did you mean ContFut?"),
        (
            ["-B", "2020-01-10", "--until", "2020-01-09"],
            "--until: 2020-01-09 is before the first session asked for, 2020-01-10. Swap them.",
        ),
        (["--reset", "--stale"], "--reset computes stale series as well: leave --stale out."),
        (["-B", "01.02.2020"], "'01.02.2020' is not a date: write it as YYYY-MM-DD"),
    ],
)
def test_bad_arguments(es, contfut, arguments, message):
    with pytest.raises(CommandError) as caught:
        call_command("runexo", *arguments)
    assert message in str(caught.value)
    assert Run.objects.count() == 0
    if "is not a date" not in message:  # that one is argparse's, which exits with 2 by itself on a command line
        assert caught.value.returncode == 2


def test_a_failed_series_is_exit_status_1(es, contfut, capsys, monkeypatch):
    from algorithms.continuous_future import ContinuousFuture

    def fail(self, session):
        raise ValueError("no")

    monkeypatch.setattr(ContinuousFuture, "open", fail)
    assert status("-B", str(START)) == 1
    assert "ES_ContFut failed: ContinuousFuture failed on" in capsys.readouterr().err


def test_dry_run_prints_the_plan_and_computes_nothing(es, contfut, capsys):
    assert status("-B", str(START), "--dry-run") == 0
    out = capsys.readouterr().out
    assert f"{START} to {DAYS[99]}" in out
    assert "first backfill" in out
    assert "1 series to compute, 100 sessions." in out
    assert Run.objects.count() == 0


def test_queue_hands_over(es, contfut, capsys, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        assert status("-B", str(START), "--queue") == 0
    assert "queued: 1 series, 100 sessions." in capsys.readouterr().out
    assert OrmQ.objects.get().key == "backfill"
    assert Run.objects.get().status == "waiting"


def test_a_second_run_is_refused_with_the_first(es, contfut):
    first = plan.start(plan.make_plan(start=START), source=Run.Source.ADMIN)
    with pytest.raises(CommandError, match=f"Run {first.pk} is already computing ES_ContFut") as caught:
        call_command("runexo", "-B", str(START))
    assert caught.value.returncode == 1


def test_reset_and_stale(es, contfut, capsys):
    status("-B", str(START))
    es.cost_future = 1.0
    es.save()
    assert status("-B", str(START)) == 0
    assert Run.objects.count() == 1
    assert status("--stale") == 0
    assert Run.objects.first().mode == "stale"
    assert status("--reset") == 0
    assert Run.objects.first().mode == "reset"


def test_an_interrupt_cancels_the_run(es, contfut, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "compute", interrupt)
    assert status("-B", str(START)) == 1
    assert Run.objects.get().status == "cancelled"


class InterruptedAtItsEnd:
    """Python drops what is raised in a destructor."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_a_destructor_swallows_cancels_the_run_all_the_same(es, contfut, monkeypatch):
    real = worker.compute

    def compute(*arguments):
        InterruptedAtItsEnd()
        return real(*arguments)

    monkeypatch.setattr(worker, "compute", compute)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    assert status("-B", str(START)) == 1
    assert Run.objects.get().status == "cancelled"
    assert not Point.objects.exists()


def test_verbose_tells_where_the_time_went(es, contfut, capsys):
    status("-B", str(START), "-v", "2")
    out = capsys.readouterr().out
    assert all(stage in out for stage in ("Time: plan", "load", "compute", "store"))


def test_the_process_logs_again_after_overlapping_runs(caplog):
    """Two calls in threads of one process begin and end in any order; none leaves the log silent."""
    logger = logging.getLogger("exo_registry.anything")
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(quiet_log(True))
    second.enter_context(quiet_log(True))
    first.close()
    logger.error("while the second one runs")
    second.close()
    logger.error("after both")
    assert caplog.messages == ["after both"]
