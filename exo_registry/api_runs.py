"""Runs over HTTP, under /api/v1/runs/: plan, start, look, cancel, resume, retry.

    POST   /api/v1/runs/            {"products": ["ES"], "start": "2015-01-02", "mode": "stale", "dry_run": true}
    GET    /api/v1/runs/            the latest runs; ?status=running, ?limit=20
    GET    /api/v1/runs/7/          one with its steps
    DELETE /api/v1/runs/7/          cancel it, as POST /api/v1/runs/7/cancel/ does
    POST   /api/v1/runs/7/resume/   compute what a cancelled run had left
    POST   /api/v1/runs/7/retry/    compute again what failed

Reading takes a token with the scope `read` or a log-in; the rest the scope `runs`, or a log-in with the permissions
start_run (to start) and cancel_run (the rest). Every error says what to do, under `error`.
"""

import functools
import json
from collections.abc import Callable
from typing import Literal

import pydantic
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt

from exo_registry.api_auth import Denied, authorise
from exo_registry.models import Definition, Product, Run, Scope, Series, Status, Step
from exo_registry.runs import control, plan, tasks
from exo_registry.runs.counts import runs_with_counts

MOST_LISTED = 500
CANCEL = "exo_registry.cancel_run"


class Problem(Exception):
    """A request that is refused; becomes a JSON answer."""

    def __init__(self, message: str, status: int = 400, **more: object) -> None:
        super().__init__(message)
        self.status, self.more = status, more

    def response(self) -> JsonResponse:
        return JsonResponse({"error": str(self), **self.more}, status=self.status)


class Wanted(pydantic.BaseModel):
    """What a run is asked for. Names that are not given mean all of them; `start` as `runexo -B` takes it."""

    model_config = pydantic.ConfigDict(extra="forbid")
    products: list[str] | None = None
    exos: list[str] | None = None
    series: list[str] | None = None
    start: pydantic.PastDate | None = None
    until: pydantic.PastDate | None = None
    mode: Literal["missing", "stale", "reset"] = "missing"
    dry_run: bool = False

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Wanted":
        if self.start and self.until and self.until < self.start:
            raise ValueError(f"until {self.until} is before start {self.start}: swap them")
        return self


def endpoint(*methods: str) -> Callable[[Callable], Callable]:
    """A view of the API for some methods: who may, and every refusal as JSON."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_not_required
        @csrf_exempt  # a session's request is checked in `authorise`
        @functools.wraps(view)
        def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            try:
                if request.method not in methods:
                    raise Problem(f"{request.method} means nothing here; there is {', '.join(methods)}.", 405)
                reading = request.method in ("GET", "HEAD")
                authorise(request, Scope.READ if reading else Scope.RUNS)
                response = view(request, *args, **kwargs)
            except (Denied, Problem) as refusal:
                response = refusal.response()
                if response.status_code == 405:
                    response["Allow"] = ", ".join(methods)
            patch_cache_control(response, private=True, no_cache=True)
            return response

        return wrapped

    return decorate


@endpoint("GET", "HEAD", "POST")
def runs(request: HttpRequest) -> HttpResponse:
    """The latest runs, or a new one."""
    return start(request) if request.method == "POST" else listed(request)


def listed(request: HttpRequest) -> HttpResponse:
    found = runs_with_counts()
    if unknown := set(request.GET) - {"status", "limit"}:
        raise Problem(f"Unknown parameter {sorted(unknown)[0]!r}; known here: status, limit.")
    if status := request.GET.get("status"):
        if status not in Status.values:
            raise Problem(f"status={status!r} is not one of {', '.join(Status.values)}.", parameter="status")
        found = found.filter(status=status)
    limit = request.GET.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= MOST_LISTED:
        raise Problem(f"limit={limit!r} is not a number from 1 to {MOST_LISTED}.", parameter="limit")
    return JsonResponse({"runs": [summary(one) for one in found[: int(limit)]]})


def start(request: HttpRequest) -> HttpResponse:
    """201 and the run; 200 and the plan for a dry run, or why there is nothing to do; 409 if a series is taken."""
    wanted = _body(request)
    planned = plan.make_plan(
        products=_named(Product, "exchangesymbol", wanted.products, "product"),
        exos=_named(Definition, "name", wanted.exos, "EXO definition"),
        series=_named(Series, "name", wanted.series, "series"),
        start=wanted.start,
        until=wanted.until,
        mode=wanted.mode,
    )
    if wanted.dry_run:
        return JsonResponse({"plan": described(planned)})
    try:
        run = plan.start(planned, user=request.user, source=Run.Source.API)
    except plan.AlreadyActive as error:
        raise _taken(error) from None
    except plan.NothingToDo as error:
        return JsonResponse({"run": None, "message": str(error), "problems": planned.problems})
    tasks.enqueue(run)
    body = {"run": _one(run.pk), "problems": planned.problems}
    return JsonResponse(body, status=201, headers={"Location": f"{request.path}{run.pk}/"})


@endpoint("GET", "HEAD", "DELETE")
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run with its steps; DELETE cancels it."""
    return _cancel(request, pk) if request.method == "DELETE" else JsonResponse({"run": _one(pk)})


@endpoint("POST")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the workers to stop: waiting steps at once, running ones within a second or two. Twice does no harm."""
    return _cancel(request, pk)


@endpoint("POST")
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Compute what a cancelled run had left."""
    return _again(request, pk, control.resume)


@endpoint("POST")
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Compute again what failed, and what was skipped because of it."""
    return _again(request, pk, control.retry_failed)


def _cancel(request: HttpRequest, pk: int) -> HttpResponse:
    one = _may_change(request, pk)
    control.cancel(one, user=request.user)
    return JsonResponse({"run": _one(pk)})


def _again(request: HttpRequest, pk: int, work: Callable[..., int]) -> HttpResponse:
    one = _may_change(request, pk)
    try:
        count = work(one, user=request.user)
    except plan.AlreadyActive as error:
        raise _taken(error) from None
    return JsonResponse({"run": _one(pk), "steps": count})


def _may_change(request: HttpRequest, pk: int) -> Run:
    if not request.user.has_perm(CANCEL):
        raise Problem(f"{request.user} lacks the permission {CANCEL}: ask an administrator for it.", 403)
    return _find(Run.objects.all(), pk)


def _taken(error: plan.AlreadyActive) -> Problem:
    return Problem(str(error), 409, run=error.run.pk, url=error.run.get_absolute_url())


def _body(request: HttpRequest) -> Wanted:
    try:
        sent = json.loads(request.body or b"{}")
    except (ValueError, RequestDataTooBig):
        sent = None
    if not isinstance(sent, dict):
        raise Problem('The body is not a JSON object: send one such as {"products": ["ES"]}.')
    try:
        return Wanted.model_validate(sent)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        hint = f"; known are {', '.join(Wanted.model_fields)}" if first["type"] == "extra_forbidden" else ""
        words = first["msg"].removeprefix("Value error, ")
        raise Problem(f"{name}: {words}{hint}." if name else f"{words}.", parameter=name) from None


def _named(model: type[Model], field: str, names: list[str] | None, what: str) -> list[Model] | None:
    """The rows with some names; None for no names given. Refuses unknown names, and an empty list as unclear."""
    if names is None:
        return None
    if not names:
        raise Problem(f"An empty list of names: leave it out for every {what}.")
    found = list(model.objects.filter(**{f"{field}__in": names}))
    if unknown := sorted(set(names) - {getattr(one, field) for one in found}):
        raise Problem(f"There is no {what} {unknown[0]!r}.", 404)
    return found


def _find(found, pk: int) -> Run:
    one = found.filter(pk=pk).first()
    if one is None:
        raise Problem(f"There is no run {pk}.", 404)
    return one


def _one(pk: int) -> dict[str, object]:
    found = _find(runs_with_counts(), pk)
    steps = found.steps.select_related("series", "product").defer("series__state", "series__sparkline")
    return summary(found) | {"steps": [_step(one) for one in steps]}


def summary(run: Run) -> dict[str, object]:
    """A run in JSON; times in ISO with offset."""
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
        "series": {"total": run.steps_total, "ended": run.steps_ended, "failed": run.steps_failed},
        "sessions": {"total": run.sessions_total, "done": run.sessions_done},
    }


def _step(step: Step) -> dict[str, object]:
    return {
        "series": step.series.name,
        "product": step.product.exchangesymbol,
        "status": step.status,
        "why": step.reason,
        "sessions": {"total": step.sessions_total, "done": step.sessions_done},
        "gaps": step.gaps,
        "rows_written": step.rows_written,
        "attempt": step.attempt,
        "error": step.error or None,
    }


def described(planned: plan.Plan) -> dict[str, object]:
    """A plan in JSON: the very one that a run would be made of."""
    return {
        "mode": planned.mode,
        "series": len(planned.work),
        "sessions": planned.total_sessions,
        "problems": planned.problems,
        "items": [
            {
                "series": item.series.name,
                "action": item.action,
                "sessions": item.sessions,
                "first": item.first,
                "last": item.last,
                "why": item.reason,
            }
            for item in planned.items
        ],
    }


urlpatterns = [
    path("", runs, name="runs"),
    path("<int:pk>/", run, name="run"),
    path("<int:pk>/cancel/", cancel, name="run-cancel"),
    path("<int:pk>/resume/", resume, name="run-resume"),
    path("<int:pk>/retry/", retry, name="run-retry"),
]
