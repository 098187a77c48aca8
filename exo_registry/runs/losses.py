"""What becomes of a step whose worker is gone without a word: it waits for another, or is given up.

A worker that is killed is not the step's fault, unless the same step kills one after another. So a loss is held
against a step only if no other step lost its worker at about the same time, and no cluster went down: machines are
restarted and run out of memory for reasons of their own. A step is given up after `settings.STEP_FAULTS` losses held
against it, or after `settings.STEP_ATTEMPTS` in all, which ends even what is lost again and again in bad company.
"""

import datetime as dt

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from exo_registry import events
from exo_registry.models import Event, Status, Step

from .lease import lease_time


def is_lapsed(step: Step, now: dt.datetime) -> bool:
    """Whether a step's worker has been silent for a whole lease."""
    return step.status == Status.RUNNING and step.lease_until is not None and step.lease_until < now


def lapsed(step: Step, now: dt.datetime) -> str | None:
    """Take a step from a worker that has been silent for a lease; as `settle`."""
    why = f"worker {step.worker} has not been heard of since {step.lease_until - lease_time():%H:%M:%S} UTC"
    return settle(step, why, now=now, lease_until__lt=now)


def settle(
    step: Step, why: str, *, now: dt.datetime | None = None, fault: bool | None = None, **held: object
) -> str | None:
    """Take a running step from its lost worker; returns its new status, or None if it is not that worker's any more.

    `why` follows the series' name in the log. `fault`: whether it is held against the step (None: as told above).
    `held`: more that must be true of the row at the moment of writing.
    """
    now = now or timezone.now()
    if fault is None:
        fault = _is_alone(step, now)
    faults = step.faults + fault
    fields: dict[str, object] = {"lease_token": None, "lease_until": None, "lost": now, "faults": faults}
    if step.run.cancel_requested:
        fields |= {"status": Status.CANCELLED, "finished": now}
        level, words = "warning", "the run is cancelled"
    elif faults >= settings.STEP_FAULTS or step.attempt >= settings.STEP_ATTEMPTS:
        lost = f"{faults} times running" if faults >= settings.STEP_FAULTS else f"in {step.attempt} attempts"
        error = f"Its worker was lost {lost}, last {step.worker}: see the worker's own log, then retry."
        fields |= {"status": Status.FAILED, "finished": now, "error": error}
        level, words = "error", f"given up after {step.attempt} attempt{'' if step.attempt == 1 else 's'}"
    else:
        fields |= {"status": Status.WAITING}
        level, words = "warning", "to be computed again"
    # The token in the condition: whoever has the step by now keeps it.
    row = Step.objects.filter(pk=step.pk, status=Status.RUNNING, lease_token=step.lease_token, **held)
    if not row.update(**fields):
        return None
    step.refresh_from_db()
    events.record("step", f"{step.series.name}: {why}; {words}.", level=level, step=step)
    return step.status


def _is_alone(step: Step, now: dt.datetime) -> bool:
    """Whether nothing else was lost lately: no other step's worker, and no cluster."""
    since = now - 2 * lease_time()
    others = Step.objects.filter(lost__gt=since).exclude(pk=step.pk)
    return not others.exists() and not Event.objects.filter(kind="worker", time__gt=since).exists()


def acquit(step: Step) -> None:
    """The worker that was taken for lost has spoken: that loss was not the step's fault."""
    Step.objects.filter(pk=step.pk, faults__gt=0).update(faults=F("faults") - 1)
