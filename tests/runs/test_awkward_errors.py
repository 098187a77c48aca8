"""Whatever an author's code does, its step ends with one sentence, its run closes, and what is stored is sound."""

import signal
import subprocess
import sys

import pytest
from django.utils import timezone

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import loop, session
from exo_registry.models import Event, Gap, Point, Product, Run, Series, Step, Trade
from exo_registry.runs import control, plan, worker
from tests.paths import ROOT

from . import awkward
from .awkward.awkward import FAILS_AT, FAILURES
from .conftest import DAYS, START

pytestmark = pytest.mark.django_db

PACKAGE = awkward.__name__
FILE = "tests/runs/awkward/awkward.py"


@pytest.fixture
def es(make_product, bars, settings):
    """A product with a few sessions, and the awkward algorithms allowed."""
    settings.ALGORITHM_PACKAGES = ["algorithms", PACKAGE]
    product = make_product("ES")
    bars("ES", DAYS[:5])
    return product


@pytest.mark.parametrize("how", FAILURES)
def test_an_awkward_error_is_a_failed_step_that_names_algorithm_place_and_session(how, es, make_definition, compute):
    make_definition("Awkward", f"{PACKAGE}.awkward.Awkward", parameters={"how": how})
    run = compute(start=START)
    step = run.steps.get()
    assert (run.status, step.status, step.lease_token) == ("failed", "failed", None)
    assert step.error.startswith(f"Awkward failed on {DAYS[FAILS_AT]} (")
    assert FAILURES[how][1] in step.error
    place = step.error.partition("(")[2].partition(")")[0]
    assert place.startswith(FILE)
    assert ", line " in place or how.startswith("memory")
    assert len(step.error) < 1000
    assert Point.objects.count() == Trade.objects.count() == Gap.objects.count() == 0
    event = Event.objects.get(step=step)
    assert event.message.startswith(f"ES_Awkward failed: {step.error}")
    assert len(event.message) < 12_000
    assert Run.objects.get().finished is not None


def test_the_line_is_that_of_the_authors_code(es, make_definition, compute):
    make_definition("Awkward", f"{PACKAGE}.awkward.Awkward", parameters={"how": "record nan"})
    step = compute(start=START).steps.get()
    line = int(step.error.partition(", line ")[2].partition(")")[0])
    with open(awkward.__path__[0] + "/awkward.py") as file:
        assert "session.record(column=value)" in file.read().splitlines()[line - 1]


def test_what_an_author_says_is_cut_and_numpy_values_are_kept_as_numbers(es, make_definition, compute):
    make_definition("Talks", f"{PACKAGE}.awkward.Talks")
    Product.objects.update(conventions="legacy")  # where a failed opening is a gap
    run = compute(start=START)
    step = run.steps.get()
    assert (run.status, step.gaps) == ("done", 1)
    assert [len(warning) < 1000 for warning in step.warnings] == [True] * 4
    assert len(Gap.objects.get().reason) < 1000
    extra = Point.objects.first().extra
    assert extra == {"float": 1.5, "int": 3, "bool": True, "text": "t", "pair": [1, None], "zero": 0.0}
    assert str(extra["zero"]) == "0.0"


def test_an_interrupt_from_outside_is_no_failure(es, contfut, monkeypatch):
    """Ctrl-C in the midst of an author's code."""

    def interrupted(self, session):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ContinuousFuture, "open", interrupted)
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    with pytest.raises(KeyboardInterrupt):
        worker.work(run.pk, es.pk)
    assert run.steps.get().status == "waiting"


def test_a_signal_handlers_own_exception_is_no_failure(es, contfut, monkeypatch):
    """A task's time limit, in the midst of an author's code."""

    def over(signum, frame):
        raise SystemExit("time is up")

    def slow(self, session):
        signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(ContinuousFuture, "open", slow)
    before = signal.signal(signal.SIGUSR1, over)
    try:
        run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
        with pytest.raises(SystemExit, match="time is up"):
            worker.work(run.pk, es.pk)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert run.steps.get().status == "waiting"
    assert Step.objects.get().error == ""
    assert Series.objects.get().last_session is None


WORK = "import sys, django; django.setup(); from exo_registry.runs import worker; worker.work(*map(int, sys.argv[1:]))"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_algorithm_that_ends_its_process_is_given_up_after_a_few_workers(es, make_definition, child_env, settings):
    make_definition("Dies", f"{PACKAGE}.awkward.WorkerDies")
    run = plan.start(plan.make_plan(start=START), source=Run.Source.ADMIN)
    environment = child_env(EXOWEB_ALGORITHM_PACKAGES=f"algorithms,{PACKAGE}")
    for _ in range(settings.STEP_FAULTS):
        command = [sys.executable, "-c", WORK, str(run.pk), str(es.pk)]
        assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 3
        step = run.steps.get()
        assert step.status == "running"
        Step.objects.filter(pk=step.pk).update(lease_until=timezone.now())
        control.reconcile()
    run.refresh_from_db()
    step = run.steps.get()
    assert (run.status, step.status, step.faults) == ("failed", "failed", settings.STEP_FAULTS)
    assert step.error.startswith(f"Its worker died {settings.STEP_FAULTS} times running")
    assert Point.objects.count() == 0


def test_what_a_trade_may_say_fits_its_columns():
    limits = {"leg": session.LEG_LIMIT, "reason": session.REASON_LIMIT}
    assert {name: Trade._meta.get_field(name).max_length for name in limits} == limits
    assert max(session.TRADES_LIMIT, loop.OLDEST) <= 32_767  # a small integer of PostgreSQL
