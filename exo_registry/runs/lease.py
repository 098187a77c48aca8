"""Who works on a step: claimed by one conditional UPDATE, and every later write guarded by the claim's token.

A worker that was taken for dead, or a task delivered twice, finds its token gone and can write nothing.
"""

import datetime as dt
import os
import socket
import time
import uuid

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from exo_registry import events
from exo_registry.models import Run, Status, Step

SECONDS_BETWEEN_BEATS = 1.0


class LostLease(Exception):
    """The step was given to another worker: stop, and write nothing."""


class Cancelled(Exception):
    """The run was cancelled: stop, and keep what was stored before."""


def lease_time() -> dt.timedelta:
    """How long a worker may be silent before its step is given to another."""
    return dt.timedelta(seconds=settings.STEP_LEASE)


class Lease:
    """The right to compute one step, until it lapses or is given back."""

    def __init__(self, step: Step, token: uuid.UUID) -> None:
        self.step = step
        self.token = token
        self._last_beat = time.monotonic()

    def write(self, **fields: object) -> None:
        """Write to the step if it is still held. Raises LostLease if it is not."""
        held = Step.objects.filter(pk=self.step.pk, lease_token=self.token, status=Status.RUNNING)
        if not held.update(**fields):
            raise LostLease(f"step {self.step.pk} is no longer held by this worker")

    def beat(self, **fields: object) -> None:
        """Renew the lease, write progress, and raise Cancelled if that was asked for."""
        self.write(lease_until=timezone.now() + lease_time(), **fields)
        self._last_beat = time.monotonic()
        if Run.objects.filter(pk=self.step.run_id, cancel_requested=True).exists():
            raise Cancelled

    def progress(self, done: int, total: int) -> None:
        """Called between sessions: beats about once a second."""
        if time.monotonic() - self._last_beat >= SECONDS_BETWEEN_BEATS:
            self.beat(sessions_done=done, sessions_total=total)

    def end(self, status: str, **fields: object) -> None:
        """Give the step back in its final state."""
        self.write(status=status, finished=timezone.now(), lease_token=None, lease_until=None, **fields)

    def release(self) -> None:
        """Give the step back uncomputed, for another worker; the attempt does not count."""
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
        words = f"{step.series.name}: attempt {step.attempt}, by {step.worker}."
        events.record("step", words, level="warning", step=step)
    return Lease(step, token)


def worker_name() -> str:
    """Host and process, as an operator would look for it."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]
