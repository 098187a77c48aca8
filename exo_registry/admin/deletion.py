"""What a deletion takes along, counted: a product's ten years of points are a number, not a list of rows."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model, QuerySet, Sum
from django.http import HttpRequest
from django.utils.html import format_html

from exo_registry.formats.text import counted
from exo_registry.models import Series, Step, Trade
from exo_registry.models.run import ACTIVE

from .base import page

Deleted = tuple[list[Any], dict[str, int], set[str], list[Any]]


def deleted_with(
    rows: Iterable[Model], series: QuerySet[Series], request: HttpRequest, obstacles: Iterable[str] = ()
) -> Deleted:
    """The answer of ModelAdmin.get_deleted_objects: what goes, how many of each, missing permissions, obstacles.

    Series that hold points need the permission to delete series. One that is being computed stands in the way.
    """
    rows = list(rows)
    held = list(series.order_by("name").only("name", "points_count", "first_date", "last_date"))
    model = type(rows[0]) if rows else Series
    listed = [[f"{model._meta.verbose_name.capitalize()} {row}" for row in rows]]
    if model is not Series:
        listed.append([_described(row) for row in held])
    counts = {model._meta.verbose_name_plural: len(rows), "series": len(held)}
    points = series.aggregate(total=Sum("points_count", default=0))["total"]
    counts |= {"points": points, "trades": Trade.objects.filter(series__in=series).count()}
    needed = set()
    if points and not request.user.has_perm("exo_registry.delete_series"):
        needed.add("series that hold points")
    active = Step.objects.filter(series__in=series, status__in=ACTIVE).select_related("run", "series")
    busy = [
        format_html("{} is being computed: {}. Wait for it, or cancel it.", step.series.name, page(step.run))
        for step in active.only("run", "series__name")
    ]
    shown = [item for group in listed for item in group]
    return shown, {name: count for name, count in counts.items() if count}, needed, [*obstacles, *busy]


def _described(series: Series) -> str:
    if not series.points_count:
        return f"Series {series.name}, which holds no points"
    return f"Series {series.name}: {counted(series.points_count, 'point')}, {series.first_date} to {series.last_date}"
