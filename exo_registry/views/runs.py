"""Runs: the list, one run live, starting, cancelling and retrying."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exo_registry.models import Run, Status, Step
from exo_registry.runs import control, plan
from exo_registry.runs.request import RunRequest, request_run
from exo_registry.web.backfill_form import BackfillForm

SHOWN = 200


@dataclass(frozen=True)
class Pace:
    """How fast a run goes. `rate` is in sessions a second; None where it is not known yet."""

    elapsed: dt.timedelta | None
    rate: float | None
    left: dt.timedelta | None

    @classmethod
    def of(cls, run: Run, now: dt.datetime | None = None) -> "Pace":
        if run.started is None:
            return cls(None, None, None)
        elapsed = (run.finished or now or timezone.now()) - run.started
        seconds = elapsed.total_seconds()
        rate = run.sessions_timed / seconds if seconds > 0 and run.sessions_timed else None
        todo = run.sessions_total - run.sessions_done
        left = dt.timedelta(seconds=todo / rate) if rate and run.is_active and todo > 0 else None
        return cls(elapsed, rate, left)


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """The latest runs, newest first."""
    runs = list(Run.objects.with_counts()[:SHOWN])
    return render(request, "runs.html", {"runs": [(run, Pace.of(run)) for run in runs], "limit": SHOWN})


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: progress by step, its log, and what can be done about it."""
    return render(request, "run.html", live(request, pk))


@require_safe
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """What has moved since the log line ?after=: the fragment that the run page polls while the run is active."""
    return render(request, "parts/run_progress.html", live(request, pk) | {"polled": True})


def live(request: HttpRequest, pk: int) -> dict[str, object]:
    after = request.GET.get("after", "")
    run = get_object_or_404(Run.objects.with_counts(), pk=pk)
    events = list(run.events.filter(pk__gt=int(after) if after.isdecimal() else 0).order_by("pk"))
    steps = list(run.steps.select_related("series", "product").defer("series__state", "series__sparkline"))
    return {
        "run": run,
        "pace": Pace.of(run),
        "steps": steps,
        "events": events,
        "last_event": events[-1].pk if events else after or 0,
        "failed": run.steps_failed,
        "left": _left(steps, Status.CANCELLED) if run.status == Status.CANCELLED else None,
        "again": _left(steps, Status.FAILED, Status.SKIPPED) if run.steps_failed and not run.is_active else None,
    }


def _left(steps: list[Step], *statuses: str) -> dict[str, int]:
    """What computing the steps of some statuses again would take."""
    chosen = [step for step in steps if step.status in statuses]
    return {"series": len(chosen), "sessions": sum(step.sessions_total for step in chosen)}


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("exo_registry.start_run", raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    """Ask for a backfill: what, from when, until when; the plan; then start it."""
    form = BackfillForm(request.POST or request.GET)
    valid = form.is_valid()
    if request.method == "POST" and valid and (started := start(request, form.asked)):
        return redirect(started)
    planned = form.asked.plan() if valid else None
    template = "parts/plan.html" if request.htmx else "run_new.html"
    return render(request, template, {"form": form, "plan": planned})


def start(request: HttpRequest, asked: RunRequest) -> Run | None:
    """The run, stored and queued; or None and a message that says why not."""
    try:
        started, _ = request_run(asked, user=request.user, source=Run.Source.PAGE)
    except plan.AlreadyActive as error:
        messages.error(request, already_active(error))
        return None
    except plan.NothingToDo as error:
        messages.warning(request, str(error))
        return None
    return started


@require_POST
@permission_required("exo_registry.cancel_run", raise_exception=True)
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the workers to stop; what is stored stays."""
    run = get_object_or_404(Run, pk=pk)
    control.cancel(run, user=request.user)
    return redirect(run)


@require_POST
@permission_required("exo_registry.cancel_run", raise_exception=True)
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue again what a cancelled run had left, and only that."""
    return _again(request, pk, control.resume)


@require_POST
@permission_required("exo_registry.cancel_run", raise_exception=True)
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue again what failed and what was skipped for it, and only that."""
    return _again(request, pk, control.retry_failed)


def _again(request: HttpRequest, pk: int, work: Callable[..., int]) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    try:
        if not work(run, user=request.user):
            messages.warning(request, "Nothing of this run is left to compute.")
    except plan.AlreadyActive as error:
        messages.error(request, already_active(error))
    return redirect(run)


def already_active(error: plan.AlreadyActive) -> str:
    return format_html('{} <a href="{}">Open run {}</a>', error, error.run.get_absolute_url(), error.run.pk)
