"""The online tick: what is due at a moment, started once; late bars told once; what is left alone."""

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest
import time_machine
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from exo_registry import market
from exo_registry.models import Event, Feed, Point, Product, Run, Series, Status, Step
from exo_registry.runs import control, due, online, plan, worker
from exo_registry.series.assessment import assess_series

from .conftest import DAYS, START, rows
from .markets import price

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
NEXT = DAYS[101]  # a Tuesday; DAYS[100] is Memorial Day, on which equity futures trade until noon
DECISION = dt.datetime(2020, 5, 26, 19, 45, tzinfo=dt.UTC)


@pytest.fixture
def tick(django_capture_on_commit_callbacks) -> Callable[[dt.datetime], list[Run]]:
    """`tick(now)`: the schedule's call, with its tasks worked; returns the runs that it started."""

    def tick(now: dt.datetime) -> list[Run]:
        before = set(Run.objects.values_list("pk", flat=True))
        with django_capture_on_commit_callbacks(execute=True):
            online.tick(now)
        work_queue(now)
        return list(Run.objects.exclude(pk__in=before).order_by("pk"))

    return tick


def work_queue(now: dt.datetime) -> list[str]:
    """Do what waits in the online queue; the functions called."""
    done = []
    for queued in OrmQ.objects.filter(key="online").order_by("pk"):
        task = SignedPackage.loads(queued.payload)
        queued.delete()
        if task["func"] == online.CATCH_UP:
            online.catch_up(*task["args"], now=now)
        else:
            worker.work(*task["args"])
        done.append(task["func"].rpartition(".")[2])
    return done


@pytest.fixture
def fed(es, contfut, compute, bars):
    """ES with a series up to Memorial Day."""
    bars("ES", DAYS[100:101])
    compute(start=START)
    return es


def send(day: dt.date, clock: str = "", change: float = 0.0) -> None:
    """A bar of the active future alone: of a date, or of a time in UTC."""
    moment = f"{day}T{clock}:00+00:00" if clock else day.isoformat()
    month = 6 if day < dt.date(2020, 6, 18) else 7
    bar = {"contractname": f"ES2020{month:02}", "datetime": moment, "close": price(day, month) + change}
    market.import_tables({"contracts_bars": pa.Table.from_pylist([bar])}, source="feed")


def reached() -> dt.date:
    return Series.objects.get(name="ES_ContFut").last_session


def delays() -> list[tuple[str, str]]:
    return list(Event.objects.filter(kind="delay").order_by("pk").values_list("level", "message"))


def test_a_session_is_computed_once_when_its_decision_time_has_passed(fed, tick):
    send(NEXT)
    assert tick(DECISION - MINUTE) == []
    (run,) = tick(DECISION)
    assert (run.kind, run.source, run.status, run.until) == ("online", "schedule", "done", NEXT)
    assert [(step.series.name, step.sessions_done) for step in run.steps.all()] == [("ES_ContFut", 1)]
    assert reached() == NEXT
    assert tick(DECISION + MINUTE) == []


def test_a_tick_that_comes_before_the_work_is_done_starts_nothing(fed, django_capture_on_commit_callbacks):
    send(NEXT)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            online.tick(DECISION)
    assert Run.objects.filter(kind="online").count() == OrmQ.objects.count() == 1


def test_dependencies_are_computed_first(fed, make_definition, compute, tick):
    legs = {"legs": [{"right": "F", "qty": 1}]}
    parameters = {"bullish": legs, "bearish": legs}
    make_definition("AIchi", "algorithms.regime_spread.IchimokuSpread", parameters=parameters)
    compute(start=START)
    send(NEXT)
    (run,) = tick(DECISION)
    assert [step.series.name for step in run.steps.order_by("finished")] == ["ES_ContFut", "ES_AIchi"]
    assert set(run.steps.values_list("status", flat=True)) == {"done"}


@pytest.mark.parametrize(
    ("day", "decision"),
    [
        (DAYS[100], dt.datetime(2020, 5, 25, 17, 0, tzinfo=dt.UTC)),  # a half day: noon in Chicago
        (dt.date(2020, 11, 2), dt.datetime(2020, 11, 2, 20, 45, tzinfo=dt.UTC)),  # after the clocks changed
    ],
)
def test_half_days_and_the_change_of_clocks(es, contfut, compute, bars, tick, day, decision):
    Product.objects.update(calendar="CMES", conventions="legacy")  # sessions are the days that have bars
    compute(start=START)
    bars("ES", [*(date for date in DAYS[100:] if date < day), day])
    assert tick(decision - MINUTE) == []
    assert [run.until for run in tick(decision)] == [day]


def test_a_bar_of_the_morning_is_not_the_session_s_price(fed, tick):
    send(NEXT, "15:00")
    assert tick(DECISION + 14 * MINUTE) == []
    assert delays() == []
    assert tick(DECISION + 16 * MINUTE) == []
    ((level, message),) = delays()
    assert level == "warning"
    assert message == (
        "ES: no bar of 2020-05-26 15 minutes after its decision time (19:45 UTC); the newest is of 15:00 UTC, too old "
        "for it. It is computed when the bar comes."
    )
    send(NEXT, "19:44", change=2.0)
    (run,) = tick(DECISION + 40 * MINUTE)
    assert run.until == NEXT
    assert delays()[1:] == [("info", "ES: bars of 2020-05-26 have come (late since 2020-05-26 20:01 UTC).")]
    assert tick(DECISION + 41 * MINUTE) == []


@pytest.mark.parametrize(("clock", "computed"), [("19:15", True), ("19:14", False)])
def test_a_bar_is_the_session_s_price_for_thirty_minutes(fed, tick, clock, computed):
    send(NEXT, clock)
    assert [run.until for run in tick(DECISION)] == ([NEXT] if computed else [])


@pytest.mark.parametrize(("later", "late"), [(15 * MINUTE - MINUTE / 60, False), (15 * MINUTE, True)])
def test_a_bar_is_late_fifteen_minutes_after_the_decision(fed, tick, later, late):
    tick(DECISION + later)
    assert len(delays()) == late
    series = Series.objects.select_related("definition", "product").get()
    assert assess_series(series, DECISION + later).state == ("late" if late else "fresh")


def test_a_bar_after_the_decision_changes_nothing(fed, tick):
    send(NEXT, "19:44")
    tick(DECISION)
    send(NEXT, "20:30", change=9.0)
    assert tick(DECISION + 60 * MINUTE) == []
    assert assess_series(Series.objects.get()).causes == ()


def test_a_delay_is_told_once_a_session(fed, tick):
    for minutes in (16, 17, 300):
        tick(DECISION + minutes * MINUTE)
    assert len(delays()) == 1
    assert Feed.objects.get().late_session == NEXT
    tick(DECISION + dt.timedelta(days=1, minutes=16))
    assert len(delays()) == 2
    assert "2020-05-27" in delays()[1][1]
    send(DAYS[102])
    tick(DECISION + dt.timedelta(days=1, minutes=20))
    assert delays()[2] == ("info", "ES: bars of 2020-05-27 have come (late since 2020-05-26 20:01 UTC).")
    assert Feed.objects.get().late_session is None


def test_bars_of_a_skipped_session_mend_the_series_at_once(fed, tick):
    send(DAYS[102])
    after = DECISION + dt.timedelta(days=1)
    tick(after)
    assert reached() == DAYS[102]
    send(NEXT)
    (run,) = tick(after + MINUTE)
    assert run.steps.get().from_start
    assert [point[1] for point in rows("ES_ContFut")[0]] == DAYS[:103]
    assert tick(after + 2 * MINUTE) == []


def test_a_session_that_the_calendar_does_not_expect(fed, tick):
    holiday = dt.date(2020, 7, 3)
    send(holiday)
    now = dt.datetime(2020, 7, 3, 19, 45, tzinfo=dt.UTC)
    assert [run.until for run in tick(now)] == [holiday]


def test_days_that_the_machine_was_off_are_caught_up(fed, bars, tick):
    bars("ES", DAYS[101:110])
    (run,) = tick(DECISION + dt.timedelta(days=20))
    assert run.steps.get().sessions_done == 9
    assert not run.steps.get().from_start


def test_a_changed_bar_of_the_newest_session_computes_it_again(fed, tick):
    send(NEXT)
    tick(DECISION)
    send(NEXT, change=4.0)
    (run,) = tick(DECISION + MINUTE)
    assert run.steps.get().rows_written == 1
    assert Point.objects.get(date=NEXT).exo != 0
    assert tick(DECISION + 2 * MINUTE) == []


def test_a_correction_of_old_data_waits_for_the_next_session(fed, tick, bars):
    send(NEXT)
    tick(DECISION)
    bars("ES", DAYS[50:51], change={DAYS[50]: 2.0})
    assert tick(DECISION + MINUTE) == []
    send(DAYS[102])
    (run,) = tick(DECISION + dt.timedelta(days=1))
    assert "market data corrected" in run.steps.get().reason


def test_history_is_left_to_backfills(fed, tick):
    send(NEXT)
    assert tick(DECISION + dt.timedelta(days=40)) == []
    assert delays() == []


@pytest.mark.parametrize(("expected", "computed"), [("2020-06-25", True), ("2020-06-26", False)])
def test_data_that_ended_thirty_days_before_the_expected_session_is_a_feed(fed, tick, expected, computed):
    send(NEXT)
    assert len(tick(dt.datetime.fromisoformat(f"{expected}T20:00+00:00"))) == computed


def test_made_up_data_is_computed_and_never_late(fed, tick):
    fed.data_kind = "synthetic"
    fed.save()
    tick(DECISION + 60 * MINUTE)
    assert delays() == []
    send(NEXT)
    assert len(tick(DECISION + 70 * MINUTE)) == 1


def test_what_is_out_of_calculation_is_left_alone(fed, contfut, make_product, tick):
    send(NEXT)
    contfut.products.set([make_product("CL")])
    assert tick(DECISION) == []
    contfut.products.set([fed])
    contfut.enabled = False
    contfut.save()
    assert tick(DECISION) == []
    contfut.enabled = True
    contfut.save()
    fed.active = False
    fed.save()
    assert tick(DECISION) == []


def test_a_series_never_backfilled_is_left_alone_with_one_notice(fed, make_definition, tick):
    make_definition("New")
    plan.make_plan()
    send(NEXT)
    (run,) = tick(DECISION)
    assert [step.series.name for step in run.steps.all()] == ["ES_ContFut"]
    tick(DECISION + MINUTE)
    notice = Event.objects.get(kind="online")
    assert (notice.level, notice.series.name) == ("info", "ES_New")
    assert "never backfilled" in notice.message


def test_what_failed_is_tried_again_with_new_data_only(fed, monkeypatch, tick):
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("out of order")

    send(NEXT)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "compute", broken)
        (run,) = tick(DECISION)
    assert run.status == "failed"
    assert tick(DECISION + MINUTE) == []
    assert control.retry_failed(run, queue=False) == 1
    worker.work(run.pk, fed.pk)
    assert reached() == NEXT
    with monkeypatch.context() as patch:
        patch.setattr(worker, "compute", broken)
        send(DAYS[102])
        tick(DECISION + dt.timedelta(days=1))
    send(DAYS[102], change=1.0)
    assert len(tick(DECISION + dt.timedelta(days=1, minutes=5))) == 1
    assert reached() == DAYS[102]


@pytest.mark.parametrize(("older", "tried_again"), [(dt.timedelta(), 0), (dt.timedelta(microseconds=1), 1)])
def test_what_failed_is_tried_again_if_it_is_older_than_the_data(fed, monkeypatch, tick, older, tried_again):
    send(NEXT)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "compute", lambda *_args, **_more: 1 / 0)
        (run,) = tick(DECISION)
    assert run.status == "failed"
    imported = fed.revisions.latest("number").created
    Run.objects.filter(pk=run.pk).update(created=imported - older)
    assert len(tick(DECISION + MINUTE)) == tried_again


def test_a_series_that_a_backfill_computes_is_left_to_it(fed, make_definition, compute, tick):
    make_definition("Other")
    compute(start=START)
    backfill = plan.start(
        plan.make_plan(series=[Series.objects.get(name="ES_Other")], mode=Run.Mode.RESET), source=Run.Source.SHELL
    )
    send(NEXT)
    (run,) = tick(DECISION)
    assert [step.series.name for step in run.steps.all()] == ["ES_ContFut"]
    worker.work(backfill.pk, fed.pk)
    backfill.steps.update(status=Status.DONE)
    assert Series.objects.filter(last_session=NEXT).count() == 2  # a backfill goes to the newest session


def test_what_cannot_be_computed_is_told_once_a_day(fed, contfut, tick):
    send(NEXT)
    contfut.parameters = {"nonsense": 1}
    contfut.save()
    assert tick(DECISION) == []
    tick(DECISION + MINUTE)
    event = Event.objects.get(kind="online")
    assert event.level == "error"
    assert "nonsense" in event.message


@pytest.mark.parametrize(("age", "count"), [(dt.timedelta(days=1) - MINUTE, 1), (dt.timedelta(days=1), 2)])
def test_what_cannot_be_computed_is_told_again_after_a_day(fed, contfut, tick, age, count):
    send(NEXT)
    contfut.parameters = {"nonsense": 1}
    contfut.save()
    tick(DECISION)
    with time_machine.travel(DECISION, tick=False):
        Event.objects.filter(kind="online").update(time=DECISION - age)
        tick(DECISION)
    assert Event.objects.filter(kind="online").count() == count


def test_ticks_without_work_ask_little(make_product, contfut, bars, django_assert_max_num_queries):
    for number in range(5):
        make_product(f"P{number}")
        bars(f"P{number}", DAYS[:30])
    plan.make_plan()
    Series.objects.update(start=START, last_session=DAYS[29], market_revision=1, points_count=30)
    at = dt.datetime.combine(DAYS[29], dt.time(22), dt.UTC)
    with django_assert_max_num_queries(6):
        assert online.tick(at) == "0 series started, 0 delays, 0 recoveries"


# Rung for by an import.


@pytest.fixture
def enqueued(django_capture_on_commit_callbacks, monkeypatch) -> Callable[..., list[str]]:
    """`enqueued(day, now)`: import a bar at a moment; the functions that it had called."""

    def enqueued(day: dt.date, now: dt.datetime, clock: str = "") -> list[str]:
        monkeypatch.setattr("exo_registry.runs.online.timezone.now", lambda: now)
        with django_capture_on_commit_callbacks(execute=True):
            send(day, clock)
        return work_queue(now)

    return enqueued


def test_a_bar_of_the_session_is_enqueued_at_once(fed, enqueued):
    assert enqueued(NEXT, DECISION + MINUTE) == ["catch_up"]
    assert reached() == NEXT
    assert Run.objects.get(kind="online").status == "done"


def test_a_bar_before_the_decision_enqueues_nothing(fed, enqueued):
    assert enqueued(NEXT, DECISION - MINUTE) == []


def test_a_bar_after_the_session_was_computed_enqueues_nothing(fed, enqueued):
    enqueued(NEXT, DECISION + MINUTE, "19:44")
    assert enqueued(NEXT, DECISION + 60 * MINUTE, "20:40") == []


def test_an_import_succeeds_when_the_queue_is_down(fed, monkeypatch, django_capture_on_commit_callbacks):
    def down(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr("exo_registry.runs.online.timezone.now", lambda: DECISION)
    monkeypatch.setattr(online, "async_task", down)
    with django_capture_on_commit_callbacks(execute=True):
        send(NEXT)
    assert due.look(DECISION)[0].missing


def test_catching_up_twice_computes_once(fed):
    send(NEXT)
    assert online.catch_up(fed.pk, DECISION) == "1 series"
    assert online.catch_up(fed.pk, DECISION) == "0 series"
    assert Step.objects.filter(run__kind="online").count() == 1


def test_assessing_needs_no_market_data_for_a_series_in_time(fed, monkeypatch):
    monkeypatch.setattr(market, "sessions", None)
    series = Series.objects.select_related("definition", "product").get()
    at = dt.datetime(2020, 5, 26, 12, tzinfo=dt.UTC)
    assert assess_series(series, at).state == "fresh"
