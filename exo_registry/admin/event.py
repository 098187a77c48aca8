"""The event log, read only."""

from django.contrib import admin
from django.utils.safestring import SafeString

from exo_registry.models import Event

from .base import ReadOnlyAdmin, page


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("time", "shown_level", "kind", "message", "product_page", "series_page", "run_page", "user")
    list_display_links = ("time",)
    list_filter = ("level", "kind", "product")
    list_select_related = ("product", "series", "run", "user")
    search_fields = ("message", "product__exchangesymbol", "series__name")
    date_hierarchy = "time"
    show_full_result_count = False

    @admin.display(description="level", ordering="level")
    def shown_level(self, event: Event) -> str:
        return event.get_level_display()

    @admin.display(description="product", ordering="product__exchangesymbol")
    def product_page(self, event: Event) -> SafeString | str:
        return page(event.product) if event.product else ""

    @admin.display(description="series", ordering="series__name")
    def series_page(self, event: Event) -> SafeString | str:
        return page(event.series) if event.series else ""

    @admin.display(description="run", ordering="run")
    def run_page(self, event: Event) -> SafeString | str:
        return page(event.run) if event.run else ""
