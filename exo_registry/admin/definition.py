"""EXO definitions: the form that checks them against the catalogue and each other, the list, and backfills."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from import_export.admin import ExportMixin
from import_export.forms import ExportForm

from exo_registry import definitions as registry
from exo_registry.definitions import catalogue, check, parameter_help
from exo_registry.models import Definition, Run, Series

from . import outcome
from .backfill import BackfillMixin
from .base import admin_list, page, total
from .csv_files import CSV, DefinitionResource
from .deletion import Deleted, deleted_with
from .fields import KnownNames, ParametersField
from .history import HistoryAdmin
from .series_rows import SeriesFollow


def _algorithm_paths() -> list[str]:
    return [info.path for info in catalogue.available()]


class AlgorithmWidget(KnownNames):
    """Offers the catalogue; the table of parameters follows what is chosen."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        url = reverse("admin:exo_registry_definition_parameters")
        follows = {"data-help-url": f"{url}?path=", "data-help-target": "parameter-help"}
        return super().get_context(name, value, (attrs or {}) | follows)


def _with_button(error: catalogue.UnknownAlgorithm) -> SafeString | str:
    """The message, with a button that puts in the path that was probably meant, if one is near."""
    if not error.nearest:
        return str(error)
    button = '{} Did you mean <button type="button" class="guess" data-fill="{}" data-value="{}">{}</button>?'
    return format_html(button, error.reason, "id_algorithm", error.nearest, error.nearest)


class DefinitionForm(forms.ModelForm):
    """Checks the algorithm, each parameter by name, and how the definition fits in with the others."""

    parameters = ParametersField(required=False, help_text="JSON. {} takes every default. The table has the names.")

    class Meta:
        model = Definition
        fields = (
            "name",
            "algorithm",
            "enabled",
            "products",
            "parameters",
            "cost_future",
            "cost_option",
            "capital",
            "notes",
        )
        widgets = {
            "algorithm": AlgorithmWidget(_algorithm_paths),
            "products": forms.CheckboxSelectMultiple,
            "notes": forms.Textarea({"rows": 2, "class": "vLargeTextField"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "algorithm" in self.fields:
            self.fields["algorithm"].help_text = "Dotted path of the class. Type to search the catalogue."
        if "products" in self.fields:
            self.fields["products"].help_text = "None chosen: every active product."
            self.fields["products"].widget.can_add_related = False
            self.fields["products"].error_messages |= {
                "invalid_choice": "There is no product with the number %(value)s; it may have just been deleted.",
                "invalid_pk_value": "%(pk)s is not a product.",
            }

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if Definition.objects.filter(name=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(f"There is an EXO definition {name} already: change that one, or take another name.")
        return name

    def clean_algorithm(self) -> str:
        dotted = self.cleaned_data["algorithm"].strip()
        try:
            catalogue.load(dotted)
        except catalogue.UnknownAlgorithm as error:
            raise ValidationError(_with_button(error)) from error
        except catalogue.CatalogueError as error:
            raise ValidationError(str(error)) from error
        return dotted

    def clean(self) -> dict[str, Any]:
        """What only the whole definition shows, each problem at its own field."""
        cleaned = super().clean()
        if {"name", "algorithm", "parameters", "products", "enabled"} <= cleaned.keys():
            draft = registry.Draft(
                name=cleaned["name"],
                algorithm=cleaned["algorithm"],
                parameters=cleaned["parameters"],
                products=frozenset(product.exchangesymbol for product in cleaned["products"]),
                enabled=cleaned["enabled"],
                pk=self.instance.pk,
            )
            for problem in registry.definition_problems(draft):
                if problem.definition == draft.name:
                    self.add_error(problem.field, problem.message)
                else:
                    self.add_error(None, f"This would break the definition {problem.definition}: {problem.message}")
        elif "algorithm" in cleaned and "parameters" in cleaned:
            self._check_parameters(cleaned["algorithm"], cleaned["parameters"])
        return cleaned

    def _check_parameters(self, dotted: str, parameters: Any) -> None:
        """Parameters are checked even when another field is wrong."""
        direction = next(iter(catalogue.load(dotted).directions))
        try:
            catalogue.build(dotted, parameters, direction)
        except catalogue.ParameterErrors as error:
            for name, message in error.errors:
                self.add_error("parameters", f"{name}: {message}" if name else message)


@admin.register(Definition)
class DefinitionAdmin(SeriesFollow, BackfillMixin, ExportMixin, HistoryAdmin):
    form = DefinitionForm
    change_form_template = "admin/exo_registry/definition/change_form.html"
    resource_classes = (DefinitionResource,)
    export_formats = (CSV,)
    export_form_class = ExportForm  # every column
    backfill_choice = "exo"
    list_display = (
        "name",
        "algorithm_name",
        "on_products",
        "enabled",
        "series_link",
        "points",
        "last_date",
        "last_run",
    )
    list_filter = ("enabled", "algorithm", "products")
    search_fields = ("name", "algorithm", "notes", "products__exchangesymbol")
    fieldsets = (
        (None, {"fields": ("name", "algorithm", "enabled", "products", "notes")}),
        ("Parameters", {"fields": ("parameters",), "classes": ("parameters",)}),
        ("Costs", {"fields": (("cost_future", "cost_option"),)}),
        ("Statistics", {"fields": ("capital",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Definition]:
        last = Run.objects.filter(steps__series__definition=OuterRef("pk")).order_by("-pk").values("pk")[:1]
        return (
            super()
            .get_queryset(request)
            .prefetch_related("products")
            .annotate(
                series_count=Coalesce(total(Series, "definition", Count("pk")), 0),
                points_total=Coalesce(total(Series, "definition", Sum("points_count")), 0),
                newest=total(Series, "definition", Max("last_date")),
                last_run_id=Subquery(last),
            )
        )

    @admin.display(description="algorithm", ordering="algorithm")
    def algorithm_name(self, definition: Definition) -> str:
        return definition.algorithm.rpartition(".")[2]

    @admin.display(description="products")
    def on_products(self, definition: Definition) -> str:
        return ", ".join(product.exchangesymbol for product in definition.products.all()) or "every active one"

    @admin.display(description="series", ordering="series_count")
    def series_link(self, definition: Definition) -> SafeString | int:
        count = definition.series_count
        return admin_list(Series, count, definition__id__exact=definition.pk) if count else 0

    @admin.display(ordering="points_total")
    def points(self, definition: Definition) -> str:
        return f"{definition.points_total:,}"

    @admin.display(description="last session", ordering="newest")
    def last_date(self, definition: Definition) -> str:
        return definition.newest.isoformat() if definition.newest else ""

    @admin.display(description="last run", ordering="last_run_id")
    def last_run(self, definition: Definition) -> SafeString | str:
        return page(Run(pk=definition.last_run_id)) if definition.last_run_id else ""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.parameters_view)
        return [path("parameters/", view, name="exo_registry_definition_parameters"), *super().get_urls()]

    def parameters_view(self, request: HttpRequest) -> HttpResponse:
        """The table of parameters of ?path=, as a fragment."""
        if not (self.has_view_permission(request) or self.has_add_permission(request)):
            return HttpResponse(status=403)
        return TemplateResponse(request, "admin/exo_registry/parameters.html", _help(request.GET.get("path", "")))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        form = context["adminform"].form
        dotted = form["algorithm"].value() if "algorithm" in form.fields else context["original"].algorithm
        return super().render_change_form(request, context | _help(dotted or ""), *args, **options)

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool) -> None:
        """Products are saved by now: the series can follow, and the definition can be tried."""
        super().save_related(request, form, formsets, change)
        if form.has_changed():
            for level, text in outcome.to_backfill(form.instance, request.user):
                self.message_user(request, text, level)
        if form.instance.enabled and form.has_changed():
            self._tell_check(request, form.instance)

    def _tell_check(self, request: HttpRequest, definition: Definition) -> None:
        """A quick check of what was saved, reported and not enforced: data may come after the definition."""
        problems = check.check_definition(definition)
        for problem in problems:
            self.message_user(request, f"Check of {definition}: {problem}", messages.WARNING)
        if not problems:
            text = "it runs on a sample of sessions, and looks at nothing ahead."
            self.message_user(request, f"Check of {definition}: {text}", messages.SUCCESS)

    def get_deleted_objects(self, objs: Iterable[Definition], request: HttpRequest) -> Deleted:
        definitions = list(objs)
        obstacles = registry.definition_removal_problems(definitions)
        return deleted_with(definitions, Series.objects.filter(definition__in=definitions), request, obstacles)

    def has_export_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self.has_view_permission(request)


def _help(dotted: str) -> dict[str, Any]:
    """What the table shows for a path: the algorithm and its parameters, or why there are none to show."""
    info = next((info for info in catalogue.available() if info.path == dotted), None)
    if info is None:
        return {"algorithm": None, "tables": []}
    return {"algorithm": info, "tables": parameter_help.tables(info.schema)}
