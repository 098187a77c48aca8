"""Registry rows as CSV files: products in and out, EXO definitions out only (registry files bring them in)."""

from typing import Any

from django.core.exceptions import ValidationError
from import_export import fields, resources, widgets
from import_export.formats import base_formats
from tablib import Dataset

from exo_registry import definitions as registry
from exo_registry.formats import csv_text
from exo_registry.models import Definition, Product


class CSV(base_formats.CSV):
    """CSV by exoweb's writer. Reading takes off again what the writer puts before text that looks like a formula."""

    def export_data(self, dataset: Dataset, **kwargs: Any) -> str:
        return "".join(csv_text.lines(dataset.headers, dataset))

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Dataset:
        read = super().create_dataset(in_stream, **kwargs)
        return Dataset(*([csv_text.unguard(value) for value in row] for row in read), headers=read.headers)


class WordsWidget(widgets.Widget):
    """A list in one cell, its parts separated by spaces, as market packs have it: 3 6 9 12."""

    def __init__(self, kind: type = str) -> None:
        super().__init__()
        self.kind = kind

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> list[Any]:
        try:
            return [self.kind(part) for part in str(value or "").split()]
        except ValueError as error:
            raise ValueError(f"{value!r} is not a list of numbers separated by spaces.") from error

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return " ".join(str(part) for part in value or ())


class ProductResource(resources.ModelResource):
    """A row changes the product with its symbol, or makes it. Columns that a file leaves out keep their values."""

    rollover_months = fields.Field("rollover_months", "rollover_months", widget=WordsWidget(int))
    option_codes = fields.Field("option_codes", "option_codes", widget=WordsWidget())
    calendar = fields.Field("calendar", "calendar", default="")  # an empty cell is no calendar, not the usual one

    class Meta:
        model = Product
        import_id_fields = ("exchangesymbol",)
        exclude = ("id", "active")  # going into calculation is a click of its own, with its own check
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        use_transactions = True

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        symbol = str(row.get("exchangesymbol") or "").strip()
        if not symbol:
            raise ValidationError("exchangesymbol: is needed and missing.")
        row["exchangesymbol"] = symbol

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        if not kwargs.get("dry_run"):
            registry.sync_series()


class DefinitionResource(resources.ModelResource):
    """A definition with the symbols of its products."""

    products = fields.Field("products", "products", widget=widgets.ManyToManyWidget(Product, " ", "exchangesymbol"))
    parameters = fields.Field("parameters", "parameters", widget=widgets.JSONWidget())

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
