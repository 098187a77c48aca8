"""A series: its chart, trades, gaps, how it is made and what it was computed from."""

import difflib
import inspect
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from exo_registry.definitions import catalogue
from exo_registry.formats.json_text import JsonAnswer
from exo_registry.models import Revision, Series, Step, Trade
from exo_registry.models.run import ACTIVE
from exo_registry.series import frames
from exo_registry.web.conditional import conditional

from .parameters import readable
from .rows import series_rows

RANGES = ("1M", "3M", "6M", "YTD", "1Y", "3Y", "5Y", "All")
CHART_FIELDS = ("name", "generation", "points_count", "gaps_count", "computed_at")
TRADES_SHOWN = 25  # before "show all"
GAPS_SHOWN = 200


@require_safe
def series(request: HttpRequest, name: str) -> HttpResponse:
    """One series by name; an unknown name gets the nearest ones."""
    series = with_context(Series.objects.all()).filter(name=name).first()
    if series is None:
        return unknown(request, name)
    row = series_rows([series])[0]
    trades = series.trades.order_by("-date", "-number")
    everything = request.GET.get("trades") == "all"
    used = series.product_rules or {}  # by which it was computed
    context = {
        "series": series,
        "product": series.product,
        "row": row,
        "failure": row.assessment.failure,
        "trades": trades if everything else trades[:TRADES_SHOWN],
        "all_trades": everything or series.trades_count <= TRADES_SHOWN,
        "gaps": series.gaps.order_by("-date")[:GAPS_SHOWN] if series.gaps_count else [],
        "causes": row.assessment.causes,
        "hole": row.assessment.hole,
        "conventions": used.get("conventions", series.product.conventions),
        "oldest_bar": used.get("max_bar_age_days", series.product.max_bar_age_days),
        "rules": [(name.replace("_", " "), readable(value)) for name, value in used.items()],
        "ranges": RANGES,
        **methodology(series),
    }
    return render(request, "series.html", context)


def with_context(series: QuerySet[Series]) -> QuerySet[Series]:
    """Series with what their page says about them, all in one query."""
    revisions = Revision.objects.filter(product=OuterRef("product")).order_by("-number")
    active = Step.objects.filter(series=OuterRef("pk"), status__in=ACTIVE).order_by("-run")
    trades = Trade.objects.filter(series=OuterRef("pk")).order_by().values("series").annotate(count=Count("pk"))
    return (
        series.select_related("product", "definition")
        .defer("state")
        .annotate(
            trades_count=Coalesce(Subquery(trades.values("count")), 0),
            newest_revision=Subquery(revisions.values("number")[:1]),
            active_run=Subquery(active.values("run")[:1]),
            active_status=Subquery(active.values("status")[:1]),
        )
    )


@require_safe
def chart(request: HttpRequest, name: str) -> HttpResponse:
    """What the chart draws, as JSON: points by column, trades a session, gaps with their reasons."""
    series = get_object_or_404(Series.objects.only(*CHART_FIELDS), name=name)
    return conditional(request, series, lambda: JsonAnswer(chart_data(series)))


def chart_data(series: Series) -> dict[str, Any]:
    trades = series.trades.order_by("date").values_list("date").annotate(Count("number"))
    gaps = series.gaps.order_by("date").values_list("date", "reason") if series.gaps_count else []
    points = frames.chart_columns(series)
    # As fine as a screen can show, at half the bytes; the API has every digit.
    points["exo"] = [round(value, 2) for value in points["exo"]]
    points["delta"] = [round(value, 4) for value in points["delta"]]
    return {
        "points": points,
        "trades": {date.isoformat(): count for date, count in trades},
        "gaps": {date.isoformat(): reason for date, reason in gaps},
    }


def methodology(series: Series) -> dict[str, Any]:
    """The algorithm's own words and the parameters it was computed with; why not, if it cannot be loaded."""
    stored = series.parameters if series.parameters is not None else series.definition.parameters
    try:
        algorithm = catalogue.load(series.definition.algorithm)
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


def unknown(request: HttpRequest, name: str) -> HttpResponse:
    names = {other.lower(): other for other in Series.objects.values_list("name", flat=True)}
    close = difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.5)
    context = {
        "kind": "series",
        "name": name,
        "nearest": [(reverse("series", args=[names[key]]), names[key]) for key in close],
        "remedy": "ES_ContFut is the series of the product ES and the definition ContFut, once that applies to ES.",
    }
    return render(request, "unknown.html", context, status=404)
