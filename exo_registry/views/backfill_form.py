"""The form of a backfill: which series, from when, until when, and how thoroughly."""

from typing import Any

from django import forms

from exo_registry.models import Definition, Product, Run, Series


class BackfillForm(forms.Form):
    """`chosen()` gives the arguments of `runs.plan.make_plan`. Nothing named in the form means every series."""

    series = forms.ModelMultipleChoiceField(Series.objects.all(), to_field_name="name", required=False)
    product = forms.ModelMultipleChoiceField(Product.objects.all(), to_field_name="exchangesymbol", required=False)
    exo = forms.ModelMultipleChoiceField(Definition.objects.all(), to_field_name="name", required=False)
    start = forms.DateField(required=False)
    until = forms.DateField(required=False)
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
            "start": cleaned["start"] or None,
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
        return self.data.get("start", "")

    @property
    def mode_value(self) -> str:
        return self.data.get("mode") or Run.Mode.STALE
