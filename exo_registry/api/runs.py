"""Runs over HTTP, under /api/v1/runs/: plan, start, look, cancel, resume, retry.

Reading takes a token with the scope `read` or a log-in; the rest the scope `runs`, or a log-in with the permissions
start_run (to start) and cancel_run (the rest).
"""

from collections.abc import Callable

import pydantic
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path

from exo_registry.models import Definition, Product, Run, Scope, Series, Step
from exo_registry.runs import control, plan
from exo_registry.runs import request as requests

from .endpoint import Answer, Body, Endpoint, answer, json_body, operation
from .problem import Problem
from .schemas import (
    DryRun,
    NothingStarted,
    OneRun,
    PlannedItem,
    PlannedRun,
    RequeuedRun,
    RunId,
    RunPage,
    RunRequest,
    RunsQuery,
    RunStep,
    RunSummary,
    RunWithSteps,
    SessionCounts,
    StartedRun,
    StepCounts,
)

MOST_BYTES = 1_000_000
CANCEL = "exo_registry.cancel_run"
NO_RUN = {404: "There is no such run."}
TAKEN = {409: "Another run computes one of the series already; `run` is its number."}


@operation(answers={200: Answer(RunPage)})
def list_runs(request: HttpRequest, query: RunsQuery) -> HttpResponse:
    """List the latest runs, newest first"""
    runs = Run.objects.with_counts()
    if query.status:
        runs = runs.filter(status=query.status)
    return answer(RunPage(runs=[RunSummary(**_summary(run)) for run in runs[: query.limit]]))


def read_request(request: HttpRequest) -> RunRequest:
    """What a run is asked for, of a request's body. Raises Problem."""
    too_large = f"A request for a run has at most {MOST_BYTES:,} bytes: name less, or leave names out for all of them."
    sent = json_body(request, most_bytes=MOST_BYTES, too_large=too_large, empty=b"{}")
    if not isinstance(sent, dict):
        raise Problem('The body is not a JSON object: send one such as {"products": ["ES"]}.')
    try:
        return RunRequest.model_validate(sent)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        hint = f"; known are {', '.join(RunRequest.model_fields)}" if first["type"] == "extra_forbidden" else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise Problem(f"{name}: {reason}{hint}." if name else f"{reason}.", parameter=name) from None


@operation(
    Scope.RUNS,
    body=Body(RunRequest, read_request, required=False),
    answers={
        200: Answer(DryRun | NothingStarted, "The plan of a dry run; or why there is nothing to compute."),
        201: Answer(StartedRun, "The run was started.", headers={"Location": "The address of the run."}),
    },
    problems={404: "There is no product, EXO definition or series of a name.", **TAKEN, 413: "The body is too large."},
)
def start_run(request: HttpRequest, body: RunRequest) -> HttpResponse:
    """Plan a run, and start it

    An empty body means every series in calculation.
    """
    try:
        asked = requests.RunRequest(
            products=_named(Product, "exchangesymbol", body.products, "product"),
            definitions=_named(Definition, "name", body.definitions, "EXO definition"),
            series=_named(Series, "name", body.series, "series"),
            start=body.start,
            until=body.until,
            mode=body.mode,
        )
        if body.dry_run:
            return answer(DryRun(plan=described(asked.plan())))
        run, planned = requests.request_run(asked, user=request.user, source=Run.Source.API)
    except requests.RequestError as error:
        raise Problem(f"{error.field}: {error}", parameter=error.field) from None
    except plan.AlreadyActive as error:
        raise _taken(error) from None
    except plan.NothingToDo as error:
        return answer(NothingStarted(run=None, message=str(error), problems=error.plan.problems))
    started = StartedRun(run=_with_steps(run.pk), problems=planned.problems)
    return answer(started, status=201, headers={"Location": f"{request.path}{run.pk}/"})


@operation(answers={200: Answer(OneRun)}, problems=NO_RUN)
def read_run(request: HttpRequest, pk: RunId) -> HttpResponse:
    """Read one run with its steps"""
    return answer(OneRun(run=_with_steps(pk)))


@operation(Scope.RUNS, answers={200: Answer(OneRun)}, problems=NO_RUN)
def cancel(request: HttpRequest, pk: RunId) -> HttpResponse:
    """Cancel a run

    Waiting steps end at once, running ones within a second or two. Twice does no harm.
    """
    control.cancel(_may_change(request, pk), user=request.user)
    return answer(OneRun(run=_with_steps(pk)))


@operation(Scope.RUNS, answers={200: Answer(RequeuedRun)}, problems=NO_RUN | TAKEN)
def resume(request: HttpRequest, pk: RunId) -> HttpResponse:
    """Compute what a cancelled run had left"""
    return _requeue(request, pk, control.resume)


@operation(Scope.RUNS, answers={200: Answer(RequeuedRun)}, problems=NO_RUN | TAKEN)
def retry(request: HttpRequest, pk: RunId) -> HttpResponse:
    """Compute again what failed, and what was skipped because of it"""
    return _requeue(request, pk, control.retry_failed)


def _requeue(request: HttpRequest, pk: int, requeue: Callable[..., int]) -> HttpResponse:
    run = _may_change(request, pk)
    try:
        count = requeue(run, user=request.user)
    except plan.AlreadyActive as error:
        raise _taken(error) from None
    return answer(RequeuedRun(run=_with_steps(pk), steps=count))


def _may_change(request: HttpRequest, pk: int) -> Run:
    if not request.user.has_perm(CANCEL):
        raise Problem(f"{request.user} lacks the permission {CANCEL}: ask an administrator for it.", 403)
    return _find(Run.objects.all(), pk)


def _taken(error: plan.AlreadyActive) -> Problem:
    return Problem(str(error), 409, run=error.run.pk, url=error.run.get_absolute_url())


def _named(model: type[Model], field: str, names: list[str] | None, what: str) -> list[Model] | None:
    """The rows with some names; None for no names given. Refuses unknown names, and an empty list as unclear."""
    if names is None:
        return None
    if not names:
        raise Problem(f"An empty list of names: leave it out for every {what}.")
    rows = list(model.objects.filter(**{f"{field}__in": names}))
    if unknown := sorted(set(names) - {getattr(row, field) for row in rows}):
        raise Problem(f"There is no {what} {unknown[0]!r}.", 404)
    return rows


def _find(runs: QuerySet[Run], pk: int) -> Run:
    run = runs.filter(pk=pk).first()
    if run is None:
        raise Problem(f"There is no run {pk}.", 404)
    return run


def _with_steps(pk: int) -> RunWithSteps:
    run = _find(Run.objects.with_counts(), pk)
    steps = run.steps.select_related("series", "product").defer("series__state", "series__sparkline")
    return RunWithSteps(**_summary(run), steps=[_step(step) for step in steps])


def _summary(run: Run) -> dict[str, object]:
    """The fields of a RunSummary."""
    return {
        "id": run.pk,
        "url": run.get_absolute_url(),
        "status": run.status,
        "cancelling": run.cancel_requested and run.is_active,
        "kind": run.kind,
        "mode": run.mode,
        "source": run.source,
        "user": str(run.user) if run.user else None,
        "start": run.start,
        "until": run.until,
        "created": run.created,
        "started": run.started,
        "finished": run.finished,
        "series": StepCounts(total=run.steps_total, ended=run.steps_ended, failed=run.steps_failed),
        "sessions": SessionCounts(total=run.sessions_total, done=run.sessions_done),
    }


def _step(step: Step) -> RunStep:
    return RunStep(
        series=step.series.name,
        product=step.product.exchangesymbol,
        status=step.status,
        why=step.reason,
        sessions=SessionCounts(total=step.sessions_total, done=step.sessions_done),
        gaps=step.gaps,
        rows_written=step.rows_written,
        attempt=step.attempt,
        error=step.error or None,
    )


def described(planned: plan.Plan) -> PlannedRun:
    """The very plan that a run would be made of."""
    items = [
        PlannedItem(
            series=item.series.name,
            action=item.action,
            sessions=item.sessions,
            first=item.first,
            last=item.last,
            why=item.reason,
        )
        for item in planned.items
    ]
    return PlannedRun(
        mode=planned.mode,
        series=len(planned.work),
        sessions=planned.total_sessions,
        problems=planned.problems,
        items=items,
    )


urlpatterns = [
    path("", Endpoint(get=list_runs, post=start_run), name="runs"),
    path("<int:pk>/", Endpoint(get=read_run, delete=cancel), name="run"),
    path("<int:pk>/cancel/", Endpoint(post=cancel), name="run-cancel"),
    path("<int:pk>/resume/", Endpoint(post=resume), name="run-resume"),
    path("<int:pk>/retry/", Endpoint(post=retry), name="run-retry"),
]
