"""A series: its chart, trades, gaps, how it is made and what it was computed from."""

import difflib
import inspect
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from exo_registry import catalogue, series_data
from exo_registry.models import Revision, Series, Step, Trade
from exo_registry.models.run import ACTIVE

from .conditional import conditional
from .parameters import readable
from .rows import SeriesRow, series_rows

RANGES = ("1M", "3M", "6M", "YTD", "1Y", "3Y", "5Y", "All")
CHART_FIELDS = ("name", "generation", "points_count", "gaps_count", "computed_at")
TRADES_SHOWN = 25  # before "show all"
GAPS_SHOWN = 200


@require_safe
def series(request: HttpRequest, name: str) -> HttpResponse:
    """One series by name; an unknown name gets the nearest ones."""
    one = with_context(Series.objects.all()).filter(name=name).first()
    if one is None:
        return unknown(request, name)
    row = series_rows([one])[0]
    trades = one.trades.order_by("-date", "-number")
    everything = request.GET.get("trades") == "all"
    context = {
        "series": one,
        "product": one.product,
        "row": row,
        "trades": trades if everything else trades[:TRADES_SHOWN],
        "all_trades": everything or one.trades_count <= TRADES_SHOWN,
        "gaps": one.gaps.order_by("-date")[:GAPS_SHOWN] if one.gaps_count else [],
        "reasons": stale_reasons(row),
        "rules": [(name.replace("_", " "), readable(value)) for name, value in (one.product_rules or {}).items()],
        "ranges": RANGES,
        **methodology(one),
    }
    return render(request, "series.html", context)


def with_context(found: QuerySet[Series]) -> QuerySet[Series]:
    """Series with what their page says about them, all in one query."""
    revisions = Revision.objects.filter(product=OuterRef("product")).order_by("-number")
    active = Step.objects.filter(series=OuterRef("pk"), status__in=ACTIVE).order_by("-run")
    counted = Trade.objects.filter(series=OuterRef("pk")).order_by().values("series").annotate(count=Count("pk"))
    return (
        found.select_related("product", "definition")
        .defer("state")
        .annotate(
            trades_count=Coalesce(Subquery(counted.values("count")), 0),
            newest_revision=Subquery(revisions.values("number")[:1]),
            active_run=Subquery(active.values("run")[:1]),
            active_status=Subquery(active.values("status")[:1]),
        )
    )


@require_safe
def chart(request: HttpRequest, name: str) -> HttpResponse:
    """What the chart draws, as JSON: points by column, trades a session, gaps with their reasons."""
    one = get_object_or_404(Series.objects.only(*CHART_FIELDS), name=name)
    return conditional(request, one, lambda: JsonResponse(chart_data(one)))


def chart_data(one: Series) -> dict[str, Any]:
    trades = one.trades.order_by("date").values_list("date").annotate(Count("number"))
    gaps = one.gaps.order_by("date").values_list("date", "reason") if one.gaps_count else []
    points = series_data.chart_columns(one)
    # As fine as a screen can show, at half the bytes; the API has every digit.
    points["exo"] = [round(value, 2) for value in points["exo"]]
    points["delta"] = [round(value, 4) for value in points["delta"]]
    return {
        "points": points,
        "trades": {date.isoformat(): count for date, count in trades},
        "gaps": {date.isoformat(): reason for date, reason in gaps},
    }


def methodology(one: Series) -> dict[str, Any]:
    """The algorithm's own words and the parameters it was computed with; why not, if it cannot be loaded."""
    stored = one.parameters if one.parameters is not None else one.definition.parameters
    try:
        algorithm = catalogue.load(one.definition.algorithm)
    except catalogue.CatalogueError as error:
        return {
            "algorithm_error": str(error),
            "parameters": [(name, readable(value), "") for name, value in stored.items()],
        }
    fields = algorithm.Parameters.model_fields
    parameters = []
    for name, field in fields.items():
        value = stored[name] if name in stored else field.get_default(call_default_factory=True)
        parameters.append((name, readable(value), field.description or ""))
    return {"explanation": inspect.getdoc(algorithm) or "", "parameters": parameters}


def stale_reasons(row: SeriesRow) -> list[str]:
    return row.why.split("; ") if row.state == "stale" else []


def unknown(request: HttpRequest, name: str) -> HttpResponse:
    names = {other.lower(): other for other in Series.objects.values_list("name", flat=True)}
    close = difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.5)
    context = {
        "kind": "series",
        "name": name,
        "nearest": [(reverse("series", args=[names[key]]), names[key]) for key in close],
        "remedy": "A series is named SYMBOL_EXO, such as ES_ContFut; it exists once an EXO definition meets a product.",
    }
    return render(request, "unknown.html", context, status=404)
