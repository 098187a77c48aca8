"""The book: every series with its last value, change, trend and freshness."""

from collections.abc import Iterable
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from exo_registry.models import Definition, Product, Series
from exo_registry.templatetags.exoweb import direction, iso, number, raw, signed, sparkline

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


def grouped(rows: Iterable[SeriesRow]) -> list[tuple[Product, str, list[dict[str, str]]]]:
    groups = groupby(rows, key=lambda row: row.series.product_id)
    members = (list(group) for _, group in groups)
    return [(rows[0].series.product, words(rows[0].series.product), [cells(row) for row in rows]) for rows in members]


def words(product: Product) -> str:
    """What the filter finds the product's rows by, besides what they show."""
    return f"{product} {product.description}{' synthetic' if product.synthetic else ''}"


def cells(row: SeriesRow) -> dict[str, str]:
    """A row as text, so that a template of hundreds of rows has only to place it (escaping is the template's)."""
    one, change = row.series, row.change
    return {
        "name": one.name,
        "url": one.get_absolute_url(),
        "exo": one.definition.name,
        "disabled": "" if one.definition.enabled else "disabled",
        "value": number(one.last_exo, 0),
        "value_raw": raw(one.last_exo),
        "change": signed(change, 0),
        "change_raw": raw(change),
        "direction": direction(change),
        "delta": signed(one.last_delta),
        "delta_raw": raw(one.last_delta),
        "trend": sparkline(one.sparkline),
        "last": iso(one.last_date),
        "state": row.state,
        "style": row.state.replace(" ", "-"),
        "why": row.why,
    }
