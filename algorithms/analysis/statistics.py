"""Performance of a series: statistics of its profit and loss in the currency, and of returns on a capital.

A series is the profit and loss of a position of fixed size, without interest and without reinvestment. So returns
are not compounded: a session's return is its change of `exo` over the capital, and returns add up. The capital is
declared, the same throughout, or by year: then a change is divided by that of the year in which it ends.

Every change between two points counts. One over k sessions, with k - 1 gaps between its points, is taken for the sum
of k session changes that were not seen: it enters the mean with its whole amount, and the variance with the square of
what it differs from k means, over k (`session_moments`). So the mean times the sessions is the whole change, and
Sharpe x volatility is the mean return of a year, with gaps and without.

What is not there is left out and never taken as zero:
- a month without a point is None; the next point's change, which made up for it, counts in its own month;
- a statistic that cannot be computed (too few points, no loss to divide by, no capital) is None.

docs/statistics.md has the definitions with their sources; `DEFINITIONS` says each in a sentence.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from .capital import Capital, Columns, Returns, check_capital, over_capital, returns_on, years_of

SESSIONS_A_YEAR = 252
DAYS_A_YEAR = 365.25
FLAT = 1e-12  # a deviation this small against the changes is rounding

CapitalBasis = Literal["declared", "notional", "unknown"]
Figures = dict[str, Any]  # some fields of a Performance, by name

DEFINITIONS = {
    "profit": "Change of exo over the period, net of costs.",
    "capital": "What changes are divided by to be returns: the declared amount, the same throughout; else the notional "
    "at the start of each year (largest quantity of one contract x price of the future x its point value). Here: of "
    "the newest year.",
    "total_return": "Sum of the returns, each a change / the capital of its year; not compounded.",
    "annual_profit": "Profit / years, years being calendar days / 365.25.",
    "annual_return": "Total return / years, not compounded.",
    "mean_return": "Mean session return x 252, which is Sharpe x volatility: the annual return by sessions.",
    "annual_deviation": "Standard deviation of a session's change x √252, in the currency; a change over k sessions "
    "enters the variance with its square over k.",
    "volatility": "Standard deviation of a session's return x √252, likewise.",
    "sharpe": "Mean / standard deviation of session returns x √252; nothing is subtracted, futures need no funding.",
    "sortino": "Mean / downside deviation of session returns x √252; target zero, over all changes.",
    "max_drawdown": "Largest fall of exo from a peak, in the currency.",
    "drawdown_return": "Largest fall of the sum of returns from a peak, each return on the capital of its year.",
    "peak": "Session of the peak before the largest fall in the currency.",
    "trough": "Session of its lowest point.",
    "recovery": "First session at or above the peak again; none yet if empty.",
    "calmar": "Annual return / largest fall of the sum of returns, over the whole period.",
    "hit_rate": "Changes with a gain / changes with a gain or a loss. One over several sessions counts once: what "
    "its single sessions did is not known.",
    "best": "Largest gain between two points; it names its span if that is more than one session.",
    "worst": "Largest loss between two points, likewise.",
    "months": "Change of exo over each calendar month, in the currency.",
    "trades": "Trades made.",
    "contracts_traded": "Sum of absolute quantities, bought and sold.",
    "turnover": "Half of the traded value (price x quantity x point value, bought and sold) / capital / years.",
    "average_holding": "Calendar days from opening to closing, first in first out, weighted by quantity; closed lots.",
    "in_market": "Sessions that ended with an open position / sessions.",
    "stale_sessions": "Points at which a held contract was valued on a bar of an earlier date than the session.",
    "oldest_bar": "Age of the oldest such bar in calendar days: Friday's bar, used on Monday, is 3 days old.",
    "costs": "Trading costs, already taken off the profit.",
}


class DayChange(NamedTuple):
    """A change of exo between two points, in the currency: the date of the later one, and the sessions it is over."""

    date: dt.date
    change: float
    sessions: int = 1


class YearRow(NamedTuple):
    """A line of the monthly table: twelve changes of exo in the currency, None without a point; and their sum.

    `capital` is the year's, and `total_return` the sum of its returns: total / capital; None without a capital.
    """

    year: int
    months: list[float | None]
    total: float
    capital: float | None = None
    total_return: float | None = None


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Statistics of a series; `DEFINITIONS` says what each is. Money is in the product's currency; returns,
    volatility, rates and shares are fractions; None is what cannot be computed.

    points: sessions with a value. gaps: sessions without one. first, last: dates of the first and last point.
    changes_over_gaps: changes that are over more than one session. capital_basis: whether the capital is declared, or
    the notional of each year; unknown if a year with a change has none.
    """

    points: int = 0
    gaps: int = 0
    changes_over_gaps: int = 0
    stale_sessions: int = 0
    oldest_bar: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    years: float | None = None
    capital: float | None = None
    capital_basis: CapitalBasis = "unknown"
    profit: float | None = None
    total_return: float | None = None
    annual_profit: float | None = None
    annual_return: float | None = None
    mean_return: float | None = None
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
    capital: Capital | None = None,
    start: dt.date | None = None,
) -> Performance:
    """The statistics of a series.

    Points and trades may be a dict of lists or a pandas frame, and begin with the series.

    Args:
        points: Columns `date` (ascending), `exo`, `nfutures_opened`, `noptions_opened`, `costs`, `stale_days`.
        trades: Columns `date`, `contract`, `qty`, `value`, in order.
        gaps: Dates of the sessions that have no point.
        capital: In the currency, above zero: declared, or by year (`capital.yearly_notional`). None leaves out what
            needs it; the ratios are then those of any capital that is the same throughout.
        start: Look at the sessions from this date on; what came before it is only where they start from.

    Raises:
        ValueError: The capital is not above zero.
    """
    check_capital(capital)
    dates = np.asarray(points["date"], dtype="datetime64[D]")
    missing = np.unique(np.asarray(list(gaps), dtype="datetime64[D]"))
    low = 0 if start is None else int(np.searchsorted(dates, np.datetime64(start)))
    dates_in = dates[low:]
    traded = _since(trades, start)
    figures: Figures = {
        "points": len(dates_in),
        "gaps": int((missing >= np.datetime64(start)).sum()) if start else len(missing),
        "trades": len(traded["qty"]),
        "contracts_traded": float(np.abs(traded["qty"]).sum()),
        "average_holding": average_holding(trades, start),
    }
    if not len(dates_in):
        return Performance(**figures, **_capital(capital, None))
    exo = np.asarray(points["exo"], float)
    levels = np.concatenate((exo[low - 1 : low] if low else [0.0], exo[low:]))
    days = np.concatenate((dates[low - 1 : low] if low else dates[:1], dates_in))
    years = float((days[-1] - days[0]).astype(int)) / DAYS_A_YEAR or None
    returns = returns_on(capital, dates_in, levels)
    opened = sum(np.asarray(points[name], float)[low:] for name in ("nfutures_opened", "noptions_opened"))
    stale = np.asarray(points["stale_days"])[low:]
    figures |= {
        "first": dates_in[0].item(),
        "last": dates_in[-1].item(),
        "years": years,
        "profit": float(levels[-1] - levels[0]),
        "in_market": float(np.mean(opened > 0.0)),
        "costs": float(np.sum(np.asarray(points["costs"], float)[low:])),
        "stale_sessions": int((stale > 0).sum()),
        "oldest_bar": int(stale.max()),
        "months": _months(dates_in, levels, returns, capital),
    }
    used = capital if returns.unit else None
    figures |= _capital(used, figures["months"][-1].year)
    figures |= _changes(days, levels, returns, missing, first=0 if low else 1)
    figures |= _drawdown(days, levels)
    value = over_capital(used, traded["date"], np.abs(traded["value"]))
    return Performance(**_ratios(figures, returns, value))


def _since(trades: Columns, start: dt.date | None) -> dict[str, np.ndarray]:
    """Dates, quantities and values of the trades from `start` on."""
    dates = np.asarray(trades["date"], dtype="datetime64[D]")
    kept = slice(None) if start is None else dates >= np.datetime64(start)
    return {"date": dates[kept]} | {name: np.asarray(trades[name], float)[kept] for name in ("qty", "value")}


def _capital(capital: Capital | None, year: int | None) -> Figures:
    """What is said of the capital; that of the year, if it is by year."""
    if isinstance(capital, Mapping):
        known = [capital[at] for at in sorted(capital) if year is None or at <= year]
        return {"capital": known[-1], "capital_basis": "notional"} if known else {}
    return {"capital": capital, "capital_basis": "declared"} if capital else {}


def session_moments(changes: np.ndarray, spans: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the change of one session, from n changes x over k sessions each.

        mean m = sum(x) / sum(k),   variance = sum((x - k m)² / k) / (n - 1)

    Session changes of one mean and variance that do not depend on each other make changes of k times both. So both
    are unbiased, whatever the spans (weighted least squares; docs/statistics.md). With every k = 1 they are the mean
    and the sample standard deviation. Needs two changes.
    """
    mean = changes.sum() / spans.sum()
    variance = ((changes - spans * mean) ** 2 / spans).sum() / (len(changes) - 1)
    return float(mean), float(np.sqrt(variance))


def _changes(days: np.ndarray, levels: np.ndarray, returns: Returns, missing: np.ndarray, first: int) -> Figures:
    """What is said of changes between two points. `first` is the place of the first that has a point before it."""
    begins, ends = days[first:-1], days[first + 1 :]
    changes, measured = np.diff(levels)[first:], returns.changes[first:]
    spans = 1 + np.searchsorted(missing, ends) - np.searchsorted(missing, begins, side="right")
    figures: Figures = {"changes_over_gaps": int((spans > 1).sum())}

    def change(at: int) -> DayChange:
        return DayChange(ends[at].item(), float(changes[at]), int(spans[at]))

    gains, losses = int((changes > 0).sum()), int((changes < 0).sum())
    if gains + losses:
        figures["hit_rate"] = gains / (gains + losses)
    if gains:
        figures["best"] = change(int(np.argmax(changes)))
    if losses:
        figures["worst"] = change(int(np.argmin(changes)))
    if len(changes) < 2:
        return figures
    figures["annual_deviation"] = _varying(changes, spans) * np.sqrt(SESSIONS_A_YEAR).item()
    return figures | _of_sessions(measured, spans, returns)


def _varying(changes: np.ndarray, spans: np.ndarray) -> float:
    """The deviation of a session's change; 0 where it is but rounding."""
    deviation = session_moments(changes, spans)[1]
    return deviation if deviation > FLAT * float(np.abs(changes).max()) else 0.0


def _of_sessions(changes: np.ndarray, spans: np.ndarray, returns: Returns) -> Figures:
    """Mean, volatility and ratios of session returns."""
    year = np.sqrt(SESSIONS_A_YEAR).item()
    mean, deviation = session_moments(changes, spans)[0], _varying(changes, spans)
    downside = float(np.sqrt(np.mean(np.minimum(changes, 0.0) ** 2 / spans)))
    return {
        "mean_return": returns.over_capital(mean * SESSIONS_A_YEAR),
        "volatility": returns.over_capital(deviation * year),
        "sharpe": mean / deviation * year if deviation else None,
        "sortino": mean / downside * year if downside else None,
    }


def _fall(levels: np.ndarray) -> tuple[float, int, int] | None:
    """The largest fall from a peak, with the places of the peak's last and the bottom's first level; None without a
    change."""
    if len(levels) < 3:
        return None
    peaks = np.maximum.accumulate(levels)
    trough = int(np.argmin(levels - peaks))
    peak = int(np.flatnonzero(levels[: trough + 1] == peaks[trough])[-1])
    return float(peaks[trough] - levels[trough]), peak, trough


def _drawdown(days: np.ndarray, levels: np.ndarray) -> Figures:
    """The largest fall in the currency, and its dates. What the period starts from is a peak too."""
    fall = _fall(levels)
    if fall is None or not fall[0] > 0.0:
        return {} if fall is None else {"max_drawdown": 0.0}
    amount, peak, trough = fall
    back = np.flatnonzero(levels[trough:] >= levels[peak])
    return {
        "max_drawdown": amount,
        "peak": days[peak].item(),
        "trough": days[trough].item(),
        "recovery": days[trough + int(back[0])].item() if len(back) else None,
    }


def _ratios(figures: Figures, returns: Returns, traded: float | None) -> Figures:
    """What is made of the others: by year, and on the capital. `traded`: the traded value over the capital."""
    years, gained = figures["years"], float(returns.levels[-1] - returns.levels[0])
    fall, *_ = _fall(returns.levels) or (None,)
    figures["total_return"] = returns.over_capital(gained)
    figures["drawdown_return"] = returns.over_capital(fall)
    if years:
        figures["annual_profit"] = figures["profit"] / years
        figures["annual_return"] = returns.over_capital(gained / years)
        figures["calmar"] = gained / years / fall if fall else None
        figures["turnover"] = None if traded is None else traded / 2.0 / years
    return figures


def _months(dates: np.ndarray, levels: np.ndarray, returns: Returns, capital: Capital | None) -> list[YearRow]:
    """Change of exo by month, from the last point before it to its last point."""
    months = dates.astype("datetime64[M]").astype(int)
    last = np.flatnonzero(np.append(np.diff(months) != 0, True))
    changes = np.diff(levels[1:][last], prepend=levels[0]).tolist()
    table: dict[int, list[float | None]] = {}
    for month, change in zip(months[last].tolist(), changes, strict=True):
        year, number = divmod(month, 12)
        table.setdefault(1970 + year, [None] * 12)[number] = change
    years = years_of(dates)
    return [
        YearRow(
            year,
            row,
            sum(change for change in row if change is not None),
            capital.get(year) if isinstance(capital, Mapping) else capital,
            returns.over_capital(float(returns.changes[years == year].sum())),
        )
        for year, row in table.items()
    ]


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
