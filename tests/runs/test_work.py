"""What a worker does with a run: claims, progress, endings, and what is stored."""

import datetime as dt
import math
import uuid

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import Gap
from exo_registry.models import Event, Point, Product, Run, Series, Status, Step, Trade
from exo_registry.runs import compute as computing
from exo_registry.runs import control, lease, plan, worker
from exo_registry.series.assessment import assess_series

from .conftest import DAYS, START, rows

pytestmark = pytest.mark.django_db

ICHIMOKU = "algorithms.regime_spread.IchimokuSpread"
LEGS = {"legs": [{"right": "F", "qty": 1}]}


@pytest.fixture
def run(es, contfut) -> Run:
    return plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)


@pytest.fixture
def step(run) -> Step:
    return run.steps.get()


def expire(step: Step) -> None:
    Step.objects.filter(pk=step.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))


def test_a_run_from_start_to_end(run, es):
    assert worker.work(run.pk, es.pk) == "1 step"
    run.refresh_from_db()
    step = run.steps.get()
    series = step.series
    assert (run.status, step.status, step.attempt, step.lease_token) == ("done", "done", 1, None)
    assert (step.sessions_done, step.rows_written, step.gaps) == (100, 100, 0)
    assert run.started <= run.finished
    assert step.worker == lease.worker_name()
    points, trades = rows("ES_ContFut")
    assert [point[1] for point in points] == DAYS[:100]
    assert trades[0][:3] == (DAYS[0], 0, "ES202001")
    assert (series.first_date, series.last_date, series.last_session) == (DAYS[0], DAYS[99], DAYS[99])
    assert (series.points_count, series.gaps_count, series.start) == (100, 0, START)
    values = [point[2] for point in points]
    assert series.sparkline == values[-60:]
    assert (series.last_exo, series.previous_exo, series.last_delta) == (values[-1], values[-2], 1.0)
    assert series.change_sessions == 1
    assert (series.market_revision, series.generation, len(series.algorithm_hash)) == (1, 0, 64)
    assert assess_series(series).causes == ()
    messages = list(Event.objects.filter(run=run).order_by("pk").values_list("message", flat=True))
    assert (
        messages[1] == f"ES_ContFut: 100 sessions computed from the start; 100 points and {len(trades)} trades written."
    )
    assert messages[2] == f"Run {run.pk} done: 1 done."


def test_a_task_delivered_twice_does_nothing_more(run, es):
    worker.work(run.pk, es.pk)
    events = Event.objects.count()
    assert worker.work(run.pk, es.pk) == "0 steps"
    assert Event.objects.count() == events


def test_extending_gives_what_computing_at_once_gives(es, contfut, make_definition, compute, bars):
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters=LEGS)
    make_definition("AIchi", ICHIMOKU, parameters={"bullish": LEGS, "bearish": LEGS, "neutral": LEGS})
    names = ["ES_ContFut", "ES_Legs", "ES_AIchi"]
    compute(start=START, until=DAYS[69])
    for day in DAYS[70:100]:
        run = compute(until=day, kind=Run.Kind.ONLINE)
        assert {step.from_start for step in run.steps.all()} == {False}
        assert {step.sessions_done for step in run.steps.all()} == {1}
    bars("ES", DAYS[100:])
    compute()
    by_day = {name: rows(name) for name in names}
    states = dict(Series.objects.values_list("name", "state"))
    lists = ("last_exo", "previous_exo", "change_sessions", "last_delta", "sparkline", "points_count")
    lists += ("first_date", "last_date")
    described = {row["name"]: row for row in Series.objects.values("name", *lists)}
    assert len(by_day["ES_AIchi"][0]) == len(DAYS)
    rebuilt = compute(mode=Run.Mode.RESET)
    assert {step.rows_written for step in rebuilt.steps.all()} == {0}
    for name in names:
        assert rows(name) == by_day[name]
    assert dict(Series.objects.values_list("name", "state")) == states
    assert {row["name"]: row for row in Series.objects.values("name", *lists)} == described
    assert set(Series.objects.values_list("generation", flat=True)) == {0}


@pytest.mark.parametrize("by_day", [True, False])
def test_a_day_change_knows_its_span(es, contfut, compute, monkeypatch, by_day):
    """DAYS[14] and DAYS[15] are gaps; the last session is computed in a run of its own, or with all before it."""
    Product.objects.update(conventions="legacy")  # where a hook that lacks a quote makes a gap
    manage = ContinuousFuture.manage

    def fail(self, session):
        if session.date in DAYS[14:16]:
            raise Gap("no quote")
        return manage(self, session)

    monkeypatch.setattr(ContinuousFuture, "manage", fail)
    spans = []
    for last in range(13, 18):
        compute(start=START, until=DAYS[last], **({} if by_day else {"mode": Run.Mode.RESET}))
        series = Series.objects.get()
        spans.append((series.last_date, series.change_sessions))
    assert spans == [(DAYS[13], 1), (DAYS[13], 1), (DAYS[13], 1), (DAYS[16], 3), (DAYS[17], 1)]


def test_a_first_point_has_no_change(es, contfut, compute):
    compute(start=START, until=START)
    series = Series.objects.get()
    assert (series.points_count, series.day_change, series.change_sessions) == (1, None, None)


def test_a_rebuild_writes_only_what_differs(es, contfut, compute):
    compute(start=START)
    points, trades = rows("ES_ContFut")
    Point.objects.filter(date=DAYS[10]).update(exo=1e9)
    Point.objects.filter(date=DAYS[20]).delete()
    Trade.objects.filter(date=DAYS[0]).update(leg="other")
    run = compute(mode=Run.Mode.RESET)
    step = run.steps.get()
    assert (step.rows_written, step.sessions_done) == (2, 100)
    assert rows("ES_ContFut") == (points, trades)
    assert "2 points and 1 trade written" in Event.objects.filter(step=step).get().message
    assert step.series.generation == 1


def test_a_rebuild_that_changes_nothing_says_so(es, contfut, compute):
    compute(start=START)
    step = compute(mode=Run.Mode.RESET).steps.get()
    message = Event.objects.get(step=step).message
    assert message == "ES_ContFut: 100 sessions computed from the start; the same points and trades as stored."


def test_a_correction_is_written_from_its_date(es, contfut, compute, bars):
    compute(start=START)
    before, _ = rows("ES_ContFut")
    bars("ES", DAYS[:100], change={DAYS[90]: 2.0})
    step = compute(mode=Run.Mode.STALE).steps.get()
    after, _ = rows("ES_ContFut")
    assert step.rows_written == 1
    assert [a[1] for a, b in zip(after, before, strict=True) if a != b] == [DAYS[90]]
    assert assess_series(step.series).causes == ()


def test_an_earlier_start_and_a_reset_to_a_shorter_span(es, contfut, compute):
    compute(start=DAYS[20])
    compute(start=DAYS[5])
    series = Series.objects.get()
    assert (series.start, series.first_date, series.points_count) == (DAYS[5], DAYS[5], 95)
    compute(start=DAYS[30], until=DAYS[49], mode=Run.Mode.RESET)
    series.refresh_from_db()
    assert (series.start, series.first_date, series.last_date, series.points_count) == (
        DAYS[30],
        DAYS[30],
        DAYS[49],
        20,
    )
    assert Point.objects.count() == 20
    assert series.generation == 2


def test_a_step_is_claimed_once(step):
    first = lease.claim(step)
    assert first is not None
    assert lease.claim(step) is None
    assert Step.objects.get().attempt == 1


def test_a_step_whose_worker_is_silent_goes_to_the_next_worker(step, run, es):
    lost = lease.claim(step)
    expire(step)
    assert worker.work(run.pk, es.pk) == "1 step"
    step = Step.objects.get()
    assert (step.status, step.attempt, step.faults) == ("done", 2, 1)
    with pytest.raises(lease.LeaseGone):
        lost.renew()
    messages = "\n".join(Event.objects.filter(step=step).order_by("pk").values_list("message", flat=True))
    assert "has not been heard of" in messages
    assert f"attempt 2, by {lease.worker_name()}" in messages


def test_a_worker_that_comes_back_keeps_nothing_and_clears_the_step(run, es, monkeypatch):
    """The clock jumps past the lease while it computes, and another worker takes the step."""
    monkeypatch.setattr(lease, "SECONDS_BETWEEN_RENEWALS", 0.0)

    def jump(step, done, total):
        if done and Step.objects.get().attempt == 1:
            expire(step)
            assert worker.work(run.pk, es.pk) == "1 step"

    assert worker.work(run.pk, es.pk, jump) == "1 step"
    step = Step.objects.get()
    assert (step.status, step.attempt, step.faults) == ("done", 2, 0)
    assert len(rows("ES_ContFut")[0]) == 100
    assert Event.objects.filter(message__contains="its result was discarded").count() == 1


def test_a_lost_lease_commits_nothing(step, es):
    mine = lease.claim(step)
    computed = computing.compute(mine.step, computing.Markets(es), mine.progress)
    Step.objects.update(lease_token=uuid.uuid4())
    with pytest.raises(lease.LeaseGone):
        computing.store(computed, mine)
    assert Point.objects.count() == Trade.objects.count() == 0
    assert Series.objects.get().last_session is None
    assert Step.objects.get().status == Status.RUNNING


def test_a_failure_while_storing_leaves_everything_as_it_was(run, es, monkeypatch):
    def fail(*_args):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(computing, "_describe", fail)
    worker.work(run.pk, es.pk)
    step = run.steps.get()
    assert (step.status, step.error) == (
        "failed",
        "Unexpected RuntimeError: disk on fire. The run's log has the details.",
    )
    assert Point.objects.count() == Trade.objects.count() == 0
    assert "Traceback" in Event.objects.get(step=step).message
    run.refresh_from_db()
    assert run.status == "failed"


def test_a_database_that_goes_away_is_not_the_steps_failure(run, es, monkeypatch):
    def fail(*_args):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(worker, "store", fail)
    with pytest.raises(OperationalError):
        worker.work(run.pk, es.pk)
    step = run.steps.get()
    assert (step.status, step.attempt, step.faults) == ("waiting", 0, 0)
    assert "server closed the connection unexpectedly" in Event.objects.get(step=step).message
    monkeypatch.undo()
    worker.work(run.pk, es.pk)
    assert run.steps.get().status == "done"


def test_a_database_that_stays_away_leaves_the_step_to_the_reconciler(run, es, monkeypatch, settings):
    settings.STEP_LEASE = 0.2

    def fail(*_args):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(worker, "store", fail)
    monkeypatch.setattr(lease.Lease, "release", fail)
    with pytest.raises(OperationalError):
        worker.work(run.pk, es.pk)
    assert run.steps.get().status == "running"
    monkeypatch.undo()
    expire(run.steps.get())
    assert control.reconcile().startswith("1 freed")


def test_an_algorithm_that_fails_is_named_with_its_session(run, es, monkeypatch):
    def fail(self, session):
        if session.date == DAYS[7]:
            raise ZeroDivisionError("oh")

    monkeypatch.setattr(ContinuousFuture, "manage", fail)
    worker.work(run.pk, es.pk)
    error = run.steps.get().error
    assert error.startswith(f"ContinuousFuture failed on {DAYS[7]} (tests/runs/test_work.py, line ")
    assert error.endswith("): ZeroDivisionError: oh")


def test_an_expected_failure_says_what_to_do(run, es, contfut):
    contfut.parameters = {"nonsense": 1}
    contfut.save()
    worker.work(run.pk, es.pk)
    step = run.steps.get()
    assert step.status == "failed"
    assert step.error.startswith("algorithms.continuous_future.ContinuousFuture: nonsense: is not a parameter")
    assert "Traceback" not in Event.objects.get(step=step).message


def test_a_step_whose_dependency_failed_is_skipped(es, contfut, make_definition):
    make_definition("AIchi", ICHIMOKU)
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters=LEGS)
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    contfut.parameters = {"nonsense": 1}
    contfut.save()
    worker.work(run.pk, es.pk)
    ended = {step.series.name: (step.status, step.reason) for step in run.steps.select_related("series")}
    assert ended["ES_ContFut"][0] == "failed"
    assert ended["ES_AIchi"] == ("skipped", "ES_ContFut, which it reads, failed")
    assert ended["ES_Legs"][0] == "done"
    run.refresh_from_db()
    assert run.status == "failed"


def test_a_step_waits_for_what_it_reads(es, contfut, make_definition):
    make_definition("AIchi", ICHIMOKU)
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    lease.claim(run.steps.get(series__name="ES_ContFut"))
    assert worker.work(run.pk, es.pk) == "0 steps"
    assert run.steps.get(series__name="ES_AIchi").status == Status.WAITING


def test_a_reader_is_rebuilt_when_what_it_reads_changes_in_the_same_run(es, contfut, make_definition, compute, bars):
    make_definition("AIchi", ICHIMOKU, parameters={"bullish": LEGS})
    compute(start=START)
    bars("ES", DAYS, change={DAYS[90]: 2.0})
    run = compute()
    assert {step.from_start for step in run.steps.all()} == {True}
    generation = Series.objects.get(name="ES_ContFut").generation
    assert generation == 1
    assert Series.objects.get(name="ES_AIchi").dependencies == {"ES_ContFut": generation}


def test_an_interrupt_gives_the_step_back(run, es, monkeypatch):
    def interrupt(step, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.work(run.pk, es.pk, interrupt)
    step = run.steps.get()
    assert (step.status, step.attempt, step.lease_token) == ("waiting", 0, None)


def test_progress_is_written_while_it_computes(run, es, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS_BETWEEN_RENEWALS", 0.0)
    seen = []

    def look(step, done, total):
        seen.append(Step.objects.values_list("sessions_done", "sessions_total", "status").get())

    worker.work(run.pk, es.pk, look)
    assert seen[0] == (0, 100, "running")
    assert seen[-1] == (100, 100, "running")


def test_a_run_reads_the_market_once(es, contfut, make_definition, monkeypatch):
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters=LEGS)
    loads = []
    load = computing.market_store.load_market
    monkeypatch.setattr(
        computing.market_store, "load_market", lambda product, **more: loads.append(more) or load(product, **more)
    )
    run = plan.start(plan.make_plan(start=START, until=DAYS[79]), source=Run.Source.SHELL)
    worker.work(run.pk, es.pk)
    assert loads == [{}]
    run = plan.start(plan.make_plan(), source=Run.Source.SHELL)
    worker.work(run.pk, es.pk)
    assert [more.get("since") for more in loads[1:]] == [DAYS[80]]


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="SQLite's own setting")
def test_writers_take_the_lock_at_once():
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_no_stored_float_is_a_negative_zero(es, contfut, compute, monkeypatch):
    """SQLite turns -0.0 into 0.0 by itself, PostgreSQL does not; both are to hold the same rows."""
    real = computing.run

    def negated(*args, **named):
        result = real(*args, **named)
        result.points = [row._replace(exo=-0.0, delta=-0.0, costs=-0.0) for row in result.points]
        result.trades = [row._replace(price=-0.0, value=-0.0) for row in result.trades]
        return result

    monkeypatch.setattr(computing, "run", negated)
    compute(start=START)
    floats = [
        value
        for row in (*Point.objects.values_list(), *Trade.objects.values_list())
        for value in row
        if isinstance(value, float)
    ]
    assert floats.count(0.0) > 300
    assert {math.copysign(1.0, value) for value in floats if value == 0.0} == {1.0}
    assert math.copysign(1.0, Series.objects.get().last_exo) == 1.0
