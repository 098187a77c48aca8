"""Several series side by side: one chart, one table of statistics."""

import datetime as dt
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from exo_registry.models import Series
from exo_registry.series.performance import series_performance
from exo_registry.web.form_fields import DateField, labelled_errors

from .series import RANGES
from .statistics import Figure, groups

MOST = 6  # lines that can still be distinguished


class RangeForm(forms.Form):
    """The range that the chart shows, from= and to=; both empty: all of it."""

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.fields = {name: DateField(required=False, label=name.capitalize()) for name in ("from", "to")}


@dataclass(frozen=True)
class Line:
    """A line of the comparison: its series, its number (1 to MOST) and the address without it."""

    series: Series
    number: int
    without: str


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """The series named by ?s=, in that order; the chart and the statistics load after the page."""
    names = asked(request)
    known = list(Series.objects.filter(points_count__gt=0).order_by("name").values_list("name", flat=True))
    chosen = with_points(names)
    kept = [series.name for series in chosen]
    others = [name for name in known if name not in kept]
    context = {
        "chosen": [
            Line(series, number, address(name for name in kept if name != series.name))
            for number, series in enumerate(chosen[:MOST], start=1)
        ],
        "left_out": chosen[MOST:],
        "unknown": [(name, nearest(name, others)) for name in names if name not in kept],
        "names": others,
        "currencies": sorted({series.product.currency for series in chosen[:MOST]}),
        "chosen_query": urlencode([("s", series.name) for series in chosen[:MOST]]),
        "most": MOST,
        "shown": {name: request.GET.get(name, "") for name in ("from", "to")},
        "ranges": RANGES,
    }
    return render(request, "compare.html", context)


@require_safe
def statistics(request: HttpRequest) -> HttpResponse:
    """The key numbers of the series named by ?s=, in ?from= to ?to=, since the first session that all of them have."""
    chosen = with_points(asked(request))[:MOST]
    form = RangeForm(request.GET)
    context: dict[str, Any] = {"series": chosen, "errors": labelled_errors(form)}
    if chosen and form.is_valid():
        first, end = max(series.first_date for series in chosen), form.cleaned_data["to"]
        start = max(first, form.cleaned_data["from"] or first)
        context |= {"start": start, "end": end, "first": first, "width": len(chosen) + 1}
        context["tables"] = side_by_side(chosen, start, end)
    return render(request, "parts/compare_statistics.html", context)


def asked(request: HttpRequest) -> list[str]:
    """The names in the address, each once."""
    return list(dict.fromkeys(name.strip() for name in request.GET.getlist("s") if name.strip()))


def with_points(names: list[str]) -> list[Series]:
    """The series of these names that have points, in the order of the names."""
    rows = Series.objects.filter(name__in=names, points_count__gt=0).select_related("product", "definition")
    by_name = {series.name: series for series in rows.defer("state", "sparkline")}
    return [by_name[name] for name in names if name in by_name]


def nearest(name: str, known: list[str]) -> list[str]:
    lower = {other.lower(): other for other in known}
    return [lower[close] for close in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]


def address(names: Iterable[str]) -> str:
    """The page that compares these series."""
    query = urlencode([("s", name) for name in names])
    return f"{reverse('compare')}?{query}" if query else reverse("compare")


def side_by_side(
    chosen: list[Series], start: dt.date, end: dt.date | None = None
) -> list[tuple[str, list[tuple[Figure, list[Figure]]]]]:
    """Headings with their rows: a figure that names the row, and the same figure of each series."""
    columns = [groups(series_performance(series, start=start, end=end)) for series in chosen]
    return [
        (heading, [(row[0], list(row)) for row in zip(*(dict(column)[heading] for column in columns), strict=True)])
        for heading, _ in columns[0]
    ]
