"""The read API under /api/v1/: series, their points and trades as JSON, CSV or Parquet, their position as JSON.

`pandas.read_csv("…/api/v1/series/ES_ContFut.csv?from=2020-01-01&columns=date,exo", storage_options={"Authorization":
"Bearer exo_…"})` works as it is. A browser's session will do, too.
Answers carry an ETag and Last-Modified of the series' last computation, so a repeated request costs a 304.
"""

import datetime as dt
import functools
import io
import math
from collections.abc import Callable, Iterable

import pandas as pd
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path, re_path, reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from algorithms.engine.analytics import WhatIf
from exo_registry import series_data
from exo_registry.api_auth import authorised
from exo_registry.models import Scope, Series
from exo_registry.position import PositionError
from exo_registry.position import current as current_position
from exo_registry.views.conditional import conditional

app_name = "api"
FORMATS = ("json", "csv", "parquet")
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


class Problem(Exception):
    """A request that cannot be answered; becomes a JSON answer with `error` and, if there is one, `parameter`."""

    def __init__(self, message: str, *, status: int = 400, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status, self.parameter = status, parameter

    def response(self) -> JsonResponse:
        body = {"error": str(self)} | ({"parameter": self.parameter} if self.parameter else {})
        return JsonResponse(body, status=self.status)


def endpoint(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """GET or HEAD by a token or a logged-in user; problems are answered in JSON, never with a redirect."""

    @require_safe
    @authorised(Scope.READ)
    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Problem as problem:
            response = problem.response()
        patch_cache_control(response, private=True, no_cache=True)
        return response

    return wrapped


@endpoint
def series_list(request: HttpRequest) -> HttpResponse:
    """Every series with its newest values and the addresses of its data."""
    known(request, ())
    rows = Series.objects.select_related("product", "definition").defer("state", "product_rules", "sparkline")
    return JsonResponse({"series": [summary(one) for one in rows]})


def summary(one: Series) -> dict[str, object]:
    return {
        "name": one.name,
        "product": one.product.exchangesymbol,
        "exo": one.definition.name,
        "direction": one.direction,
        "currency": one.product.currency,
        "synthetic": one.product.synthetic,
        "first_date": one.first_date,
        "last_date": one.last_date,
        "value": one.last_exo,
        "previous_value": one.previous_exo,
        "delta": one.last_delta,
        "points": one.points_count,
        "gaps": one.gaps_count,
        "computed_at": one.computed_at,
        "url": reverse("api:points", args=[one.name, "json"]),
    }


@endpoint
def points(request: HttpRequest, name: str, form: str = "json") -> HttpResponse:
    """A series' points: ?from= and ?to= are inclusive session dates, ?columns= names columns, in order."""
    known(request, ("from", "to", "columns"))
    one = find(name)
    start, end = date_parameter(request, "from"), date_parameter(request, "to")
    if start and end and start > end:
        raise Problem(f"from={start} is after to={end}: swap them.", parameter="from")
    wanted = request.GET.get("columns")
    return conditional(request, one, lambda: _points(one, form, start, end, wanted))


def _points(one: Series, form: str, start: dt.date | None, end: dt.date | None, wanted: str | None) -> HttpResponse:
    try:
        frame = series_data.points_frame(one, start=start, end=end, columns=wanted.split(",") if wanted else None)
    except series_data.UnknownColumns as error:
        raise Problem(f"columns={wanted}: {error}", parameter="columns") from None
    return tabular(one, "points", form, frame)


@endpoint
def trades(request: HttpRequest, name: str, form: str = "json") -> HttpResponse:
    """A series' trades, oldest first."""
    known(request, ())
    one = find(name)
    return conditional(request, one, lambda: tabular(one, "trades", form, series_data.trades_frame(one)))


@endpoint
def position(request: HttpRequest, name: str) -> HttpResponse:
    """What a series holds after its last point, with Greeks and payoff; ?price= (points), ?vol= (a decimal fraction,
    0.01 is one volatility point) and ?days= say what if."""
    known(request, ("price", "vol", "days"))
    what_if = WhatIf(**{part: number_parameter(request, part) for part in ("price", "vol", "days")})
    one = find(name)
    try:
        found = current_position(one, what_if)
    except PositionError as error:
        raise Problem(str(error), status=409) from None
    if found is None:
        raise Problem(f"{one} has no position: it was never computed. Start a run of it first.", status=404)
    return JsonResponse(found.as_dict())


def number_parameter(request: HttpRequest, name: str) -> float:
    """A number from the query, zero without one; of the days, one that looks ahead."""
    text = request.GET.get(name) or "0"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Problem(f"{name}={text!r} is not a number.", parameter=name)
    if name == "days" and value < 0:
        raise Problem(f"days={text} must be zero or more: a what-if looks ahead.", parameter=name)
    return value


def find(name: str) -> Series:
    one = Series.objects.select_related("product").defer("state").filter(name=name).first()
    if one is None:
        raise Problem(f"There is no series {name}; {reverse('api:series')} lists them.", status=404)
    return one


def known(request: HttpRequest, names: Iterable[str]) -> None:
    """Refuse a parameter that would be ignored: a misspelt `form` must not return everything."""
    for name in request.GET:
        if name not in names:
            remedy = f"known here: {', '.join(names)}" if names else "this address takes none"
            raise Problem(f"Unknown parameter {name!r}; {remedy}.", parameter=name)


def date_parameter(request: HttpRequest, name: str) -> dt.date | None:
    text = request.GET.get(name)
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Problem(f"{name}={text!r} is not a date: write it as YYYY-MM-DD.", parameter=name) from None


def tabular(one: Series, kind: str, form: str, frame: pd.DataFrame) -> HttpResponse:
    """A frame in the form asked for; JSON holds one list a column, dates as YYYY-MM-DD."""
    if form == "json":
        columns = {name: [plain(value) for value in frame[name].tolist()] for name in frame.columns}
        return JsonResponse({"name": one.name, "currency": one.product.currency, kind: columns})
    if form == "parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        content = buffer.getvalue()
    else:
        content = frame.to_csv(index=False, lineterminator="\n")
    file = one.name if kind == "points" else f"{one.name}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{file}.{form}"'}
    return HttpResponse(content, content_type=CONTENT_TYPES[form], headers=headers)


def plain(value: object) -> object:
    """JSON has no NaN: a value that a session does not have is null."""
    return None if isinstance(value, float) and math.isnan(value) else value


NAME = r"(?P<name>[A-Za-z0-9.]+_[A-Za-z0-9]+)"
FORMAT = rf"\.(?P<form>{'|'.join(FORMATS)})"
urlpatterns = [
    path("series/", series_list, name="series"),
    re_path(rf"^series/{NAME}/trades/?\Z", trades),
    re_path(rf"^series/{NAME}/trades{FORMAT}\Z", trades, name="trades"),
    re_path(rf"^series/{NAME}/position/?\Z", position, name="position"),
    re_path(rf"^series/{NAME}/?\Z", points),
    re_path(rf"^series/{NAME}{FORMAT}\Z", points, name="points"),
    path("runs/", include("exo_registry.api_runs")),
]
