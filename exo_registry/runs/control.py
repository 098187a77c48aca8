"""What an operator does to a run once it stands, and the reconciler that mends what went wrong unseen."""

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone
from django_q.brokers import get_broker

from exo_registry import events
from exo_registry.models import Run, Status, Step
from exo_registry.models.run import ACTIVE

from . import tasks
from .lease import ATTEMPT_LIMIT
from .plan import raise_if_active
from .retry import when_locked

UNATTENDED = dt.timedelta(seconds=60)


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

    Frees steps whose lease has run out (failing those tried too often), ends cancelled and finished runs, and
    rings again for runs that nobody attends to. Returns a line for the task list.
    """
    now = now or timezone.now()
    freed, failed = _expired_leases(now)
    active = list(Run.objects.filter(status__in=ACTIVE))
    for run in active:
        if run.cancel_requested:
            _cancel_waiting(run)
    closed = sum(tasks.close_if_ended(run) for run in active)
    rung = sum(_ring_again(run, now) for run in _unattended(now))
    return f"{freed} freed, {failed} failed, {closed} closed, {rung} rung again"


def _expired_leases(now: dt.datetime) -> tuple[int, int]:
    expired = Step.objects.filter(status=Status.RUNNING, lease_until__lt=now).select_related("run", "series", "product")
    freed = failed = 0
    for step in expired:
        # The token in the condition: a worker that renews its lease in this very moment keeps it.
        held = Step.objects.filter(pk=step.pk, status=Status.RUNNING, lease_token=step.lease_token, lease_until__lt=now)
        silent = f"{step.series.name}: worker {step.worker} has not been heard of since {step.lease_until:%H:%M:%S} UTC"
        gone = {"lease_token": None, "lease_until": None}
        if step.run.cancel_requested:
            held.update(status=Status.CANCELLED, finished=now, **gone)
        elif step.attempt >= ATTEMPT_LIMIT:
            error = (
                f"Its worker was lost {step.attempt} times, last {step.worker}: see the worker's own log, then retry."
            )
            if held.update(status=Status.FAILED, finished=now, error=error, **gone):
                events.record("step", f"{silent}; given up after {step.attempt} attempts.", level="error", step=step)
                failed += 1
        elif held.update(status=Status.WAITING, **gone):
            events.record("step", f"{silent}; to be computed again.", level="warning", step=step)
            tasks.enqueue(step.run, product=step.product)
            freed += 1
    return freed, failed


def _unattended(now: dt.datetime) -> list[Run]:
    """Runs with work waiting on which nobody has been at work for a while."""
    steps = Step.objects.filter(run=OuterRef("pk"))
    runs = Run.objects.filter(
        Exists(steps.filter(status=Status.WAITING)),
        ~Exists(steps.filter(status=Status.RUNNING)),
        status__in=ACTIVE,
        created__lt=now - UNATTENDED,
        cancel_requested=False,
    ).annotate(last_end=Max("steps__finished"))
    return [run for run in runs if run.last_end is None or run.last_end < now - UNATTENDED]


def _ring_again(run: Run, now: dt.datetime) -> int:
    """Ring for an unattended run: at its own cluster if its task was lost, at the other if none answers there."""
    cluster = tasks.BACKFILL if run.kind != Run.Kind.ONLINE else tasks.ONLINE
    if get_broker(cluster).queue_size() == 0:
        tasks.enqueue(run)
        return 1
    busy = Step.objects.filter(status=Status.RUNNING, lease_until__gt=now).exists()
    if cluster == tasks.BACKFILL and not busy:
        # Tasks wait and nobody works: no backfill cluster is up, so the one that runs this takes it.
        tasks.enqueue(run, cluster=tasks.ONLINE)
        events.record(
            "worker", f"No backfill worker answers: run {run.pk} goes to the online ones.", level="warning", run=run
        )
        return 1
    return 0
