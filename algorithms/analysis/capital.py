"""Capital: what the changes of a series are divided by to be returns.

A capital is declared, and then is the same throughout; or it is the notional at the start of each year, so that no
return is on an amount that was not known before it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Columns = Mapping[str, Sequence[Any]]
Capital = float | Mapping[int, float]  # declared, or by calendar year; in the currency


def check_capital(capital: Capital | None) -> None:
    """Raises ValueError for an amount that is not above zero; None is no capital at all."""
    if isinstance(capital, Mapping):
        for year, amount in capital.items():
            if not amount > 0:
                raise ValueError(f"the capital of {year} must be above zero, not {amount:g}")
    elif capital is not None and not capital > 0:
        raise ValueError(f"the capital must be above zero, not {capital:g}")


def years_of(dates: np.ndarray) -> np.ndarray:
    """The calendar year of each date."""
    return dates.astype("datetime64[Y]").astype(int) + 1970


def over_capital(capital: Capital | None, dates: np.ndarray, amounts: np.ndarray) -> float | None:
    """The sum of the amounts, each over the capital of its date's year; None if that of one is not known."""
    if not isinstance(capital, Mapping):
        return float(amounts.sum()) / capital if capital else None
    total = float((amounts / _by_year(capital, dates)).sum())
    return None if np.isnan(total) else total


def _by_year(capital: Mapping[int, float], dates: np.ndarray) -> np.ndarray:
    """The capital of each date's year; NaN for a year that has none."""
    return np.array([capital.get(year, np.nan) for year in years_of(dates).tolist()], float)


class Returns(NamedTuple):
    """The changes of a period, so that one number divides them all to be returns.

    With a declared capital they are in the currency, and `unit` is the capital; with one by year they are returns
    already, and `unit` is 1. None: there is no capital, or a year with a change has none.

    changes: One a point, the first from what the period starts from. levels: What it starts from, and their sums.
    """

    changes: np.ndarray
    levels: np.ndarray
    unit: float | None

    def over_capital(self, amount: float | None) -> float | None:
        """A change, or what is made of changes as their sums and deviations are, as a return."""
        return None if amount is None or self.unit is None else amount / self.unit


def returns_on(capital: Capital | None, dates: np.ndarray, levels: np.ndarray) -> Returns:
    """Returns of exo: `levels` has what the period starts from, and then one for each of the dates.

    A change belongs to the year in which it ends, as in the monthly table. A change of zero is a return of zero also
    in a year without a capital, which is one without a position.
    """
    changes = np.diff(levels)
    if not isinstance(capital, Mapping):
        return Returns(changes, levels, capital)
    moved = changes != 0.0
    amounts = _by_year(capital, dates)
    if np.isnan(amounts[moved]).any():
        return Returns(changes, levels, None)
    returns = np.divide(changes, amounts, out=np.zeros(len(changes)), where=moved)
    return Returns(returns, np.concatenate(([0.0], np.cumsum(returns))), 1.0)


def yearly_notional(
    points: Columns, trades: Columns, prices: Mapping[dt.date, float], point_value: float
) -> dict[int, float]:
    """The notional at the start of each year that has points, as if nothing were bought on margin.

    The notional after a session is the largest absolute quantity held of one contract, times the newest price of the
    product's future up to that session, times the future's point value. One future with options around it, a spread
    and a condor of one contract each all get the notional of one future. It depends on no delta, so that a neutral
    position does not get a capital near zero; and on no margin rule.

    The start of a year is its last point before: the position that the year begins with, at a price known before its
    first change. If nothing was held then, it is the year's first point that ends with a position; until then there
    was nothing to gain or to lose.

    Args:
        points: Column `date`, ascending, from the first point of the series on.
        trades: Columns `date`, `contract`, `qty`, in order, from the first trade of the series on.
        prices: Of the future, in points, by date, ascending.
        point_value: Currency per 1.0 of the future's price.

    Returns:
        Amounts in the currency by year, all above zero. A year without a position or without a price has none.
    """
    dates = np.asarray(points["date"], dtype="datetime64[D]")
    held = list(_sizes(trades))
    sizes = _latest(dates, [date for date, _ in held], [size for _, size in held])
    levels = np.abs(_latest(dates, list(prices), list(prices.values())))
    amounts = sizes * levels * point_value
    years = years_of(dates)
    notional = {}
    for year in np.unique(years).tolist():
        low, high = np.searchsorted(years, (year, year + 1))
        candidates = amounts[max(low - 1, 0) : high]
        if len(positive := candidates[candidates > 0.0]):
            notional[year] = float(positive[0])
    return notional


def _sizes(trades: Columns) -> Iterator[tuple[dt.date, float]]:
    """The largest absolute quantity held of one contract after each trade; a date's last one counts."""
    held: dict[str, float] = {}
    for date, contract, qty in zip(trades["date"], trades["contract"], trades["qty"], strict=True):
        held[contract] = held.get(contract, 0.0) + float(qty)
        if not held[contract]:
            del held[contract]
        yield date, max(map(abs, held.values()), default=0.0)


def _latest(dates: np.ndarray, known: Sequence[dt.date], values: Sequence[float]) -> np.ndarray:
    """The newest of the values up to each date; 0 before the first."""
    places = np.searchsorted(np.asarray(known, dtype="datetime64[D]"), dates, side="right")
    return np.concatenate(([0.0], np.asarray(values, float)))[places]
