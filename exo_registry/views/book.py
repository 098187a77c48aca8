"""The book: every series with its last value, change, trend and freshness."""

from collections.abc import Iterable
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from exo_registry.models import Definition, Product, Series

from .rows import SeriesRow, series_rows


@require_safe
def book(request: HttpRequest) -> HttpResponse:
    """Series grouped by product; without any, what to do to get some."""
    series = Series.objects.select_related("product", "definition").defer("state")
    rows = series_rows(series.order_by("product__exchangesymbol", "name"))
    context = {
        "groups": grouped(rows),
        "total": len(rows),
        "computed": sum(row.series.points_count > 0 for row in rows),
    }
    if not context["computed"]:
        context |= {"products": Product.objects.count(), "definitions": Definition.objects.count()}
    return render(request, "book.html", context)


def grouped(rows: Iterable[SeriesRow]) -> list[tuple[Product, list[SeriesRow]]]:
    groups = groupby(rows, key=lambda row: row.series.product_id)
    return [(members[0].series.product, members) for members in (list(group) for _, group in groups)]
