"""Performance of a series: statistics of its profit and loss in the currency, on a declared capital.

A series is the profit and loss of a position of fixed size, without interest and without reinvestment. So returns
are not compounded: a session's return is its change of `exo` over the capital, the same capital throughout. Sharpe,
Sortino, Calmar, hit rate and the drawdown in the currency do not depend on the capital at all.

What is not there is left out and never taken as zero:
- a change between two points with a gap between them is the work of several sessions. It counts in totals, months
  and drawdown; it is left out of what is said of single sessions (volatility, Sharpe, Sortino, hit rate, best and
  worst session), and `changes_over_gaps` tells how many there were;
- a month without a point is None; the next point's change, which made up for it, counts in its own month;
- a statistic that cannot be computed (too few points, no loss to divide by, no capital) is None.

docs/statistics.md has the definitions with their sources; `DEFINITIONS` says each in a sentence.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

SESSIONS_A_YEAR = 252
DAYS_A_YEAR = 365.25
FLAT = 1e-12  # a deviation this small against the changes is rounding

Columns = Mapping[str, Sequence[Any]]
Figures = dict[str, Any]  # some fields of a Performance, by name

DEFINITIONS = {
    "profit": "Change of exo over the period, net of costs.",
    "total_return": "Profit / capital.",
    "annual_profit": "Profit / years, years being calendar days / 365.25.",
    "annual_return": "Annual profit / capital, not compounded.",
    "annual_deviation": "Standard deviation (n - 1) of session changes x √252, in the currency.",
    "volatility": "The same deviation / capital.",
    "sharpe": "Mean / standard deviation of session changes x √252; nothing is subtracted, futures need no funding.",
    "sortino": "Mean / downside deviation of session changes x √252; target zero, over all sessions.",
    "max_drawdown": "Largest fall of exo from a peak, in the currency.",
    "drawdown_return": "Largest fall / capital.",
    "peak": "Session of the peak before the largest fall.",
    "trough": "Session of its lowest point.",
    "recovery": "First session at or above the peak again; none yet if empty.",
    "calmar": "Annual profit / largest fall, over the whole period.",
    "hit_rate": "Sessions with a gain / sessions with a gain or a loss.",
    "best": "Session with the largest gain.",
    "worst": "Session with the largest loss.",
    "months": "Change of exo over each calendar month, in the currency.",
    "trades": "Trades made.",
    "contracts_traded": "Sum of absolute quantities, bought and sold.",
    "turnover": "Half of the traded value (price x quantity x point value, bought and sold) / capital / years.",
    "average_holding": "Calendar days from opening to closing, first in first out, weighted by quantity; closed lots.",
    "in_market": "Sessions that ended with an open position / sessions.",
    "costs": "Trading costs, already taken off the profit.",
}


class DayChange(NamedTuple):
    """A session's change of exo, in the currency."""

    date: dt.date
    change: float


class YearRow(NamedTuple):
    """A line of the monthly table: twelve changes of exo in the currency, None without a point; and their sum."""

    year: int
    months: list[float | None]
    total: float


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Statistics of a series; `DEFINITIONS` says what each is. Money is in the product's currency; returns,
    volatility, rates and shares are fractions; None is what cannot be computed.

    points: sessions with a value. gaps: sessions without one. first, last: dates of the first and last point.
    """

    points: int = 0
    gaps: int = 0
    changes_over_gaps: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    years: float | None = None
    capital: float | None = None
    profit: float | None = None
    total_return: float | None = None
    annual_profit: float | None = None
    annual_return: float | None = None
    annual_deviation: float | None = None
    volatility: float | None = None
    sharpe: float | None = None
    sortino: float | None = None
    max_drawdown: float | None = None
    drawdown_return: float | None = None
    peak: dt.date | None = None
    trough: dt.date | None = None
    recovery: dt.date | None = None
    calmar: float | None = None
    hit_rate: float | None = None
    best: DayChange | None = None
    worst: DayChange | None = None
    months: list[YearRow] = field(default_factory=list)
    trades: int = 0
    contracts_traded: float = 0.0
    turnover: float | None = None
    average_holding: float | None = None
    in_market: float | None = None
    costs: float | None = None


def performance(
    points: Columns,
    trades: Columns,
    *,
    gaps: Iterable[dt.date] = (),
    capital: float | None = None,
    start: dt.date | None = None,
) -> Performance:
    """The statistics of a series.

    Points and trades may be a dict of lists or a pandas frame, and begin with the series.

    Args:
        points: Columns `date` (ascending), `exo`, `nfutures_opened`, `noptions_opened`, `costs`.
        trades: Columns `date`, `contract`, `qty`, `value`, in order.
        gaps: Dates of the sessions that have no point.
        capital: In the currency, above zero; None leaves out what needs it (`notional` gives a default).
        start: Look at the sessions from this date on; what came before it is only where they start from.

    Raises:
        ValueError: The capital is not above zero.
    """
    if capital is not None and not capital > 0:
        raise ValueError(f"the capital must be above zero, not {capital:g}")
    dates = np.asarray(points["date"], dtype="datetime64[D]")
    missing = np.sort(np.asarray(list(gaps), dtype="datetime64[D]"))
    low = 0 if start is None else int(np.searchsorted(dates, np.datetime64(start)))
    period = slice(low, None)
    dates_in = dates[period]
    quantities, values = _amounts(trades, start)
    figures: Figures = {
        "points": len(dates_in),
        "gaps": int((missing >= np.datetime64(start)).sum()) if start else len(missing),
        "capital": capital,
        "trades": len(quantities),
        "contracts_traded": float(quantities.sum()),
        "average_holding": average_holding(trades, start),
    }
    if not len(dates_in):
        return Performance(**figures)
    exo = np.asarray(points["exo"], float)
    before = float(exo[low - 1]) if low else 0.0
    path = exo[period]
    begun = dates[low - 1] if low else dates[0]
    years = float((dates[-1] - begun).astype(int)) / DAYS_A_YEAR or None
    opened = sum(np.asarray(points[name], float)[period] for name in ("nfutures_opened", "noptions_opened"))
    figures |= {
        "first": dates_in[0].item(),
        "last": dates_in[-1].item(),
        "years": years,
        "profit": float(path[-1]) - before,
        "in_market": float(np.mean(opened > 0.0)),
        "costs": float(np.sum(np.asarray(points["costs"], float)[period])),
        "turnover": float(values.sum()) / 2.0 / capital / years if capital and years else None,
        "months": _months(dates_in, path, before),
    }
    figures |= _sessions(dates, exo, missing, low)
    figures |= _drawdown(dates_in, path, before, begun)
    return Performance(**_ratios(figures))


def _amounts(trades: Columns, start: dt.date | None) -> tuple[np.ndarray, np.ndarray]:
    """Absolute quantities and values of the trades from `start` on."""
    dates = np.asarray(trades["date"], dtype="datetime64[D]")
    kept = slice(None) if start is None else dates >= np.datetime64(start)
    return tuple(np.abs(np.asarray(trades[name], float)[kept]) for name in ("qty", "value"))


def _sessions(dates: np.ndarray, exo: np.ndarray, missing: np.ndarray, low: int) -> Figures:
    """What is said of single sessions."""
    first = max(low - 1, 0)
    changes, ends = np.diff(exo[first:]), dates[first + 1 :]
    begins = dates[first:-1]
    whole = np.searchsorted(missing, ends) == np.searchsorted(missing, begins, side="right")
    figures: Figures = {"changes_over_gaps": int((~whole).sum())}
    changes, ends = changes[whole], ends[whole]
    gains, losses = int((changes > 0).sum()), int((changes < 0).sum())
    if gains + losses:
        figures["hit_rate"] = gains / (gains + losses)
    if gains:
        best = int(np.argmax(changes))
        figures["best"] = DayChange(ends[best].item(), float(changes[best]))
    if losses:
        worst = int(np.argmin(changes))
        figures["worst"] = DayChange(ends[worst].item(), float(changes[worst]))
    if len(changes) < 2:
        return figures
    mean, deviation = float(changes.mean()), float(changes.std(ddof=1))
    downside = float(np.sqrt(np.mean(np.minimum(changes, 0.0) ** 2)))
    year = np.sqrt(SESSIONS_A_YEAR)
    varies = deviation > FLAT * float(np.abs(changes).max())
    figures["annual_deviation"] = float(deviation * year) if varies else 0.0
    figures["sharpe"] = float(mean / deviation * year) if varies else None
    figures["sortino"] = float(mean / downside * year) if downside > 0.0 else None
    return figures


def _drawdown(dates: np.ndarray, path: np.ndarray, before: float, begun: np.datetime64) -> Figures:
    """The largest fall from a peak, and its dates. What the series starts from is a peak too."""
    if len(path) < 2:
        return {}
    levels, days = np.concatenate(([before], path)), np.concatenate(([begun], dates))
    peaks = np.maximum.accumulate(levels)
    trough = int(np.argmin(levels - peaks))
    fall = float(peaks[trough] - levels[trough])
    if not fall > 0.0:
        return {"max_drawdown": 0.0}
    peak = int(np.flatnonzero(levels[: trough + 1] == peaks[trough])[-1])
    back = np.flatnonzero(levels[trough:] >= peaks[trough])
    return {
        "max_drawdown": fall,
        "peak": days[peak].item(),
        "trough": days[trough].item(),
        "recovery": days[trough + int(back[0])].item() if len(back) else None,
    }


def _ratios(figures: Figures) -> Figures:
    """What is made of the others: by year, and on the capital."""

    def over(name: str, divisor: float | None) -> float | None:
        amount = figures.get(name)
        return None if amount is None or not divisor else amount / divisor

    capital = figures["capital"]
    figures["annual_profit"] = over("profit", figures["years"])
    figures["calmar"] = over("annual_profit", figures.get("max_drawdown"))
    for name, amount in (
        ("total_return", "profit"),
        ("annual_return", "annual_profit"),
        ("volatility", "annual_deviation"),
        ("drawdown_return", "max_drawdown"),
    ):
        figures[name] = over(amount, capital)
    return figures


def _months(dates: np.ndarray, path: np.ndarray, before: float) -> list[YearRow]:
    """Change of exo by month, from the last point before it to its last point."""
    months = dates.astype("datetime64[M]").astype(int)
    last = np.flatnonzero(np.append(np.diff(months) != 0, True))
    changes = np.diff(path[last], prepend=before).tolist()
    table: dict[int, list[float | None]] = {}
    for month, change in zip(months[last].tolist(), changes, strict=True):
        year, number = divmod(month, 12)
        table.setdefault(1970 + year, [None] * 12)[number] = change
    return [YearRow(year, row, sum(change for change in row if change is not None)) for year, row in table.items()]


def average_holding(trades: Columns, start: dt.date | None = None) -> float | None:
    """Mean calendar days between opening and closing a lot, first in first out, weighted by quantity.

    Args:
        trades: Columns `date`, `contract`, `qty`, in order.
        start: Lots closed before it do not count; nor do those that are still open.

    Returns:
        In days; None if no lot was closed.
    """
    lots: dict[str, deque[list[Any]]] = {}
    days = closed = 0.0
    for date, contract, qty in zip(trades["date"], trades["contract"], trades["qty"], strict=True):
        held, left = lots.setdefault(contract, deque()), float(qty)
        while left and held and (held[0][1] > 0) != (left > 0):
            part = min(abs(held[0][1]), abs(left))
            if start is None or date >= start:
                days += part * (date - held[0][0]).days
                closed += part
            held[0][1] -= np.copysign(part, held[0][1])
            left -= np.copysign(part, left)
            if not held[0][1]:
                held.popleft()
        if left:
            held.append([date, left])
    return float(days / closed) if closed else None


def notional(trades: Columns, prices: Mapping[dt.date, float], point_value: float) -> float | None:
    """The default capital: the largest notional that the strategy controlled, as if nothing were bought on margin.

    After each session's trades: the largest absolute quantity held of one contract, times the price of the product's
    future on that date, times the future's point value; of these the largest. One future with options around it, a
    spread and a condor of one contract each all get the notional of one future. It depends on no delta, so that a
    neutral position does not get a capital near zero; and on no margin rule.

    Args:
        trades: Columns `date`, `contract`, `qty`, in order.
        prices: Of the future, in points, by date; a session of trades without one does not count.
        point_value: Currency per 1.0 of the future's price.

    Returns:
        In the currency; None if there is no session that counts.
    """
    held: dict[str, float] = {}
    largest: dict[dt.date, float] = {}
    for date, contract, qty in zip(trades["date"], trades["contract"], trades["qty"], strict=True):
        held[contract] = held.get(contract, 0.0) + float(qty)
        if not held[contract]:
            del held[contract]
        largest[date] = max(map(abs, held.values()), default=0.0)
    amounts = [qty * abs(prices[date]) * point_value for date, qty in largest.items() if date in prices]
    return max(amounts, default=0.0) or None
