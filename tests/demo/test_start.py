"""What `manage.py start` does before it serves: on the first day, on later ones, and beside what others have left."""

import datetime as dt
from io import StringIO

import pytest
from django_q.models import OrmQ

from exo_registry import demo
from exo_registry.demo import market
from exo_registry.management.commands import start
from exo_registry.models import Product, Revision, Run, Series, Status
from exo_registry.runs import lease, plan, worker

THURSDAY = dt.date(2018, 3, 1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def prepare(time_machine, monkeypatch):
    """`prepare(day)`: what start prints until it serves, at noon of that day."""
    monkeypatch.setattr(start, "static_is_current", lambda: True)

    def prepare(day: dt.date, *, no_demo: bool = False) -> str:
        time_machine.move_to(dt.datetime.combine(day, dt.time(12), dt.UTC), tick=False)
        out = StringIO()
        start.Command(stdout=out, stderr=out).prepare(no_demo=no_demo)
        return out.getvalue()

    return prepare


def newest_sessions() -> set[dt.date | None]:
    return set(Series.objects.values_list("last_session", flat=True))


def computed() -> dict[str, int]:
    return {status: Run.objects.latest("pk").steps.filter(status=status).count() for status in Status}


@pytest.fixture
def half_prepared(prepare, monkeypatch) -> None:
    """The home of a first start in which somebody pressed Ctrl-C when two of five products were computed."""
    work, calls = worker.work, []

    def interrupted(*args, **kwargs):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(args)
        return work(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "work", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(THURSDAY)


@pytest.mark.parametrize("days", [1, 40])
def test_the_home_of_an_earlier_day_is_brought_up_to_date(prepare, days):
    out = prepare(THURSDAY)
    assert f"Run {Run.objects.get().pk} done: 40 of 40 series computed" in out
    assert newest_sessions() == {market.last_session(THURSDAY)}
    later = THURSDAY + dt.timedelta(days=days)
    assert "40 of 40 series computed" in prepare(later)
    assert newest_sessions() == {market.last_session(later)}
    assert Run.objects.count() == 2
    assert "series computed" not in prepare(later)
    assert Run.objects.count() == 2


@pytest.mark.usefixtures("half_prepared")
def test_a_demonstration_stopped_half_way_is_completed(prepare):
    assert Run.objects.get().status == Status.CANCELLED
    assert computed() == {**dict.fromkeys(Status, 0), Status.DONE: 16, Status.CANCELLED: 24}
    assert "24 of 24 series computed" in prepare(THURSDAY)
    assert newest_sessions() == {market.last_session(THURSDAY)}


def test_an_interrupt_at_the_moment_of_a_claim_leaves_no_active_run(prepare, monkeypatch):
    def claim(step):
        lease.claim(step)
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "claim", claim)
    with pytest.raises(KeyboardInterrupt):
        prepare(THURSDAY)
    assert Run.objects.get().status == Status.CANCELLED
    assert set(Run.objects.get().steps.values_list("status", "faults")) == {(Status.CANCELLED, 0)}


def leave_run(*, started: bool) -> Run:
    """A run of the demonstration that nobody computes: queued, or begun by a process that was killed."""
    run = plan.start(demo.missing().plan(), source=Run.Source.SHELL)
    if started:
        lease.claim(run.steps.first())
        run.steps.filter(status=Status.RUNNING).update(worker="elsewhere:1")
    return run


@pytest.mark.parametrize("started", [False, True])
def test_an_active_run_is_left_to_the_workers(prepare, time_machine, started, django_capture_on_commit_callbacks):
    time_machine.move_to(dt.datetime.combine(THURSDAY, dt.time(12), dt.UTC), tick=False)
    demo.load()
    run = leave_run(started=started)
    with django_capture_on_commit_callbacks(execute=True):
        out = prepare(THURSDAY + dt.timedelta(days=1))
    assert f"Run {run.pk} is active; the workers continue it" in out
    assert Run.objects.get() == run
    assert run.is_active
    # The product of a step that is being computed has a worker, as far as can be told.
    assert OrmQ.objects.filter(key="backfill").count() == 5 - started


def test_an_active_run_of_another_product_does_not_hold_up_the_demonstration(prepare):
    prepare(THURSDAY)
    crude = Product.objects.filter(exchangesymbol="XCL")
    run = plan.start(plan.make_plan(products=crude, mode=Run.Mode.RESET), source=Run.Source.ADMIN)
    crude.update(active=False)
    out = prepare(THURSDAY + dt.timedelta(days=1))
    assert "32 of 32 series computed" in out
    assert f"Run {run.pk} is active; the workers continue it" in out


@pytest.mark.usefixtures("half_prepared")
def test_without_demonstration_nothing_of_it_is_looked_at(prepare, monkeypatch):
    for name in ("wanted", "load", "missing"):
        monkeypatch.setattr(demo, name, lambda: pytest.fail("the demonstration is not wanted"))
    prepare(THURSDAY + dt.timedelta(days=1), no_demo=True)
    assert Run.objects.count() == 1
    assert Revision.objects.filter(number=2).count() == 0


def test_series_that_fail_are_told_and_do_not_keep_it_from_serving(prepare, monkeypatch):
    from algorithms.long_call import BullishCall

    def fail(self, session):
        raise ValueError("no such leg")

    monkeypatch.setattr(BullishCall, "open", fail)
    out = prepare(THURSDAY)
    assert "XCL_BullishCall failed: BullishCall failed on" in out
    assert "failed: 35 of 40 series computed" in out
    assert out.splitlines()[-1].startswith("Ready")


def test_a_demonstration_that_cannot_be_loaded_is_told_and_does_not_keep_it_from_serving(prepare):
    prepare(THURSDAY)
    Product.objects.filter(exchangesymbol="XCL").update(data_kind="quoted")
    out = prepare(THURSDAY + dt.timedelta(days=1))
    assert "The demonstration is not brought up to date: XCL: a product of this name is there" in out
    assert out.splitlines()[-1].startswith("Ready")
