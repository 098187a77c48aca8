"""The book: every series with its last value, change, trend and state, a window of rows at a time.

Filter and order are in the address and hold for all series, not only for those that have been fetched.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import urlencode

from django import forms
from django.db.models import Count, F, Q
from django.db.models.expressions import Expression, OrderBy
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from exo_registry.formats import csv_text
from exo_registry.models import Definition, Product, Series
from exo_registry.models.exo import SeriesQuerySet
from exo_registry.operations.status import WORST_FIRST
from exo_registry.series.assessment import State
from exo_registry.templatetags.exoweb import data_kind, direction, iso, number, over, signed, sparkline
from exo_registry.web.form_fields import KeyField, QueryField

from .rows import SeriesRow, series_rows

WINDOW = 80  # rows that are fetched at a time
FARTHEST = 1_000_000  # no window begins after so many rows
SHORTEST_STATE = 3  # letters from which on a word of the filter means a state, too
BY_STATE = "state"
ORDERS: dict[str, Expression | F] = {
    "series": F("name"),
    "exo": F("definition__name"),
    "value": F("last_exo"),
    "change": F("last_exo") - F("previous_exo"),
    "delta": F("last_delta"),
    "session": F("last_date"),
}
COLUMNS = ("Series", "Definition", "Value", "Day change", "Change sessions", "Delta", "Last session", "State", "Data")


class Filter(forms.Form):
    """Which rows, and in which order. `sort`: a column, with a minus in front for the largest first; empty: by product.
    `first`: the place of a window's first row."""

    q = QueryField(required=False)
    sort = forms.ChoiceField(
        choices=[(sign + name, name) for name in (*ORDERS, BY_STATE) for sign in ("", "-")], required=False
    )
    first = KeyField(required=False)


@dataclass(frozen=True)
class Wanted:
    """What the address asks for; what it has wrong is as if it were not there."""

    text: str = ""
    sort: str = ""
    first: int = 0

    @classmethod
    def of(cls, request: HttpRequest) -> "Wanted":
        form = Filter(request.GET)
        form.is_valid()
        asked = form.cleaned_data
        return cls(asked.get("q") or "", asked.get("sort") or "", min(asked.get("first") or 0, FARTHEST))

    @property
    def words(self) -> list[str]:
        return self.text.lower().split()

    @property
    def column(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def is_descending(self) -> bool:
        return self.sort.startswith("-")

    def query(self, **changed: object) -> str:
        """The query of an address that asks for this, but for what is changed."""
        asked = {"q": self.text, "sort": self.sort, **changed}
        return urlencode({name: value for name, value in asked.items() if value})


@require_safe
def book(request: HttpRequest) -> HttpResponse:
    """Series grouped by product, or in the order of a column; without any, what to do to get some."""
    wanted = Wanted.of(request)
    everything = Series.objects.aggregate(
        total=Count("pk"),
        computed=Count("pk", filter=Q(points_count__gt=0)),
        products_with_series=Count("product", distinct=True),
    )
    context = everything | window(wanted, everything["total"])
    if "HX-Request" in request.headers:
        part = "parts/book_rows.html" if wanted.first else "parts/book_table.html"
        return _varying(render(request, part, context))
    if not context["computed"]:
        context |= {"products": Product.objects.count(), "definitions": Definition.objects.count()}
    return _varying(render(request, "book.html", context))


def _varying(response: HttpResponse) -> HttpResponse:
    """A browser that goes back to the page must not be shown a fragment of it."""
    patch_vary_headers(response, ["HX-Request"])
    return response


def window(wanted: Wanted, total: int) -> dict[str, object]:
    """What the template shows of a window of rows."""
    series, assessed = matching(wanted)
    last = wanted.first + WINDOW
    before = slice(max(0, wanted.first - 1), wanted.first)
    if assessed is None:
        count = series.count() if wanted.words else total
        rows = series_rows(series.defer(None).defer("state")[wanted.first : last])
        begun = [row.product_id for row in series[before]] if wanted.first else []
    else:
        count = len(assessed)
        rows = assessed[wanted.first : last]
        begun = [row.series.product_id for row in assessed[before]]
        _read_trends(rows)
    return {
        "wanted": wanted,
        "headings": headings(wanted),
        "groups": [(None, [tagged_cells(row) for row in rows])] if wanted.sort else grouped(rows, begun),
        "matching": count,
        "rest": max(0, count - last),
        "next_rows": min(WINDOW, count - last),
        "next": wanted.query(first=last),
        "all": wanted.query(q=""),
        "file": wanted.query(),
    }


def _read_trends(rows: Iterable[SeriesRow]) -> None:
    """Of the rows that are shown; all that were assessed came without."""
    trends = dict(Series.objects.filter(pk__in=[row.series.pk for row in rows]).values_list("pk", "sparkline"))
    for row in rows:
        row.series.sparkline = trends[row.series.pk]


def matching(wanted: Wanted) -> tuple[SeriesQuerySet, list[SeriesRow] | None]:
    """The series that are wanted, in order; and all of them with their states, if these decide which they are."""
    series = _ordered(Series.objects.select_related("product", "definition").defer("state", "sparkline"), wanted)
    states = [word for word in wanted.words if len(word) >= SHORTEST_STATE and any(word in state for state in State)]
    for word in wanted.words:
        if word not in states:
            series = series.filter(_mentions(word))
    if not states and wanted.column != BY_STATE:
        return series, None
    rows = series_rows(series.light("last_date", "last_exo", "previous_exo", "change_sessions", "last_delta"))
    for word in states:
        mentioned = set(series.filter(_mentions(word)).values_list("pk", flat=True))
        rows = [row for row in rows if word in row.state or row.series.pk in mentioned]
    if wanted.column == BY_STATE:
        rows.sort(key=lambda row: WORST_FIRST.index(row.state), reverse=wanted.is_descending)
    return series, rows


def _mentions(word: str) -> Q:
    """What a row shows, its state apart, and what its product is called."""
    mentioned = Q(name__icontains=word) | Q(definition__name__icontains=word)
    mentioned |= Q(product__exchangesymbol__icontains=word) | Q(product__description__icontains=word)
    shown = [kind for kind in (Product.DataKind.MODELLED, Product.DataKind.SYNTHETIC) if word in kind]
    if shown:
        mentioned |= Q(product__data_kind__in=shown)
    if word in "disabled":
        mentioned |= Q(definition__enabled=False)
    return mentioned


def _ordered(series: SeriesQuerySet, wanted: Wanted) -> SeriesQuerySet:
    """What has no value comes last, in either direction."""
    series = series.order_by("product__exchangesymbol", "name")
    if column := ORDERS.get(wanted.column):
        first = OrderBy(column, descending=wanted.is_descending, nulls_last=True)
        series = series.order_by(first, "product__exchangesymbol", "name")
    return series


def headings(wanted: Wanted) -> list[dict[str, str]]:
    """The columns: how each is sorted now, and the address that a click on it leads to: one direction, the other one,
    and by product again."""
    return [
        _heading("series", "Series", "", wanted),
        _heading("exo", "Definition", "exo", wanted),
        _heading("value", "Value", "number", wanted, "-"),
        _heading("change", "Day change", "number", wanted, "-"),
        _heading("delta", "Delta", "number delta", wanted, "-"),
        {"title": "Trend, 60 sessions", "style": "trend"},
        _heading("session", "Last session", "session", wanted),
        _heading(BY_STATE, "State", "state-of", wanted),
    ]


def _heading(name: str, title: str, style: str, wanted: Wanted, first: str = "") -> dict[str, str]:
    steps = {"": first + name, first + name: name if first else f"-{name}"}
    current = wanted.sort if wanted.column == name else ""
    return {
        "name": name,
        "title": title,
        "style": style,
        "sorted": ("descending" if wanted.is_descending else "ascending") if current else "",
        "query": wanted.query(sort=steps.get(current, "")),
    }


def grouped(rows: Iterable[SeriesRow], begun: list[int]) -> Iterator[tuple[Product | None, list[dict[str, str]]]]:
    """Rows by product; None for a product (`begun`, by id) whose rows the window before has begun."""
    for pk, members in groupby(rows, key=lambda row: row.series.product_id):
        group = list(members)
        yield None if pk in begun else group[0].series.product, [cells(row) for row in group]


def cells(row: SeriesRow) -> dict[str, str]:
    """A row as text, so that the template has only to place it (escaping is the template's)."""
    series, change = row.series, row.series.day_change
    return {
        "name": series.name,
        "url": series.get_absolute_url(),
        "exo": series.definition.name,
        "disabled": "" if series.definition.enabled else "disabled",
        "value": number(series.last_exo, 0),
        "change": signed(change, 0),
        "span": over(series.change_sessions),
        "direction": direction(change),
        "delta": signed(series.last_delta),
        "trend": sparkline(series.sparkline),
        "last": iso(series.last_date),
        "state": row.state,
        "style": row.state.replace(" ", "-"),
        "why": row.why,
    }


def tagged_cells(row: SeriesRow) -> dict[str, str]:
    """The same of a row that stands under no product, whose heading would have the tag."""
    return cells(row) | {"tag": data_kind(row.series.product)}


@require_safe
def book_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every row that is wanted, in its order, as CSV."""
    series, assessed = matching(Wanted.of(request))
    rows = series_rows(series) if assessed is None else assessed
    headers = {"Content-Disposition": 'attachment; filename="book.csv"'}
    lines = csv_text.lines(COLUMNS, map(_record, rows))
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _record(row: SeriesRow) -> list[object]:
    series = row.series
    values = [series.last_exo, series.day_change, series.change_sessions, series.last_delta, series.last_date]
    filled = ("" if value is None else value for value in values)
    return [series.name, series.definition.name, *filled, row.state, series.product.data_kind]
