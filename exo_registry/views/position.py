"""What a series holds now, and what it pays: fragments that its page loads after itself."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from algorithms.analysis.valuation import NOTHING_CHANGES, Line, WhatIf
from exo_registry.models import Series
from exo_registry.series.position import WHAT_IF_LIMITS, CurrentPosition, PositionError, WhatIfError, current
from exo_registry.web.form_fields import labelled_errors

from .payoff_plot import plot


def _part(name: str, label: str, scale: float = 1.0) -> forms.FloatField:
    low, high = (scale * limit for limit in WHAT_IF_LIMITS[name])
    return forms.FloatField(required=False, label=label, min_value=low, max_value=high)


class WhatIfForm(forms.Form):
    """A change of the world in the units of a person: points, volatility points, calendar days."""

    price = _part("price", "Price shift")
    vol = _part("vol", "Volatility shift", scale=100.0)
    days = _part("days", "Days ahead")

    def what_if(self) -> WhatIf:
        """Raises nothing once the form is valid; what is left empty does not change."""
        price, vol, days = (self.cleaned_data[name] or 0.0 for name in ("price", "vol", "days"))
        return WhatIf(price, vol / 100.0, days)


@require_safe
def position(request: HttpRequest, name: str) -> HttpResponse:
    """The holdings with their Greeks, the form of the what-if, and the payoff."""
    return render(request, "parts/position.html", context(request, name))


@require_safe
def payoff(request: HttpRequest, name: str) -> HttpResponse:
    """The payoff alone, after a what-if: ?price= in points, ?vol= in volatility points, ?days=."""
    return render(request, "parts/payoff.html", context(request, name))


def context(request: HttpRequest, name: str) -> dict[str, Any]:
    series = get_object_or_404(Series.objects.select_related("product").defer("sparkline"), name=name)
    form = WhatIfForm(request.GET)
    position, problem = None, ""
    try:
        position = valued(series, form)
    except PositionError as error:
        problem = str(error)
    shown = {"series": series, "position": position, "problem": problem, "errors": labelled_errors(form)}
    if position is not None and not position.is_flat:
        shown |= {
            "lines": [(value, value.line, paid(value.line)) for value in position.now.lines],
            "plot": plot(position),
            "bounds": bounds(position),
            "changed": position.what_if != NOTHING_CHANGES,
            "change": position.after.profit - position.now.profit,
        }
    return shown


def valued(series: Series, form: WhatIfForm) -> CurrentPosition | None:
    """The position after the form's what-if; as it is, with an error in the form, if that cannot be."""
    if form.is_valid():
        try:
            return current(series, form.what_if())
        except WhatIfError as error:
            form.add_error(error.part, str(error))
    return current(series)


def paid(line: Line) -> float:
    """Average price paid or received, in points."""
    return line.cost / (line.qty * line.point_value)


def bounds(position: CurrentPosition) -> list[tuple[str, float | None, float | None]]:
    """Highest and lowest profit at expiry: what it is called, the amount (None: unbounded) and the price of it."""
    best = position.extremes
    return [
        ("Largest profit", best.highest, best.highest_at),
        ("Largest loss", best.lowest, best.lowest_at),
    ]
