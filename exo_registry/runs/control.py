"""What an operator does to a run that is stored, and the reconciler, which repairs what went wrong unseen."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q
from django.utils import timezone
from django_q.brokers import get_broker

from exo_registry.formats.text import counted
from exo_registry.models import Product, Run, Status, Step, event_log
from exo_registry.models.run import ACTIVE

from .lease import expire, free, lease_time
from .plan import raise_if_active
from .retry import retry_transient
from .worker import BACKFILL, ONLINE, close_if_ended, enqueue


@retry_transient
def cancel(run: Run, *, user=None) -> int:
    """Cancel a run: waiting steps at once, running ones within a second or two. Returns the steps stopped at once.

    Series keep what they held. Cancelling a run that has ended does nothing.
    """
    with transaction.atomic():
        if not Run.objects.filter(pk=run.pk, status__in=ACTIVE, cancel_requested=False).update(cancel_requested=True):
            return 0
        event_log.record("run", f"Run {run.pk}: cancel asked for.", level="warning", run=run, user=user)
    stopped = _cancel_waiting(run)
    close_if_ended(run)
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
    """Compute what a cancelled run had left, and requeue what waits. Returns how many steps wait.

    Raises AlreadyActive if another run has one of their series. `queue=False`: the caller computes them.
    """
    return _reopen(run, (Status.CANCELLED, Status.WAITING), "resumed", user, queue)


@retry_transient
def _reopen(run: Run, statuses: tuple[str, ...], what: str, user, queue: bool) -> int:
    chosen = Step.objects.filter(run=run, status__in=statuses)
    series = [step.series_id for step in chosen.exclude(status__in=ACTIVE)]
    try:
        with transaction.atomic():
            held = Run.objects.select_for_update().get(pk=run.pk)  # no other process closes it meanwhile
            count = chosen.update(
                status=Status.WAITING,
                attempt=0,
                faults=0,
                orphaned_at=None,
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
            if not running:
                held.started = None  # its pace and duration are those of this attempt, without the pause before it
            held.save(update_fields=["status", "cancel_requested", "finished", "started"])
            event_log.record("run", f"Run {run.pk} {what}: {counted(count, 'step')}.", run=run, user=user)
            run.refresh_from_db()
            if queue:
                enqueue(run)
    except IntegrityError:
        raise_if_active(series)
        raise
    return count


def reconcile(now: dt.datetime | None = None) -> str:
    """Repair what a worker, task or request that is gone left behind. Idempotent; a schedule calls it every minute.

    Frees steps whose lease has expired (failing those that are orphaned again and again), ends cancelled and finished
    runs, and requeues work that no worker has. Returns a line for the task list.
    """
    now = now or timezone.now()
    freed, failed = _expired_leases(now)
    active = list(Run.objects.filter(status__in=ACTIVE))
    for run in active:
        if run.cancel_requested:
            _cancel_waiting(run)
    closed = sum(close_if_ended(run) for run in active)
    requeued = sum(_requeue(work, now) for work in unattended(now, lease_time() / 2))
    return f"{freed} freed, {failed} failed, {closed} closed, {requeued} requeued"


def _expired_leases(now: dt.datetime) -> tuple[int, int]:
    running = Step.objects.filter(status=Status.RUNNING, lease_until__lt=now).select_related("run", "series", "product")
    counts = Counter(_enqueue_if_waiting(step, expire(step, now)) for step in running)
    return counts[Status.WAITING], counts[Status.FAILED]


def _enqueue_if_waiting(step: Step, status: str | None) -> str | None:
    if status == Status.WAITING:
        enqueue(step.run, product=step.product)
    return status


@retry_transient
def free_steps_of(worker: str, reason: str, *, fault: bool | None = None) -> int:
    """Free at once the steps of a worker that is known to be gone; returns how many.

    `reason` and `fault` as `lease.free` takes them.
    """
    running = Step.objects.filter(status=Status.RUNNING, worker=worker).select_related("run", "series", "product")
    return sum(_enqueue_if_waiting(step, free(step, reason, fault=fault)) is not None for step in running)


@dataclass(frozen=True)
class Unattended:
    """Steps of one product of a run that wait while no worker computes any of them, and since when."""

    run_id: int
    product_id: int
    since: dt.datetime


def unattended(now: dt.datetime, at_least: dt.timedelta) -> list[Unattended]:
    """What has waited without a worker for `at_least`: one query."""
    rows = (
        Step.objects.filter(run__status__in=ACTIVE, run__cancel_requested=False)
        .order_by()
        .values("run", "product", "run__created")
        .annotate(
            waiting=Count("pk", filter=Q(status=Status.WAITING)),
            running=Count("pk", filter=Q(status=Status.RUNNING)),
            begun=Max("started"),
            ended=Max("finished"),
            orphaned=Max("orphaned_at"),
        )
        .filter(waiting__gt=0, running=0)
    )
    work = []
    for row in rows:
        moments = [row[name] for name in ("run__created", "begun", "ended", "orphaned")]
        since = max(moment for moment in moments if moment is not None)
        if since < now - at_least:
            work.append(Unattended(row["run"], row["product"], since))
    return work


def requeue_after_restart() -> int:
    """Requeue all work without a worker at once: a cluster was started again, and the tasks it had fetched are gone."""
    now = timezone.now()
    return sum(_requeue(work, now, at_once=True) for work in unattended(now, dt.timedelta(0)))


def _requeue(work: Unattended, now: dt.datetime, *, at_once: bool = False) -> int:
    """Put the task of unattended work into its cluster's queue again, or into the other's if no worker answers there.

    Tasks that wait in a queue may be this very one, so while there are any it is requeued at ever longer intervals.
    """
    run = Run.objects.get(pk=work.run_id)
    product = Product.objects.get(pk=work.product_id)
    cluster = BACKFILL if run.kind != Run.Kind.ONLINE else ONLINE
    queued = get_broker(cluster).queue_size()
    pause = max(lease_time(), now - work.since) if queued else lease_time() / 2
    if not cache.add(f"exoweb:requeued:{work.run_id}:{work.product_id}", 1, pause.total_seconds()) and not at_once:
        return 0
    busy = Step.objects.filter(status=Status.RUNNING, lease_until__gt=now).exists()
    if queued and cluster == BACKFILL and not busy and not at_once:
        # Tasks wait without an active worker: no backfill cluster is up, so the one that runs this takes it.
        cluster = ONLINE
        message = f"No active backfill workers: {product} of run {run.pk} is enqueued for the online ones."
        event_log.record("worker", message, level="warning", run=run, product=product)
    else:
        since = f"since {work.since:%H:%M:%S} UTC"
        if at_once:
            reason = "workers were restarted"
        elif busy:
            reason = f"waiting {since} while workers compute other products"
        else:
            reason = f"waiting {since} without an active worker"
        level = "info" if at_once or busy else "warning"
        event_log.record("run", f"{product}: {reason}; requeued.", level=level, run=run, product=product)
    return enqueue(run, product=product, cluster=cluster)
