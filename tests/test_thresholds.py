"""Every limit of time that people rely on, just before it and just after it, on a clock that stands still."""

import datetime as dt
from collections.abc import Callable

import pytest
import time_machine
from django.http import HttpResponse
from django_q.models import Failure, Schedule, Success

from exo_registry.api.endpoint import Endpoint, operation
from exo_registry.models import Event, NotifierState, Revision, Run, Scope, Status, Step, Token
from exo_registry.operations import metrics, notifications, retention, status
from exo_registry.runs import control, lease
from exo_registry.workers import heartbeats
from exo_registry.workers.heartbeats import Cluster
from tests.pages.builders import make_series

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 2, 20, 45, tzinfo=dt.UTC)
SECOND, MINUTE, HOUR, DAY = (dt.timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


# -- status ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "overdue"), [(5 * MINUTE, False), (5 * MINUTE + SECOND, True)])
def test_a_schedule_is_overdue_after_five_minutes(late, overdue):
    Schedule.objects.update(next_run=NOW + HOUR)
    Schedule.objects.filter(name="Reconcile runs").update(next_run=NOW - late)
    planned = {schedule.schedule.name: schedule.overdue for schedule in status.planned(NOW)}
    assert planned.pop("Reconcile runs") == (late if overdue else None)
    assert set(planned.values()) == {None}
    troubles = status.idle_work(NOW)
    assert len(troubles) == overdue
    assert all("“Reconcile runs” was due at 2026-03-02 20:39 UTC" in trouble for trouble in troubles)


@pytest.fixture
def step(make_product) -> Step:
    """A step that has waited since NOW."""
    es = make_product("ES")
    Schedule.objects.update(next_run=NOW + DAY)
    run = Run.objects.create(kind="backfill", source="page")
    Run.objects.update(created=NOW)
    return Step.objects.create(run=run, series=make_series(es), product=es, position=0)


@pytest.mark.parametrize(("later", "troubles"), [(120 * SECOND, 0), (121 * SECOND, 1)])
def test_work_that_nobody_does_is_trouble_after_two_leases(step, later, troubles):
    assert len(status.idle_work(NOW + later)) == troubles


@pytest.mark.parametrize(("lease_until", "troubles"), [(NOW + HOUR, 1), (NOW + HOUR + SECOND, 0)])
def test_a_worker_counts_until_its_lease_runs_out(step, make_product, lease_until, troubles):
    other = make_series(make_product("CL"))
    busy = {"status": Status.RUNNING, "lease_until": lease_until}
    Step.objects.create(run=step.run, series=other, product=other.product, position=1, **busy)
    assert len(status.idle_work(NOW + HOUR)) == troubles


@pytest.mark.parametrize(("age", "alive"), [(10 * SECOND - SECOND / 10, True), (10 * SECOND, False)])
def test_a_cluster_is_silent_after_ten_seconds(age, alive):
    cluster = Cluster("online", "desk", 10, NOW - DAY, NOW - age, 0, 0, 0, (), {})
    assert cluster.is_alive(NOW) is alive


@pytest.mark.parametrize(("started", "replaces"), [(NOW + SECOND, False), (NOW + 1.1 * SECOND, True)])
def test_a_cluster_replaces_one_that_stopped_a_heartbeat_before_it_started(started, replaces):
    old = Cluster("online", "desk", 10, NOW - DAY, NOW, 0, 0, 0, (), {})
    new = Cluster("online", "desk", 11, started, started, 0, 0, 0, (), {})
    assert heartbeats._replaces(new, old) is replaces


def event(at: dt.datetime, kind: str = "run", level: str = "info", **about: object) -> Event:
    made = Event.objects.create(kind=kind, level=level, message=f"{kind} {level} {at}", **about)
    Event.objects.filter(pk=made.pk).update(time=at)
    return made


@pytest.mark.parametrize(("age", "count"), [(HOUR - SECOND, 1), (HOUR, 0)])
def test_metrics_count_events_of_the_last_hour(age, count):
    event(NOW - age, level="error")
    assert f'exoweb_events_last_hour{{level="error"}} {count}.0' in metrics.exposition(NOW).decode()


# -- notifications --------------------------------------------------------------------------------------------------


@pytest.fixture
def sent(settings, monkeypatch) -> list[str]:
    """Titles of the messages; each is accepted."""
    settings.NOTIFY_URLS = ["json://localhost"]
    titles: list[str] = []
    monkeypatch.setattr(notifications, "send", lambda title, body: titles.append(title) or notifications.Sent(1, []))
    return titles


def problem(at: dt.datetime, number: int = 1) -> None:
    """A product's delay; with another number, another product's."""
    from exo_registry.models import Product

    terms = {"ticksize": 0.25, "tickvalue": 12.5, "decision_time": dt.time(14, 45)}
    product, _ = Product.objects.get_or_create(exchangesymbol=f"P{number}", defaults=terms)
    event(at, "delay", "warning", product=product)


def told(at: dt.datetime, sent: list[str]) -> bool:
    """Whether the schedule's call at a moment sends a message."""
    before = len(sent)
    notifications.send_digest(at)
    return len(sent) > before


@pytest.mark.parametrize(("after", "is_told"), [(44 * SECOND, False), (45 * SECOND, True)])
def test_the_first_problem_waits_45_seconds_for_others(sent, after, is_told):
    problem(NOW)
    assert told(NOW + after, sent) is is_told


@pytest.mark.parametrize(("age", "is_told"), [(DAY, True), (DAY + SECOND, False)])
def test_what_is_older_than_a_day_when_it_is_first_seen_is_not_told(sent, age, is_told):
    problem(NOW - age)
    assert told(NOW, sent) is is_told


@pytest.mark.parametrize(("after", "is_told"), [(15 * MINUTE - SECOND, False), (15 * MINUTE, True)])
def test_the_second_message_comes_15_minutes_after_the_first(sent, after, is_told):
    problem(NOW - HOUR)
    assert told(NOW, sent)
    problem(NOW, 2)
    assert told(NOW + after, sent) is is_told


@pytest.mark.parametrize(("after", "is_told"), [(4 * HOUR - SECOND, False), (4 * HOUR, True)])
def test_the_distance_grows_to_four_hours(sent, after, is_told):
    NotifierState.objects.create(pk=NotifierState.ONLY, last_sent=NOW, streak=9, checked=NOW)
    problem(NOW)
    assert told(NOW + after, sent) is is_told


@pytest.mark.parametrize(("after", "streak"), [(4 * HOUR, 10), (4 * HOUR + SECOND, 1)])
def test_four_quiet_hours_end_the_streak(sent, after, streak):
    NotifierState.objects.create(pk=NotifierState.ONLY, last_sent=NOW, streak=9, checked=NOW)
    problem(NOW)
    assert told(NOW + after, sent)
    assert NotifierState.objects.get().streak == streak


@pytest.mark.parametrize(("after", "tried"), [(5 * MINUTE - SECOND, False), (5 * MINUTE, True)])
def test_sending_that_failed_is_tried_again_after_five_minutes(sent, after, tried):
    NotifierState.objects.create(pk=NotifierState.ONLY, failed_at=NOW, checked=NOW)
    problem(NOW)
    assert told(NOW + after, sent) is tried


@pytest.mark.parametrize(("after", "is_told"), [(2 * MINUTE, False), (2 * MINUTE + SECOND, True)])
def test_a_worker_that_died_while_sending_holds_others_up_for_two_minutes(sent, after, is_told):
    problem(NOW - HOUR)
    assert notifications._claim(NOW)
    assert told(NOW + after, sent) is is_told


@pytest.mark.parametrize(("age", "is_told"), [(10 * MINUTE, True), (10 * MINUTE + SECOND, False)])
def test_an_event_committed_ten_minutes_late_is_still_seen(sent, age, is_told):
    notifications.send_digest(NOW)
    problem(NOW - age)
    assert told(NOW + MINUTE, sent) is is_told


@pytest.mark.parametrize(("checked", "is_told"), [(7 * DAY - SECOND, False), (7 * DAY, True)])
def test_a_problem_that_lasts_is_told_again_after_seven_days(sent, checked, is_told):
    problem(NOW)
    assert told(NOW + MINUTE, sent)
    notifications.send_digest(NOW + checked)  # at seven days the old message is forgotten
    problem(NOW + checked + SECOND)
    assert told(NOW + checked + MINUTE - 2 * SECOND, sent) is is_told


@pytest.mark.parametrize(("count", "ending"), [(8, "S6, S7"), (9, "S6, S7 and 1 more")])
def test_a_line_names_eight_series(count, ending):
    failed = {"kind": "step", "product": "ES", "run": None, "message": "no bar"}
    text = notifications.message([failed | {"series": f"S{number}"} for number in range(count)], [])[1]
    assert text == f"ES failed ({count}): S0, S1, S2, S3, S4, S5, {ending}: no bar"


@pytest.mark.parametrize(("count", "last"), [(30, "P29 late: no bar"), (31, "… and 1 more line.")])
def test_a_message_has_thirty_lines(count, last):
    late = {"kind": "delay", "series": "", "run": None, "message": "no bar"}
    text = notifications.message([late | {"product": f"P{number:02}"} for number in range(count)], [])[1]
    assert text.splitlines()[-1] == last


# -- what is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "level", "days"),
    [("run", "info", 90), ("import", "info", 30), ("run", "warning", 365), ("run", "error", 365)],
)
def test_how_long_events_are_kept(kind, level, days):
    kept, gone = event(NOW - days * DAY, kind, level), event(NOW - days * DAY - SECOND, kind, level)
    retention.prune(NOW)
    assert list(Event.objects.filter(pk__in=[kept.pk, gone.pk])) == [kept]


@pytest.mark.parametrize(("state", "days"), [("done", 90), ("failed", 365), ("cancelled", 365)])
def test_how_long_online_runs_are_kept(state, days):
    kept, _ = (
        Run.objects.create(kind="online", source="schedule", status=state, finished=NOW - days * DAY - more)
        for more in (0 * SECOND, SECOND)
    )
    retention.prune(NOW)
    assert list(Run.objects.all()) == [kept]


@pytest.mark.parametrize(("model", "days"), [(Success, 30), (Failure, 90)])
def test_how_long_tasks_are_kept(model, days):
    for name, more in (("kept", 0 * SECOND), ("gone", SECOND)):
        stopped = NOW - days * DAY - more
        model.objects.create(id=name, name=name, func="f", started=stopped, stopped=stopped, success=model is Success)
    retention.prune(NOW)
    assert [row.name for row in model.objects.all()] == ["kept"]


def test_how_long_revisions_are_kept(make_product):
    es = make_product("ES")
    for number, age in ((1, 30 * DAY + SECOND), (2, 30 * DAY), (3, 0 * DAY)):
        made = Revision.objects.create(product=es, number=number, source="feed", earliest_change=dt.date(2020, 1, 1))
        Revision.objects.filter(pk=made.pk).update(created=NOW - age)
    retention.prune(NOW)
    assert sorted(Revision.objects.values_list("number", flat=True)) == [2, 3]


# -- tokens ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(vera, rf) -> Callable[..., int]:
    """`ask(last_used=…, expires=…)`: the answer's status to a request at NOW with a token that has these."""
    token = Token(name="feed", user=vera, scopes=[Scope.READ])
    key = token.new_key()
    token.save()

    def ask(**fields: dt.datetime) -> int:
        Token.objects.update(**fields)
        with time_machine.travel(NOW, tick=False):
            request = rf.get("/api/v1/series/", headers={"authorization": f"Bearer {key}"})
            return Endpoint(get=operation()(lambda request: HttpResponse()))(request).status_code

    return ask


@pytest.mark.parametrize(("age", "noted"), [(MINUTE, False), (MINUTE + SECOND, True)])
def test_the_use_of_a_token_is_noted_once_a_minute(ask, age, noted):
    assert ask(last_used=NOW - age) == 200
    assert Token.objects.get().last_used == (NOW if noted else NOW - age)


@pytest.mark.parametrize(("left", "answer"), [(SECOND, 200), (0 * SECOND, 401)])
def test_a_token_ends_at_the_moment_it_expires(ask, left, answer):
    assert ask(expires=NOW + left) == answer


# -- orphaned steps ------------------------------------------------------------------------------------------


@pytest.fixture
def held(step) -> Step:
    """A step whose worker has a lease until NOW."""
    Step.objects.update(status=Status.RUNNING, worker="desk:12", attempt=1, started=NOW, lease_until=NOW)
    step.refresh_from_db()
    return step


@pytest.mark.parametrize(("late", "outcome"), [(0 * SECOND, "running"), (SECOND, "waiting")])
def test_a_step_is_freed_when_its_lease_has_run_out(held, late, outcome):
    control.reconcile(NOW + late)
    held.refresh_from_db()
    assert held.status == outcome


@pytest.mark.parametrize(("age", "faults"), [(119 * SECOND, 0), (120 * SECOND, 1)])
def test_a_loss_within_two_leases_of_another_is_not_held_against_the_step(held, make_product, age, faults):
    other = make_series(make_product("CL"))
    Step.objects.create(run=held.run, series=other, product=other.product, position=1, orphaned_at=NOW - age)
    assert lease.free(held, "gone", now=NOW) == "waiting"
    assert held.faults == faults


@pytest.mark.parametrize(("age", "faults"), [(119 * SECOND, 0), (120 * SECOND, 1)])
def test_nor_one_within_two_leases_of_a_cluster_that_went_down(held, age, faults):
    event(NOW - age, "worker", "error")
    lease.free(held, "gone", now=NOW)
    assert held.faults == faults


@pytest.mark.parametrize(("before", "outcome"), [(1, "waiting"), (2, "failed")])
def test_a_step_is_given_up_with_the_third_fault(held, before, outcome):
    Step.objects.update(faults=before)
    held.refresh_from_db()
    assert lease.free(held, "gone", now=NOW) == outcome


@pytest.mark.parametrize(("attempt", "outcome"), [(19, "waiting"), (20, "failed")])
def test_a_step_is_given_up_after_twenty_attempts(held, attempt, outcome):
    Step.objects.update(attempt=attempt)
    held.refresh_from_db()
    assert lease.free(held, "gone", now=NOW, fault=False) == outcome


@pytest.mark.parametrize(("later", "count"), [(30 * SECOND, 0), (31 * SECOND, 1)])
def test_unattended_work_is_sent_again_after_half_a_lease(step, later, count):
    assert control.reconcile(NOW + later).endswith(f"{count} requeued")
