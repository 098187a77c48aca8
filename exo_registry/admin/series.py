"""Series: read only, with their state, links to their charts, and the backfill action."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from exo_registry import definitions as registry
from exo_registry.formats.text import counted
from exo_registry.models import Series, Step
from exo_registry.series.assessment import Assessment, assess, assess_series

from .backfill import BackfillMixin
from .base import ReadOnly, admin_list, link, page, state
from .deletion import Deleted, deleted_with


@admin.register(Series)
class SeriesAdmin(BackfillMixin, ReadOnly, admin.ModelAdmin):
    backfill_choice = "series"
    list_display = (
        "name", "chart", "product_link", "definition_link", "shown_state", "last_date", "points", "gaps", "last_value",
        "steps",
    )  # fmt: skip
    list_filter = ("product", "definition", "direction")
    list_select_related = ("product", "definition")
    search_fields = ("name", "definition__name", "product__exchangesymbol")
    fieldsets = (
        (None, {"fields": ("name", "definition", "product", "direction", "shown_state", "why")}),
        (
            "Stored",
            {
                "fields": (
                    ("start", "first_date", "last_date", "last_session"),
                    ("points_count", "gaps_count"),
                    ("last_exo", "previous_exo", "change_sessions", "last_delta"),
                )
            },
        ),
        (
            "Computed from",
            {
                "fields": (
                    ("computed_at", "recomputed", "market_revision"),
                    "algorithm_hash",
                    "parameters",
                    "product_rules",
                    "dependencies",
                )
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Series | None = None) -> tuple[str, ...]:
        return ("shown_state", "why", "recomputed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Series]:
        return super().get_queryset(request).defer("state", "sparkline")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, with the state of all its rows looked up at once."""
        changes = super().get_changelist_instance(request)
        rows = list(changes.result_list)
        assessments = assess(rows)
        for row in rows:
            row.assessment = assessments[row.pk]
        changes.result_list = rows
        return changes

    @admin.display(description="chart")
    def chart(self, series: Series) -> SafeString:
        return page(series, "Chart")

    @admin.display(description="product", ordering="product__exchangesymbol")
    def product_link(self, series: Series) -> SafeString:
        return page(series.product)

    @admin.display(description="definition", ordering="definition__name")
    def definition_link(self, series: Series) -> SafeString:
        return link(reverse("admin:exo_registry_definition_change", args=[series.definition_id]), series.definition)

    @admin.display(description="state")
    def shown_state(self, series: Series) -> SafeString:
        assessment = _assessment(series)
        return state(assessment.state, assessment.why)

    @admin.display
    def why(self, series: Series) -> str:
        return _assessment(series).why

    @admin.display
    def recomputed(self, series: Series) -> str:
        """How often stored points were replaced."""
        return counted(series.generation, "time")

    @admin.display(ordering="points_count")
    def points(self, series: Series) -> str:
        return f"{series.points_count:,}"

    @admin.display(ordering="gaps_count")
    def gaps(self, series: Series) -> int | str:
        return series.gaps_count or ""

    @admin.display(description="last value", ordering="last_exo")
    def last_value(self, series: Series) -> str:
        return "" if series.last_exo is None else f"{series.last_exo:,.2f} {series.product.currency}"

    @admin.display(description="runs")
    def steps(self, series: Series) -> SafeString:
        return admin_list(Step, "Steps", q=series.name)

    def has_delete_permission(self, request: HttpRequest, obj: Series | None = None) -> bool:
        return request.user.has_perm("exo_registry.delete_series")

    def get_deleted_objects(self, objs: Iterable[Series], request: HttpRequest) -> Deleted:
        chosen = list(objs)
        return deleted_with(chosen, Series.objects.filter(pk__in=[row.pk for row in chosen]), request)

    def delete_model(self, request: HttpRequest, obj: Series) -> None:
        """Forgets what was computed. A series that its definition still makes is there again, empty."""
        super().delete_model(request, obj)
        registry.sync_series()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        super().delete_queryset(request, queryset)
        registry.sync_series()


def _assessment(series: Series) -> Assessment:
    if not hasattr(series, "assessment"):
        series.assessment = assess_series(series)
    return series.assessment
