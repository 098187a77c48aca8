"""What the engine computed, made ready for tables and statistics."""

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ..engine import Market, PointRow, QuoteMissing, Result, TradeRow
from .capital import Capital, yearly_notional
from .statistics import Performance, performance


def point_columns(points: Sequence[PointRow]) -> dict[str, list[object]]:
    """Points as columns of equal length: those of `PointRow`, then the algorithm's own."""
    return _columns(PointRow._fields[:-1], points) | own_columns([point.extra for point in points])


def trade_columns(trades: Sequence[TradeRow]) -> dict[str, list[object]]:
    """Trades as columns of equal length: those of `TradeRow`."""
    return _columns(TradeRow._fields, trades)


def _columns(names: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def own_columns(extra: Sequence[Mapping[str, object] | None]) -> dict[str, list[object]]:
    """The algorithm's own columns, in the order in which they first appear; None where a point has none."""
    names = dict.fromkeys(itertools.chain.from_iterable(recorded for recorded in extra if recorded))
    return {name: [recorded.get(name) if recorded else None for recorded in extra] for name in names}


def active_prices(market: Market) -> dict[dt.date, float]:
    """Price of the active future, in points, at each session that has one with a price."""
    prices = {}
    for session, date in enumerate(market.dates):
        future, _ = market.active(session)
        if future is not None:
            with suppress(QuoteMissing):
                prices[date] = market.future_price(future, session)
    return prices


def result_performance(result: Result, market: Market, capital: float | None = None) -> Performance:
    """The statistics of a result that was computed from a flat position on.

    Args:
        result: Its rows.
        market: What it was computed on.
        capital: Declared, in the product's currency, above zero; None: the notional at the start of each year
            (`capital.yearly_notional`).

    Raises:
        ValueError: The capital is not above zero.
    """
    points, trades = point_columns(result.points), trade_columns(result.trades)
    used: Capital | None = capital
    if used is None:
        used = yearly_notional(points, trades, active_prices(market), market.rules.point_value)
    return performance(points, trades, gaps=[date for date, _ in result.gaps], capital=used)
