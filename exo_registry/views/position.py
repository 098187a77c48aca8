"""What a series holds now, and what it pays: fragments that its page loads after itself."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from algorithms.engine.analytics import NOTHING_CHANGES, Line, WhatIf
from exo_registry.models import Series
from exo_registry.position import CurrentPosition, PositionError, current

from .payoff_plot import plot

FAR = 3653  # days ahead, ten years


class WhatIfForm(forms.Form):
    """A change of the world in the units of a person: points, volatility points, calendar days."""

    price = forms.FloatField(required=False, label="Price shift", min_value=-1e6, max_value=1e6)
    vol = forms.FloatField(required=False, label="Volatility shift", min_value=-100, max_value=500)
    days = forms.FloatField(required=False, label="Days ahead", min_value=0, max_value=FAR)

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
    one = get_object_or_404(Series.objects.select_related("product").defer("sparkline"), name=name)
    form = WhatIfForm(request.GET)
    found, problem = None, ""
    try:
        found = current(one, form.what_if() if form.is_valid() else NOTHING_CHANGES)
    except PositionError as error:
        problem = str(error)
    shown = {"series": one, "position": found, "problem": problem, "errors": errors(form)}
    if found is not None and not found.is_flat:
        shown |= {
            "lines": [(value, value.line, paid(value.line)) for value in found.now.lines],
            "plot": plot(found),
            "bounds": bounds(found),
            "changed": found.what_if != NOTHING_CHANGES,
            "change": found.after.profit - found.now.profit,
        }
    return shown


def errors(form: forms.Form) -> list[str]:
    return [f"{form.fields[name].label}: {text}" for name, texts in form.errors.items() for text in texts]


def paid(line: Line) -> float:
    """Average price paid or received, in points."""
    return line.cost / (line.qty * line.point_value)


def bounds(found: CurrentPosition) -> list[tuple[str, float | None, float | None]]:
    """Highest and lowest profit at expiry: what it is called, the amount (None: unbounded) and the price of it."""
    best = found.extremes
    return [
        ("Largest profit", best.highest, best.highest_at),
        ("Largest loss", best.lowest, best.lowest_at),
    ]
