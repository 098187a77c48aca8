"""Products: the form of their rules, the list, import and export, and the backfill action."""

import zoneinfo
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString
from import_export.admin import ImportExportMixin
from import_export.forms import ExportForm

from exo_registry import definitions as registry
from exo_registry.definitions.registry_entries import PRODUCT_KEYS
from exo_registry.market import other_unit
from exo_registry.models import Product, Revision, Run, Series

from .backfill import BackfillMixin
from .base import admin_list, page, problem_list, total
from .csv_files import CSV, ProductResource
from .deletion import Deleted, deleted_with
from .fields import KnownNames, LinesField, MonthsField
from .history import HistoryAdmin
from .series_rows import SeriesFollow


def _time_zones() -> list[str]:
    return sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith("Etc/"))


def _calendar_names() -> list[str]:
    import pandas_market_calendars  # a slow import, and only this form needs it

    return sorted(pandas_market_calendars.get_calendar_names())


class ProductForm(forms.ModelForm):
    """Checks each value at its field, and that no definition would lose a series that it reads."""

    rollover_months = MonthsField(help_text="Months of the futures that are held.")
    option_codes = LinesField(
        required=False,
        help_text="Option series that may be held: one regular expression a line, matching the whole code, such as "
        "^EW$ (^$ is the standard series). Empty: all.",
    )

    class Meta:
        model = Product
        fields = PRODUCT_KEYS
        widgets = {
            "decision_time": forms.TimeInput({"size": 6, "placeholder": "14:45"}, format="%H:%M"),
            "execution_time": forms.TimeInput({"size": 6, "placeholder": "15:00"}, format="%H:%M"),
            "timezone": KnownNames(_time_zones),
            "calendar": KnownNames(_calendar_names),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("dividend_yield", "data_kind"):
            if name in self.fields:
                self.fields[name].required = False

    def clean_data_kind(self) -> str:
        return self.cleaned_data["data_kind"] or self.instance.data_kind

    def clean_dividend_yield(self) -> float:
        return self.cleaned_data["dividend_yield"] or 0.0

    def clean_exchangesymbol(self) -> str:
        symbol = self.cleaned_data["exchangesymbol"]
        alike = Product.objects.filter(exchangesymbol__iexact=symbol).exclude(pk=self.instance.pk).first()
        if alike and alike.exchangesymbol != symbol:
            raise ValidationError(f"There is a product {alike} already, and case alone does not make two products.")
        if alike:
            raise ValidationError(f"The product {alike} already exists: change that one, or take another symbol.")
        return symbol

    def clean_active(self) -> bool:
        active = self.cleaned_data["active"]
        symbol = self.instance.exchangesymbol or self.cleaned_data.get("exchangesymbol")
        if symbol and active != bool(self.instance.pk and self.initial.get("active")):
            problems = registry.activation_problems(symbol, active=active)
            if problems:
                lines = [f"EXO definition {problem.definition}: {problem.message}" for problem in problems]
                raise ValidationError(lines)
        return active


@admin.register(Product)
class ProductAdmin(SeriesFollow, BackfillMixin, ImportExportMixin, HistoryAdmin):
    form = ProductForm
    resource_classes = (ProductResource,)
    formats = import_formats = export_formats = (CSV,)
    export_form_class = ExportForm  # every column
    backfill_choice = "product"
    list_display = (
        "exchangesymbol", "description", "exchange", "active", "roll_rule", "data_revision", "series_link", "last_run",
        "view",
    )  # fmt: skip
    list_filter = ("active", "data_kind", "exchange", "currency", "pricing_model")
    search_fields = ("exchangesymbol", "description", "exchange")
    actions = ("backfill", "activate", "deactivate")
    fieldsets = (
        (None, {"fields": ("exchangesymbol", "description", ("exchange", "currency"), "active", "data_kind")}),
        (
            "Contract",
            {
                "fields": (
                    ("ticksize", "tickvalue"),
                    ("optionticksize", "optiontickvalue"),
                    "optionstrikeincrement",
                    ("pricing_model", "dividend_yield"),
                )
            },
        ),
        ("Clock", {"fields": ("timezone", ("decision_time", "execution_time"), "calendar")}),
        ("Rules of the numbers", {"fields": (("conventions", "max_bar_age_days"),)}),
        ("Rolling", {"fields": ("rollover_months", "days_before_expiration", "option_codes")}),
        ("Limits and costs", {"fields": (("futures_limit", "strikes_limit"), ("cost_future", "cost_option"))}),
    )

    def save_model(self, request: HttpRequest, obj: Product, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        has_other_model = change and "pricing_model" in form.changed_data
        if has_other_model and (message := other_unit(obj, form.initial["pricing_model"])):
            self.message_user(request, message, messages.WARNING)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        last = Run.objects.filter(steps__product=OuterRef("pk")).order_by("-pk").values("pk")[:1]
        return (
            super()
            .get_queryset(request)
            .annotate(
                newest_revision=total(Revision, "product", Max("number")),
                series_count=Coalesce(total(Series, "product", Count("pk")), 0),
                last_run_id=Subquery(last),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        # Series and market data are filed under the symbol.
        if obj is None:
            return ()
        return ("exchangesymbol", "data_kind") if obj.is_synthetic else ("exchangesymbol",)

    @admin.display(description="rolls", ordering="days_before_expiration")
    def roll_rule(self, product: Product) -> str:
        months = len(product.rollover_months)
        which = "every month" if months == 12 else f"{months} months"
        return f"{product.days_before_expiration} days before, {which}"

    @admin.display(description="data", ordering="newest_revision")
    def data_revision(self, product: Product) -> str:
        return f"revision {product.newest_revision}" if product.newest_revision else "none yet"

    @admin.display(description="series", ordering="series_count")
    def series_link(self, product: Product) -> SafeString | int:
        count = product.series_count
        return admin_list(Series, count, product__id__exact=product.pk) if count else 0

    @admin.display(description="last run", ordering="last_run_id")
    def last_run(self, product: Product) -> SafeString | str:
        return page(Run(pk=product.last_run_id)) if product.last_run_id else ""

    @admin.display(description="page")
    def view(self, product: Product) -> SafeString:
        return page(product, "View")

    def get_deleted_objects(self, objs: Iterable[Product], request: HttpRequest) -> Deleted:
        products = list(objs)
        obstacles = registry.product_removal_problems(products)
        return deleted_with(products, Series.objects.filter(product__in=products), request, obstacles)

    @admin.action(description="Put selected products in calculation", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_active(request, queryset, active=True)

    @admin.action(description="Take selected products out of calculation", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_active(request, queryset, active=False)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[Product], *, active: bool) -> None:
        changed = []
        for product in queryset.exclude(active=active):
            problems = registry.activation_problems(product.exchangesymbol, active=active)
            if problems:
                lines = [f"{product} is unchanged. EXO definition {p.definition}: {p.message}" for p in problems]
                self.message_user(request, problem_list(lines), messages.ERROR)
                continue
            product.active = active
            product.save(update_fields=["active"])
            self.log_change(request, product, "Put in calculation." if active else "Taken out of calculation.")
            changed.append(product.exchangesymbol)
        if changed:
            self.sync_series(request)
            what = "in calculation" if active else "out of calculation"
            self.message_user(request, f"{', '.join(changed)}: now {what}.", messages.SUCCESS)

    def has_import_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self.has_view_permission(request)
