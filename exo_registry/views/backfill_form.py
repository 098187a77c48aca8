"""The form of a backfill: which series, from when, until when, and how thoroughly."""

import datetime as dt
from typing import Any

from django import forms

from exo_registry.models import Definition, Product, Run, Series
from exo_registry.runs.sessions import calendars

NOT_A_DATE = {"invalid": "not a date: write it as YYYY-MM-DD."}


class BackfillForm(forms.Form):
    """`chosen()` gives the arguments of `runs.plan.make_plan`. Nothing named in the form means every series."""

    series = forms.ModelMultipleChoiceField(Series.objects.all(), to_field_name="name", required=False)
    product = forms.ModelMultipleChoiceField(Product.objects.all(), to_field_name="exchangesymbol", required=False)
    exo = forms.ModelMultipleChoiceField(Definition.objects.all(), to_field_name="name", required=False)
    start = forms.DateField(label="From", required=False, input_formats=["%Y-%m-%d"], error_messages=NOT_A_DATE)
    until = forms.DateField(required=False, input_formats=["%Y-%m-%d"], error_messages=NOT_A_DATE)
    mode = forms.ChoiceField(choices=Run.Mode.choices, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        start, until = cleaned.get("start"), cleaned.get("until")
        if start and until and start > until:
            self.add_error("until", f"{until} is before the first session asked for, {start}.")
        return cleaned

    def chosen(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        return {
            "series": list(cleaned["series"]) or None,
            "products": list(cleaned["product"]) or None,
            "exos": list(cleaned["exo"]) or None,
            "start": cleaned["start"] if "start" in self.data else self.first_session(),
            "until": cleaned["until"] or None,
            "mode": cleaned["mode"] or Run.Mode.STALE,
        }

    @property
    def subject(self) -> str:
        """What the run is about, in words."""
        names = [str(one) for field in ("series", "product", "exo") for one in self.cleaned_data.get(field) or ()]
        return ", ".join(names) or "every series in calculation"

    @property
    def hidden_choices(self) -> list[tuple[str, str]]:
        """What was chosen before the form was shown, to be sent along with it."""
        return [(name, value) for name in ("series", "product", "exo") for value in self.data.getlist(name)]

    @property
    def start_value(self) -> str:
        """What was typed; before anything was, the first session of products whose series have no points yet."""
        if "start" in self.data:
            return self.data["start"]
        return str(self.first_session() or "")

    @property
    def until_value(self) -> str:
        return self.data.get("until", "")

    @property
    def mode_value(self) -> str:
        return self.data.get("mode") or Run.Mode.STALE

    def first_session(self) -> dt.date | None:
        """First session of the products on which a chosen series has no points; None if all have some."""
        if not self.is_valid():
            return None
        found = Series.objects.filter(last_session=None, product__active=True, definition__enabled=True)
        for lookup, field in (("pk__in", "series"), ("product__in", "product"), ("definition__in", "exo")):
            if chosen := self.cleaned_data[field]:
                found = found.filter(**{lookup: chosen})
        products = {one.product for one in found.select_related("product")}
        dates = [calendar.dates[0].item() for calendar in calendars(products).values() if calendar]
        return min(dates, default=None)
