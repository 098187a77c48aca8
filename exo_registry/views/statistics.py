"""The statistics of a series, as a fragment that its page loads after itself."""

import datetime as dt
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from algorithms.analysis.statistics import DEFINITIONS, DayChange, Performance
from exo_registry.models import Series
from exo_registry.models.bounds import CAPITAL
from exo_registry.series.performance import series_performance
from exo_registry.templatetags.exoweb import ABSENT, direction, number, over, signed
from exo_registry.web.form_fields import DateField

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TINTS = 4  # steps of background behind a month, by size against the largest


class Figure(NamedTuple):
    """A key number: what it is called, how it reads, what it means, its style class, and a second line."""

    label: str
    text: str
    definition: str = ""
    style: str = ""
    note: str = ""


class Month(NamedTuple):
    """A cell of the monthly table."""

    text: str
    style: str


class YearLine(NamedTuple):
    """A line of the monthly table: twelve cells and their total, the capital of the year, and the total over it."""

    year: int
    cells: list[Month]
    total: Month
    capital: str
    total_return: str


class PeriodForm(forms.Form):
    """What the statistics are of, and on: both optional."""

    start = DateField(required=False, label="Since", widget=forms.DateInput(attrs={"type": "date"}))
    capital = forms.FloatField(
        required=False,
        validators=[CAPITAL],
        label="Capital",
        widget=forms.NumberInput(attrs={"step": "any", "min": "1"}),
    )


@require_safe
def statistics(request: HttpRequest, name: str) -> HttpResponse:
    """Key numbers and monthly table, since ?start= and on ?capital=."""
    series = get_object_or_404(
        Series.objects.select_related("product", "definition").defer("state", "sparkline"), name=name
    )
    form = PeriodForm(request.GET)
    context: dict[str, Any] = {"series": series, "form": form, "start": None, "capital": None}
    if form.is_valid():
        context |= form.cleaned_data
        performance = series_performance(series, start=context["start"], capital=context["capital"])
        months = monthly(performance)
        figures = groups(performance, series.product.currency, given=context["capital"] is not None)
        context |= {"performance": performance, "groups": figures, "months": months, "names": MONTHS}
    return render(request, "parts/statistics.html", context)


def percent(value: float | None, decimals: int = 1) -> str:
    return ABSENT if value is None else f"{number(100 * value, decimals)} %"


def signed_percent(value: float | None) -> str:
    return ABSENT if value is None else f"{signed(100 * value, 1)} %"


def day(date: dt.date | None) -> str:
    return ABSENT if date is None else date.isoformat()


def groups(performance: Performance, currency: str = "", *, given: bool = False) -> list[tuple[str, list[Figure]]]:
    """The key numbers under their headings, as they read; amounts with the currency in their label, if there is one.
    `given`: the capital is what the reader asked for."""
    unit = f", {currency}" if currency else ""

    def figure(label: str, name: str, text: str, *, style: str = "", note: str = "") -> Figure:
        return Figure(label, text, DEFINITIONS.get(name, ""), style, note)

    def gain(label: str, name: str, text: str) -> Figure:
        return figure(label, name, text, style=direction(getattr(performance, name)))

    def session(label: str, name: str, change: DayChange | None) -> Figure:
        if change is None:
            return figure(label, name, ABSENT)
        note = " ".join([day(change.date), over(change.sessions)]).strip()
        return figure(label, name, signed(change.change, 0), style=direction(change.change), note=note)

    return [
        (
            "Return",
            [
                gain(f"Profit{unit}", "profit", signed(performance.profit, 0)),
                gain("Return on capital", "total_return", signed_percent(performance.total_return)),
                gain("Annual return", "annual_return", signed_percent(performance.annual_return)),
                gain("By sessions", "mean_return", signed_percent(performance.mean_return)),
                figure("Years", "", number(performance.years, 1)),
                figure(f"Capital{unit}", "capital", number(performance.capital, 0), note=basis(performance, given)),
            ],
        ),
        (
            "Risk",
            [
                figure("Volatility a year", "volatility", percent(performance.volatility)),
                figure("Sharpe", "sharpe", number(performance.sharpe)),
                figure("Sortino", "sortino", number(performance.sortino)),
                figure("Calmar", "calmar", number(performance.calmar)),
            ],
        ),
        (
            "Max drawdown",
            [
                figure(f"Amount{unit}", "max_drawdown", fall(performance.max_drawdown)),
                figure("Of the capital", "drawdown_return", percent(performance.drawdown_return)),
                figure("Peak", "peak", day(performance.peak)),
                figure("Trough", "trough", day(performance.trough)),
                figure("Made good", "recovery", recovery(performance)),
            ],
        ),
        (
            "Sessions",
            [
                figure("Hit rate", "hit_rate", percent(performance.hit_rate)),
                session("Best", "best", performance.best),
                session("Worst", "worst", performance.worst),
                figure("In the market", "in_market", percent(performance.in_market)),
                figure("On older bars", "stale_sessions", number(performance.stale_sessions, 0)),
                figure("Oldest bar", "oldest_bar", days(performance.oldest_bar)),
            ],
        ),
        (
            "Trading",
            [
                figure("Trades", "trades", number(performance.trades, 0)),
                figure("Contracts", "contracts_traded", number(performance.contracts_traded, 0)),
                figure("Turnover a year", "turnover", times(performance.turnover)),
                figure("Average holding", "average_holding", days(performance.average_holding, 1)),
                figure(f"Total costs{unit}", "costs", number(performance.costs, 0)),
            ],
        ),
    ]


def basis(performance: Performance, given: bool) -> str:
    """Where the capital comes from."""
    if performance.capital_basis == "notional":
        year = max(row.year for row in performance.months if row.capital)
        return f"notional, start of {year}"
    if performance.capital_basis == "declared":
        return "as given above" if given else "declared"
    return "not known"


def fall(amount: float | None) -> str:
    """A drawdown, which is kept as a positive amount, as the loss that it is."""
    return number(-amount if amount else amount, 0)


def recovery(performance: Performance) -> str:
    if performance.recovery is not None:
        return day(performance.recovery)
    return "not yet" if performance.peak else ABSENT


def times(value: float | None) -> str:
    return ABSENT if value is None else f"{number(value, 1)} ×"


def days(count: float | None, decimals: int = 0) -> str:
    if count is None:
        return ABSENT
    return f"{number(count, decimals)} {'day' if count == 1 else 'days'}"


def monthly(performance: Performance) -> list[YearLine]:
    """The monthly table, newest year first."""
    changes = [change for row in performance.months for change in row.months if change is not None]
    largest = max(map(abs, changes), default=0.0)
    return [
        YearLine(
            row.year,
            [month(change, largest) for change in row.months],
            month(row.total, 0.0),
            number(row.capital, 0),
            signed_percent(row.total_return),
        )
        for row in reversed(performance.months)
    ]


def month(change: float | None, largest: float) -> Month:
    """A change with its sign, on a background that grows with it; an empty cell for a month without a point."""
    if change is None:
        return Month("", "none")
    side = "up" if change > 0 else "down"
    step = 0 if not change or not largest else min(TINTS, 1 + int(TINTS * abs(change) / largest))
    return Month(signed(change, 0), f"{side}{step}" if step else "")
