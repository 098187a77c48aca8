"""A step's lease: the right of one worker to compute it, until the step ends, is released, or the lease expires.

A step is claimed by one conditional UPDATE, and every later write is guarded by the claim's token: a worker whose lease
is gone, or whose task was delivered twice, can write nothing.

A step whose worker is gone is orphaned: it waits for another worker, or fails. A worker that is killed is not the
step's fault, unless the same step kills one after another. So an orphaned step is at fault only if no other step was
orphaned at about the same time, and no cluster went down: machines are restarted and run out of memory for reasons of
their own. A step fails after `settings.STEP_FAULTS` faults, or after `settings.STEP_ATTEMPTS` attempts in all, which
ends even one that is orphaned again and again together with others.
"""

import datetime as dt
import os
import socket
import time
import uuid

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from exo_registry.formats.text import counted
from exo_registry.models import Event, Run, Status, Step, event_log

SECONDS_BETWEEN_RENEWALS = 1.0


class LeaseGone(Exception):
    """The step is another worker's by now: stop, and write nothing."""


class Cancelled(Exception):
    """The run was cancelled: stop, and keep what was stored before."""


def lease_time() -> dt.timedelta:
    """How long a worker may be silent before its step is freed for another."""
    return dt.timedelta(seconds=settings.STEP_LEASE)


class Lease:
    """The right to compute one step."""

    def __init__(self, step: Step, token: uuid.UUID) -> None:
        self.step = step
        self.token = token
        self._renewed = time.monotonic()

    def write(self, **fields: object) -> None:
        """Write to the step if the lease still holds. Raises LeaseGone if it does not."""
        row = Step.objects.filter(pk=self.step.pk, lease_token=self.token, status=Status.RUNNING)
        if not row.update(**fields):
            raise LeaseGone(f"step {self.step.pk} is no longer held by this worker")

    def renew(self, **fields: object) -> None:
        """Prolong the lease, write progress, and raise Cancelled if that was asked for."""
        self.write(lease_until=timezone.now() + lease_time(), **fields)
        self._renewed = time.monotonic()
        if Run.objects.filter(pk=self.step.run_id, cancel_requested=True).exists():
            raise Cancelled

    def progress(self, done: int, total: int) -> None:
        """Called between sessions: renews about once a second."""
        if time.monotonic() - self._renewed >= SECONDS_BETWEEN_RENEWALS:
            self.renew(sessions_done=done, sessions_total=total)

    def end(self, status: str, **fields: object) -> None:
        """Leave the step in its final state."""
        self.write(status=status, finished=timezone.now(), lease_token=None, lease_until=None, **fields)

    def release(self) -> None:
        """Leave the step waiting for another worker; the attempt does not count."""
        self.write(status=Status.WAITING, lease_token=None, lease_until=None, attempt=F("attempt") - 1)


def claim(step: Step) -> Lease | None:
    """Take a step that waits; None if it cannot be had.

    The condition names the step's own columns only, so that the database checks it again on the row it locks.
    """
    now, token = timezone.now(), uuid.uuid4()
    claimed = {
        "status": Status.RUNNING,
        "lease_token": token,
        "lease_until": now + lease_time(),
        "attempt": F("attempt") + 1,
        "worker": worker_name(),
        "started": now,
        "finished": None,
        "sessions_done": 0,
        "error": "",
    }
    if not Step.objects.filter(pk=step.pk, status=Status.WAITING).update(**claimed):
        return None
    Run.objects.filter(pk=step.run_id, status=Status.WAITING).update(status=Status.RUNNING)
    Run.objects.filter(pk=step.run_id, started=None).update(started=now)
    step.refresh_from_db(fields=claimed)  # and keep the run, series and product that came with it
    if step.attempt > 1:
        message = f"{step.series.name}: attempt {step.attempt}, by {step.worker}."
        event_log.record("step", message, level="warning", step=step)
    return Lease(step, token)


def worker_name() -> str:
    """Host and process, as an operator would look for it."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def expire(step: Step, now: dt.datetime) -> str | None:
    """Take a step from its worker if the lease has expired; as `free`, and None if it has not."""
    if step.status != Status.RUNNING or step.lease_until is None or step.lease_until >= now:
        return None
    reason = f"worker {step.worker} has not been heard of since {step.lease_until - lease_time():%H:%M:%S} UTC"
    return free(step, reason, now=now, lease_until__lt=now)


def free(
    step: Step,
    reason: str,
    *,
    now: dt.datetime | None = None,
    fault: bool | None = None,
    error: str = "",
    **condition: object,
) -> str | None:
    """Take an orphaned step from its worker; its new status, or None if it is not that worker's any more.

    `reason` follows the series' name in the log. `fault`: whether it is the step's own (None: by the rule above).
    `error`: what to say of a step that fails (empty: that its worker died). `condition`: what else must be true of
    the row at the moment of writing.
    """
    now = now or timezone.now()
    if fault is None:
        fault = _is_alone(step, now)
    faults = step.faults + fault
    fields: dict[str, object] = {"lease_token": None, "lease_until": None, "orphaned_at": now, "faults": faults}
    attempts = counted(step.attempt, "attempt")
    if step.run.cancel_requested:
        fields |= {"status": Status.CANCELLED, "finished": now}
        level, outcome = "warning", "the run is cancelled"
    elif faults >= settings.STEP_FAULTS or step.attempt >= settings.STEP_ATTEMPTS:
        how_often = f"{faults} times running" if faults >= settings.STEP_FAULTS else f"in {attempts}"
        error = error or f"Its worker died {how_often}, last {step.worker}: see the worker's own log, then retry."
        fields |= {"status": Status.FAILED, "finished": now, "error": error}
        level, outcome = "error", f"given up after {attempts}"
    else:
        fields |= {"status": Status.WAITING}
        level, outcome = "warning", "to be computed again"
    # The token in the condition: whoever has the step by now keeps it.
    row = Step.objects.filter(pk=step.pk, status=Status.RUNNING, lease_token=step.lease_token, **condition)
    if not row.update(**fields):
        return None
    step.refresh_from_db()
    event_log.record("step", f"{step.series.name}: {reason}; {outcome}.", level=level, step=step)
    return step.status


def _is_alone(step: Step, now: dt.datetime) -> bool:
    """Whether nothing else was orphaned lately: no other step, and no cluster went down."""
    since = now - 2 * lease_time()
    others = Step.objects.filter(orphaned_at__gt=since).exclude(pk=step.pk)
    return not others.exists() and not Event.objects.filter(kind="worker", time__gt=since).exists()


def take_back_fault(step: Step) -> None:
    """The worker that was thought gone is alive: that was not the step's fault."""
    Step.objects.filter(pk=step.pk, faults__gt=0).update(faults=F("faults") - 1)
