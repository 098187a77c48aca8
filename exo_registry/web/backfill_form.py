"""The form of a backfill, on its page and in the admin: which series, from when, until when, and how thoroughly."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from exo_registry.market.session_lists import readable_calendars
from exo_registry.models import Definition, Product, Run, Series
from exo_registry.runs.request import DEFAULT_MODE, RequestError, RunRequest

from .form_fields import DateField

CHOICES = {"series": "pk__in", "product": "product__in", "exo": "definition__in"}  # field -> lookup of series


class BackfillForm(forms.Form):
    """A valid form has `asked`, the RunRequest. Nothing chosen means every series.

    What is sent without a start, as when the form is opened, starts with the first session there is if none of the
    chosen series has any point; without a mode, with the default one.
    """

    series = forms.ModelMultipleChoiceField(Series.objects.all(), to_field_name="name", required=False)
    product = forms.ModelMultipleChoiceField(Product.objects.all(), to_field_name="exchangesymbol", required=False)
    exo = forms.ModelMultipleChoiceField(Definition.objects.all(), to_field_name="name", required=False)
    start = DateField(
        label="From",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="First session of series without points. Earlier than what is stored: computed again from there.",
    )
    until = DateField(
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="Last session. Empty: the newest complete one.",
    )
    mode = forms.ChoiceField(label="What", choices=Run.Mode.choices)

    asked: RunRequest

    def __init__(self, data: QueryDict, rows: Mapping[str, list[Any]] | None = None) -> None:
        """rows: what was chosen elsewhere, by field; None: it is named in `data`."""
        self.sent = data.copy()
        super().__init__(self.sent)
        self.rows = rows
        if rows is not None:
            for name in CHOICES:
                del self.fields[name]
        if not self.sent.get("mode"):
            self.sent["mode"] = DEFAULT_MODE
        if "start" not in self.sent:
            self.sent["start"] = str(self._first_session() or "")

    def clean(self) -> dict[str, Any]:
        super().clean()
        cleaned = self.cleaned_data
        try:
            self.asked = RunRequest(
                products=self._chosen("product") or None,
                definitions=self._chosen("exo") or None,
                series=self._chosen("series") or None,
                start=cleaned.get("start"),
                until=cleaned.get("until"),
                mode=cleaned.get("mode", DEFAULT_MODE),
            )
        except RequestError as error:
            self.add_error(error.field, str(error))
        return cleaned

    @property
    def subject(self) -> str:
        """What the run is about, by name."""
        return ", ".join(str(row) for name in CHOICES for row in self._chosen(name)) or "every series in calculation"

    @property
    def hidden_choices(self) -> list[tuple[str, str]]:
        """What was chosen before the form was shown, to be sent along with it."""
        return [(name, value) for name in CHOICES for value in self.sent.getlist(name)]

    def _chosen(self, name: str) -> list[Any]:
        """The rows chosen in a field; none where what was sent is wrong."""
        if self.rows is not None:
            return list(self.rows.get(name, ()))
        try:
            return list(self.fields[name].clean(self.sent.getlist(name)))
        except ValidationError:
            return []

    def _first_session(self) -> dt.date | None:
        """First session of the products of the chosen series; None if one of them has points."""
        series = Series.objects.in_calculation().select_related("product").only("last_session", "product")
        for name, lookup in CHOICES.items():
            if chosen := self._chosen(name):
                series = series.filter(**{lookup: [row.pk for row in chosen]})
        rows = list(series)
        if any(row.last_session is not None for row in rows):
            return None
        calendars, _ = readable_calendars({row.product for row in rows})
        return min((calendar.dates[0].item() for calendar in calendars.values() if calendar), default=None)
