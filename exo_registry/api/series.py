"""Series over HTTP, under /api/v1/series/: the list, points and trades as JSON, CSV or Parquet, position and
statistics as JSON.

Points and trades carry an ETag and Last-Modified of the series' last computation, so a repeated request costs a 304.
"""

import io
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import re_path, reverse

from algorithms.analysis.valuation import WhatIf
from exo_registry.formats import csv_text
from exo_registry.formats.json_text import JsonAnswer
from exo_registry.models import Series
from exo_registry.series import frames
from exo_registry.series.assessment import Assessment, assess
from exo_registry.series.performance import series_performance
from exo_registry.series.position import PositionError, WhatIfError
from exo_registry.series.position import current as current_position
from exo_registry.web.conditional import conditional

from . import schemas
from .endpoint import Answer, Endpoint, answer, operation
from .problem import Problem
from .schemas import Format, PointsQuery, PositionQuery, SeriesName, SeriesPage, SeriesQuery, SeriesSummary
from .statistics import SeriesStatistics, Statistics, StatisticsQuery

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("json", "csv", "parquet")
KIND_HEADER = "X-Exoweb-Data-Kind"
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
TABLE_HEADERS = {
    "ETag": "Of the series' last computation: send it as If-None-Match.",
    "Last-Modified": "When the series was last computed.",
    "Content-Disposition": "A file name, of CSV and Parquet.",
    KIND_HEADER: "Of the product's market data: quoted, modelled or synthetic.",
}
NO_SERIES = {404: "There is no such series."}
UNCHANGED = Answer(description="The copy that the caller has is of the series' last computation.")


def table_answers(model: type[schemas.Points | schemas.Trades]) -> dict[int, Answer]:
    media = tuple(kind.partition(";")[0] for kind in CONTENT_TYPES.values())
    return {200: Answer(model, media=media, headers=TABLE_HEADERS), 304: UNCHANGED}


@operation(answers={200: Answer(SeriesPage)})
def series_list(request: HttpRequest, query: SeriesQuery) -> HttpResponse:
    """List series by name, with their newest values and how each is

    A page has `limit` of them; `next` is the address of the page after it.
    """
    rows = Series.objects.select_related("product", "definition").defer("state", "sparkline").order_by("name")
    if query.product:
        rows = rows.filter(product__exchangesymbol=query.product)
    if query.definition:
        rows = rows.filter(definition__name=query.definition)
    if query.after:
        rows = rows.filter(name__gt=query.after)
    page = list(rows[: query.limit + 1])
    more, page = len(page) > query.limit, page[: query.limit]
    assessments = assess(page)
    following = None
    if more:
        kept = query.model_dump(exclude_defaults=True) | {"after": page[-1].name}
        following = f"{request.path}?{urlencode(kept)}"
    return answer(SeriesPage(series=[summary(assessments[row.pk]) for row in page], next=following))


def summary(assessment: Assessment) -> SeriesSummary:
    series = assessment.series
    return SeriesSummary(
        name=series.name,
        product=series.product.exchangesymbol,
        definition=series.definition.name,
        direction=series.direction,
        currency=series.product.currency,
        data_kind=series.product.data_kind,
        first_date=series.first_date,
        last_date=series.last_date,
        value=series.last_exo,
        previous_value=series.previous_exo,
        change=series.day_change,
        change_sessions=series.change_sessions,
        delta=series.last_delta,
        capital=series.definition.capital,
        points=series.points_count,
        gaps=series.gaps_count,
        computed_at=series.computed_at,
        state=assessment.state,
        why=assessment.why,
        causes=[schemas.StaleCause(**vars(cause)) for cause in assessment.causes],
        missing=assessment.missing.count,
        url=reverse("api:points", args=[series.name, "json"]),
    )


@operation(answers=table_answers(schemas.Points), problems=NO_SERIES)
def points(request: HttpRequest, name: SeriesName, query: PointsQuery, form: Format = "json") -> HttpResponse:
    """Read the points of a series

    `from` and `to` are session dates, both included. In CSV, text that a spreadsheet would run as a formula has an
    apostrophe in front; in Parquet, dates are timestamps.
    """
    series = find(name)
    return conditional(request, series, lambda: _points(series, form, query), series.product.data_kind)


def _points(series: Series, form: str, query: PointsQuery) -> HttpResponse:
    try:
        frame = frames.points_frame(series, start=query.from_, end=query.to, columns=query.columns)
    except frames.ColumnsError as error:
        raise Problem(f"columns={','.join(query.columns or ())}: {error}", parameter="columns") from None
    return tabular(series, "points", form, frame)


@operation(answers=table_answers(schemas.Trades), problems=NO_SERIES)
def trades(request: HttpRequest, name: SeriesName, form: Format = "json") -> HttpResponse:
    """Read the trades of a series"""
    series = find(name)
    return conditional(
        request, series, lambda: tabular(series, "trades", form, frames.trades_frame(series)), series.product.data_kind
    )


@operation(
    answers={200: Answer(schemas.Position)},
    problems={404: "There is no such series, or it was never computed.", 409: "The position cannot be valued."},
)
def position(request: HttpRequest, name: SeriesName, query: PositionQuery) -> HttpResponse:
    """Read what a series holds after its last point, with Greeks and payoff

    `price`, `vol` and `days` ask what if; a price below zero and a day after the last expiry are refused.
    """
    series = find(name)
    try:
        held = current_position(series, WhatIf(price=query.price, vol=query.vol, days=query.days))
    except WhatIfError as error:
        raise Problem(str(error), parameter=error.part) from None
    except PositionError as error:
        raise Problem(str(error), status=409) from None
    if held is None:
        raise Problem(f"{series} has no position: it was never computed. Start a run of it first.", status=404)
    return answer(schemas.Position.model_validate(held.as_dict()))


@operation(answers={200: Answer(Statistics)}, problems=NO_SERIES)
def statistics(request: HttpRequest, name: SeriesName, query: StatisticsQuery) -> HttpResponse:
    """Read the statistics of a series

    Without `capital` returns are on that of the definition, or else on the notional at the start of each year:
    `capital_basis` says which.
    """
    series = find(name)
    performance = series_performance(series, start=query.from_, end=query.to, capital=query.capital)
    figures = SeriesStatistics.model_validate(performance)
    return answer(
        Statistics(
            series=series.name, currency=series.product.currency, data_kind=series.product.data_kind, statistics=figures
        )
    )


def find(name: str) -> Series:
    series = Series.objects.select_related("product", "definition").defer("state").filter(name=name).first()
    if series is None:
        raise Problem(f"There is no series {name}; {reverse('api:series')} lists them.", status=404)
    return series


def tabular(series: Series, kind: str, form: str, frame: "pd.DataFrame") -> HttpResponse:
    """A frame in the form asked for; JSON holds one list a column, dates as YYYY-MM-DD."""
    if form == "json":
        columns = {name: frame[name].tolist() for name in frame.columns}
        product = series.product
        facts = {"name": series.name, "currency": product.currency, "data_kind": product.data_kind}
        return JsonAnswer(facts | {kind: columns}, headers={KIND_HEADER: product.data_kind})
    if form == "parquet":
        buffer = io.BytesIO()
        frames.write_parquet(frame, buffer)
        content = buffer.getvalue()
    else:
        content = "".join(csv_text.frame_lines(frame)).encode()
    file = series.name if kind == "points" else f"{series.name}.{kind}"
    headers = {
        "Content-Disposition": f'attachment; filename="{file}.{form}"',
        KIND_HEADER: series.product.data_kind,
    }
    return HttpResponse(content, content_type=CONTENT_TYPES[form], headers=headers)


NAME = r"(?P<name>[^/]+?)"
FORMAT = rf"\.(?P<form>{'|'.join(FORMATS)})"
points_view, trades_view = Endpoint(get=points), Endpoint(get=trades)
# The short addresses, without a format, answer JSON.
urlpatterns = [
    re_path(r"^\Z", Endpoint(get=series_list), name="series"),
    re_path(rf"^{NAME}/trades{FORMAT}\Z", trades_view, name="trades"),
    re_path(rf"^{NAME}/trades/?\Z", trades_view),
    re_path(rf"^{NAME}/statistics/?\Z", Endpoint(get=statistics), name="statistics"),
    re_path(rf"^{NAME}/position/?\Z", Endpoint(get=position), name="position"),
    re_path(rf"^{NAME}{FORMAT}\Z", points_view, name="points"),
    re_path(rf"^{NAME}/?\Z", points_view),
]
