"""What an operator does to a run once it stands, and the reconciler that mends what went wrong unseen."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q
from django.utils import timezone
from django_q.brokers import get_broker

from exo_registry import events
from exo_registry.models import Product, Run, Status, Step
from exo_registry.models.run import ACTIVE

from . import losses, tasks
from .lease import lease_time
from .plan import raise_if_active
from .retry import when_locked


@when_locked
def cancel(run: Run, *, user=None) -> int:
    """Cancel a run: waiting steps at once, running ones within a second or two. Returns the steps stopped at once.

    Series keep what they held. Cancelling a run that has ended does nothing.
    """
    with transaction.atomic():
        if not Run.objects.filter(pk=run.pk, status__in=ACTIVE, cancel_requested=False).update(cancel_requested=True):
            return 0
        events.record("run", f"Run {run.pk}: cancel asked for.", level="warning", run=run, user=user)
    stopped = _cancel_waiting(run)
    tasks.close_if_ended(run)
    run.refresh_from_db()
    return stopped


def _cancel_waiting(run: Run) -> int:
    waiting = Step.objects.filter(run=run, status=Status.WAITING)
    return waiting.update(status=Status.CANCELLED, finished=timezone.now())


def retry_failed(run: Run, *, user=None, queue: bool = True) -> int:
    """Compute again the steps that failed, and those skipped because of them. Returns how many.

    Raises AlreadyActive if another run has one of their series. `queue=False`: the caller computes them.
    """
    return _reopen(run, (Status.FAILED, Status.SKIPPED), "retry of what failed", user, queue)


def resume(run: Run, *, user=None, queue: bool = True) -> int:
    """Compute what a cancelled run had left, and ring again for what waits. Returns how many steps wait.

    Raises AlreadyActive if another run has one of their series. `queue=False`: the caller computes them.
    """
    return _reopen(run, (Status.CANCELLED, Status.WAITING), "resumed", user, queue)


@when_locked
def _reopen(run: Run, statuses: tuple[str, ...], what: str, user, queue: bool) -> int:
    chosen = Step.objects.filter(run=run, status__in=statuses)
    series = [step.series_id for step in chosen.exclude(status__in=ACTIVE)]
    try:
        with transaction.atomic():
            held = Run.objects.select_for_update().get(pk=run.pk)  # nobody closes it meanwhile
            count = chosen.update(
                status=Status.WAITING,
                attempt=0,
                faults=0,
                lost=None,
                error="",
                lease_token=None,
                lease_until=None,
                started=None,
                finished=None,
                sessions_done=0,
            )
            if not count:
                return 0
            running = held.steps.filter(status=Status.RUNNING).exists()
            held.status = Status.RUNNING if running else Status.WAITING
            held.cancel_requested, held.finished = False, None
            held.save(update_fields=["status", "cancel_requested", "finished"])
            events.record("run", f"Run {run.pk} {what}: {count} steps.", run=run, user=user)
            run.refresh_from_db()
            if queue:
                tasks.enqueue(run)
    except IntegrityError:
        raise_if_active(series)
        raise
    return count


def reconcile(now: dt.datetime | None = None) -> str:
    """Mend what a lost worker, task or request left behind. Idempotent; a schedule calls it every minute.

    Frees steps whose lease has run out (failing those that lose every worker), ends cancelled and finished runs,
    and rings again for work that nobody attends to. Returns a line for the task list.
    """
    now = now or timezone.now()
    freed, failed = _expired_leases(now)
    active = list(Run.objects.filter(status__in=ACTIVE))
    for run in active:
        if run.cancel_requested:
            _cancel_waiting(run)
    closed = sum(tasks.close_if_ended(run) for run in active)
    rung = sum(_ring_again(one, now) for one in unattended(now, lease_time() / 2))
    return f"{freed} freed, {failed} failed, {closed} closed, {rung} rung again"


def _expired_leases(now: dt.datetime) -> tuple[int, int]:
    running = Step.objects.filter(status=Status.RUNNING, lease_until__lt=now).select_related("run", "series", "product")
    counts = Counter(_settle_and_ring(step, losses.lapsed(step, now)) for step in running)
    return counts[Status.WAITING], counts[Status.FAILED]


def _settle_and_ring(step: Step, status: str | None) -> str | None:
    if status == Status.WAITING:
        tasks.enqueue(step.run, product=step.product)
    return status


@when_locked
def free_lost(worker: str, why: str, *, fault: bool | None = None) -> int:
    """Free at once the steps held by a worker that is known to be gone; returns how many.

    `why` and `fault` as `losses.settle` takes them.
    """
    running = Step.objects.filter(status=Status.RUNNING, worker=worker).select_related("run", "series", "product")
    return sum(_settle_and_ring(step, losses.settle(step, why, fault=fault)) is not None for step in running)


@dataclass(frozen=True)
class Unattended:
    """Work of one product of a run that waits while nobody is at it, and since when."""

    run_id: int
    product_id: int
    since: dt.datetime


def unattended(now: dt.datetime, at_least: dt.timedelta) -> list[Unattended]:
    """What has waited unattended for `at_least`: one query."""
    rows = (
        Step.objects.filter(run__status__in=ACTIVE, run__cancel_requested=False)
        .order_by()
        .values("run", "product", "run__created")
        .annotate(
            waiting=Count("pk", filter=Q(status=Status.WAITING)),
            running=Count("pk", filter=Q(status=Status.RUNNING)),
            begun=Max("started"),
            ended=Max("finished"),
            dropped=Max("lost"),
        )
        .filter(waiting__gt=0, running=0)
    )
    found = []
    for row in rows:
        moments = [row[name] for name in ("run__created", "begun", "ended", "dropped")]
        since = max(moment for moment in moments if moment is not None)
        if since < now - at_least:
            found.append(Unattended(row["run"], row["product"], since))
    return found


def ring_after_restart() -> int:
    """Ring for all unattended work at once: a cluster was started again, and what it had fetched is lost."""
    now = timezone.now()
    return sum(_ring_again(one, now, at_once=True) for one in unattended(now, dt.timedelta(0)))


def _ring_again(one: Unattended, now: dt.datetime, *, at_once: bool = False) -> int:
    """Ring for unattended work: at its own cluster if its task was lost, at the other if none answers there.

    Tasks that wait in a queue may be this very one, so with them the bell rings at ever longer intervals.
    """
    run = Run.objects.get(pk=one.run_id)
    product = Product.objects.get(pk=one.product_id)
    cluster = tasks.BACKFILL if run.kind != Run.Kind.ONLINE else tasks.ONLINE
    queued = get_broker(cluster).queue_size()
    pause = max(lease_time(), now - one.since) if queued else lease_time() / 2
    if not cache.add(f"exoweb:rung:{one.run_id}:{one.product_id}", 1, pause.total_seconds()) and not at_once:
        return 0
    busy = Step.objects.filter(status=Status.RUNNING, lease_until__gt=now).exists()
    if queued and cluster == tasks.BACKFILL and not busy and not at_once:
        # Tasks wait and nobody works: no backfill cluster is up, so the one that runs this takes it.
        cluster = tasks.ONLINE
        words = f"No backfill worker answers: {product} of run {run.pk} goes to the online ones."
        events.record("worker", words, level="warning", run=run, product=product)
    else:
        words = f"{product}: nobody has been at it since {one.since:%H:%M:%S} UTC; its task is sent again."
        events.record("run", words, level="warning", run=run, product=product)
    return tasks.enqueue(run, product=product, cluster=cluster)
