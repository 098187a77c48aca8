"""Cancel, retry, resume, and the reconciler."""

import datetime as dt

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from exo_registry.definitions import sync_series
from exo_registry.models import Event, Point, Run, Series, Status, Step
from exo_registry.runs import control, lease, plan, worker

from .conftest import DAYS, START
from .test_work import ICHIMOKU, LEGS

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(es, contfut, make_definition) -> Run:
    """Three series: ContFut, one that reads it, and one on its own."""
    make_definition("AIchi", ICHIMOKU)
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters=LEGS)
    return plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)


@pytest.fixture
def enqueued(monkeypatch) -> list[tuple[int, str]]:
    """Runs that were enqueued for, with the cluster."""
    calls: list[tuple[int, str]] = []
    monkeypatch.setattr(
        worker, "_enqueue_task", lambda run_id, product_id, name, cluster: calls.append((run_id, cluster))
    )
    return calls


def statuses(run: Run) -> dict[str, str]:
    return dict(run.steps.values_list("series__name", "status"))


def age(run: Run, seconds: int = 120) -> None:
    """Make a run look as if it had been made, and its steps ended, a while ago."""
    then = timezone.now() - dt.timedelta(seconds=seconds)
    Run.objects.filter(pk=run.pk).update(created=then)
    run.steps.exclude(finished=None).update(finished=then)


def let_lease_run_out(step: Step) -> None:
    Step.objects.filter(pk=step.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))


def test_cancel_before_it_starts(run, es):
    assert control.cancel(run) == 3
    assert set(statuses(run).values()) == {"cancelled"}
    assert run.status == "cancelled"
    assert worker.work(run.pk, es.pk) == "0 steps"
    assert Point.objects.count() == 0


def test_cancel_while_a_step_is_computed(run, es, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS_BETWEEN_RENEWALS", 0.0)

    def cancel_second(step, done, total):
        if step.series.name == "ES_Legs":
            control.cancel(Run.objects.get(pk=run.pk))

    worker.work(run.pk, es.pk, cancel_second)
    run.refresh_from_db()
    assert statuses(run) == {"ES_ContFut": "done", "ES_Legs": "cancelled", "ES_AIchi": "cancelled"}
    assert run.status == "cancelled"
    assert set(Point.objects.values_list("series__name", flat=True)) == {"ES_ContFut"}


def test_cancelling_twice_or_too_late_does_nothing(run, es):
    control.cancel(run)
    events = Event.objects.count()
    assert control.cancel(run) == 0
    assert Event.objects.count() == events


def test_resume_computes_what_was_left(run, es, monkeypatch):
    test_cancel_while_a_step_is_computed(run, es, monkeypatch)
    assert control.resume(run) == 2
    assert (run.status, run.cancel_requested) == ("waiting", False)
    assert worker.work(run.pk, es.pk) == "2 steps"
    run.refresh_from_db()
    assert run.status == "done"


def test_retry_takes_what_failed_and_what_was_skipped_for_it(run, es, contfut):
    contfut.parameters = {"nonsense": 1}
    contfut.save()
    worker.work(run.pk, es.pk)
    assert statuses(run) == {"ES_ContFut": "failed", "ES_AIchi": "skipped", "ES_Legs": "done"}
    legs = Step.objects.filter(series__name="ES_Legs").values().get()
    contfut.parameters = {}
    contfut.save()
    assert control.retry_failed(run) == 2
    assert worker.work(run.pk, es.pk) == "2 steps"
    run.refresh_from_db()
    assert run.status == "done"
    assert set(statuses(run).values()) == {"done"}
    assert Step.objects.filter(series__name="ES_Legs").values().get() == legs


def test_retry_is_refused_while_another_run_has_the_series(run, es, contfut):
    control.cancel(run)
    other = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    with pytest.raises(plan.AlreadyActive) as caught:
        control.resume(run)
    assert caught.value.run == other
    assert set(statuses(run).values()) == {"cancelled"}


def test_enqueue_puts_one_task_a_product_after_the_commit(run, enqueued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        assert worker.enqueue(run) == 1
        assert enqueued == []
    assert enqueued == [(run.pk, "backfill")]


def test_a_backfill_goes_to_its_own_cluster(run, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        worker.enqueue(run)
    assert OrmQ.objects.get().key == "backfill"


def test_online_work_goes_to_the_online_cluster(run, django_capture_on_commit_callbacks):
    run.kind = Run.Kind.ONLINE
    with django_capture_on_commit_callbacks(execute=True):
        worker.enqueue(run)
    assert OrmQ.objects.get().key == "online"


def test_reconcile_leaves_a_healthy_run_alone(run, enqueued):
    lease.claim(run.steps.first())
    before = list(Step.objects.values())
    assert control.reconcile() == "0 freed, 0 failed, 0 closed, 0 requeued"
    assert list(Step.objects.values()) == before


def test_reconcile_frees_an_orphaned_step_and_enqueues_it(run, enqueued, django_capture_on_commit_callbacks):
    step = run.steps.first()
    lease.claim(step)
    let_lease_run_out(step)
    with django_capture_on_commit_callbacks(execute=True):
        assert control.reconcile().startswith("1 freed, 0 failed")
    step.refresh_from_db()
    assert (step.status, step.attempt, step.lease_token) == ("waiting", 1, None)
    assert enqueued == [(run.pk, "backfill")]
    assert "has not been heard of" in Event.objects.filter(step=step).get().message
    with django_capture_on_commit_callbacks(execute=True):
        assert control.reconcile().startswith("0 freed")


def lose(step: Step) -> None:
    """Claim a step and let its worker fall silent."""
    step.refresh_from_db()
    assert lease.claim(step)
    let_lease_run_out(step)
    control.reconcile()
    step.refresh_from_db()


def test_a_step_that_kills_every_worker_is_given_up(run, es, enqueued):
    step = run.steps.first()
    for _ in range(2):
        lose(step)
        assert step.status == "waiting"
    lose(step)
    assert (step.status, step.attempt, step.faults) == ("failed", 3, 3)
    assert step.error.startswith("Its worker died 3 times running")
    assert "given up after 3 attempts" in Event.objects.filter(step=step, level="error").get().message
    assert control.retry_failed(run, queue=False) == 1
    worker.work(run.pk, es.pk)
    run.refresh_from_db()
    assert run.status == "done"
    step.refresh_from_db()
    assert (step.attempt, step.faults) == (1, 0)


def test_a_step_is_not_blamed_when_others_lose_their_workers_too(run, es, enqueued, settings):
    settings.STEP_ATTEMPTS = 6
    first, second, _ = run.steps.all()
    for _ in range(5):
        lose(first)
        lose(second)
    # The first loss of the first step had no company; all others had.
    assert (first.status, first.attempt, first.faults) == ("waiting", 5, 1)
    assert (second.status, second.attempt, second.faults) == ("waiting", 5, 0)
    lose(first)
    assert first.status == "failed"
    assert first.error.startswith("Its worker died in 6 attempts")


def test_steps_of_a_worker_known_to_be_gone_are_freed_at_once(run, es, enqueued, django_capture_on_commit_callbacks):
    step = run.steps.first()
    held = lease.claim(step)
    with django_capture_on_commit_callbacks(execute=True):
        assert control.free_steps_of("elsewhere:1", "gone") == 0
        assert control.free_steps_of(lease.worker_name(), "its cluster went down", fault=False) == 1
    step.refresh_from_db()
    assert (step.status, step.faults) == ("waiting", 0)
    assert enqueued == [(run.pk, "backfill")]
    with pytest.raises(lease.LeaseGone):
        held.end(Status.DONE)


def test_reconcile_ends_a_cancelled_run_whose_worker_is_gone(run):
    step = run.steps.first()
    lease.claim(step)
    control.cancel(run)
    assert run.is_active
    let_lease_run_out(step)
    control.reconcile()
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert set(statuses(run).values()) == {"cancelled"}


def test_reconcile_ends_a_run_whose_last_worker_died_before_closing_it(run, es):
    Step.objects.update(status=Status.DONE)
    assert control.reconcile() == "0 freed, 0 failed, 1 closed, 0 requeued"
    run.refresh_from_db()
    assert run.status == "done"


def test_reconcile_requeues_a_run_without_a_worker(run, enqueued, django_capture_on_commit_callbacks):
    assert control.reconcile().endswith("0 requeued")  # it has just been made
    age(run)
    with django_capture_on_commit_callbacks(execute=True):
        assert control.reconcile().endswith("1 requeued")
    assert enqueued == [(run.pk, "backfill")]
    requeued = Event.objects.get(message__endswith="; requeued.")
    assert requeued.level == "warning"
    assert "without an active worker" in requeued.message


def test_reconcile_leaves_a_run_alone_that_a_worker_has(run, enqueued):
    age(run)
    lease.claim(run.steps.first())
    assert control.reconcile().endswith("0 requeued")


def test_reconcile_rings_for_a_product_whose_task_was_lost_while_another_is_busy(
    run, es, make_product, bars, enqueued, django_capture_on_commit_callbacks
):
    control.cancel(run)
    make_product("CL")
    bars("CL", DAYS[:20])
    sync_series()
    both = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    age(both)
    lease.claim(both.steps.filter(product=es).first())
    with django_capture_on_commit_callbacks(execute=True):
        assert control.reconcile().endswith("1 requeued")
    assert enqueued == [(both.pk, "backfill")]
    requeued = Event.objects.get(message__endswith="; requeued.")
    assert (requeued.product.exchangesymbol, requeued.level) == ("CL", "info")
    assert "while workers compute other products" in requeued.message


def test_a_task_is_not_requeued_again_and_again(run, enqueued, django_capture_on_commit_callbacks):
    age(run)
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(5):
            control.reconcile()
    assert len(enqueued) == 1


def test_a_queue_that_is_away_does_not_stop_a_run(run, monkeypatch, django_capture_on_commit_callbacks):
    def refuse(*_args, **_more):
        raise ConnectionError("Redis is gone")

    monkeypatch.setattr(worker, "async_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        assert worker.enqueue(run) == 1
    assert "did not take" in Event.objects.filter(run=run).first().message


def test_without_backfill_workers_the_online_ones_take_over(run, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        worker.enqueue(run)
    OrmQ.objects.update(lock=timezone.now() - dt.timedelta(seconds=5))
    age(run)
    with django_capture_on_commit_callbacks(execute=True):
        assert control.reconcile().endswith("1 requeued")
    assert sorted(OrmQ.objects.values_list("key", flat=True)) == ["backfill", "online"]


def test_migrate_makes_the_schedule_once(db):
    from exo_registry.operations import schedules

    schedule = Schedule.objects.get(name="Reconcile runs")
    assert (schedule.func, schedule.minutes) == ("exo_registry.runs.control.reconcile", 1)
    Schedule.objects.update(minutes=5)
    schedules.ensure()
    assert Schedule.objects.get(name="Reconcile runs").minutes == 5


def test_a_run_is_closed_by_one_of_those_who_try(run, es):
    worker.work(run.pk, es.pk)
    assert worker.close_if_ended(run) is False
    assert Event.objects.filter(message__startswith=f"Run {run.pk} done").count() == 1
    assert Series.objects.exclude(points_count=100).count() == 0
