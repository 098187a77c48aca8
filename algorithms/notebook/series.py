"""A computed series as a person looks at it: tables and statistics. The tables need pandas."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..analysis.results import point_columns, result_performance, trade_columns
from ..analysis.statistics import Performance
from ..engine import Algorithm, Market, Result, TradeRow
from ..engine.position import Position

if TYPE_CHECKING:
    import pandas as pd

POSITION_COLUMNS = ("date", "contract", "qty", "cost", "leg")
REMARK_COLUMNS = ("date", "reason")


@dataclass(frozen=True, eq=False)
class ComputedSeries:
    """What a run computed: rows as pandas frames, made when they are asked for, and statistics.

    Attributes:
        algorithm: As it was run, with its parameters and direction.
        market: What it was run on.
        result: The engine's own rows as tuples, and the state to go on from; needs no pandas.
        capital: What the statistics are on, in the currency; None: the notional at the start of each year.
    """

    algorithm: Algorithm[Any]
    market: Market
    result: Result
    capital: float | None = None

    def __repr__(self) -> str:
        points = self.result.points
        span = f", {points[0].date} to {points[-1].date}" if points else ""
        return (
            f"<{type(self.algorithm).__name__} on {self.market.rules.symbol}: {len(points):,} points, "
            f"{len(self.result.trades):,} trades, {len(self.result.gaps):,} gaps{span}>"
        )

    @cached_property
    def points(self) -> "pd.DataFrame":
        """One row a session that could be computed, by `date`: the columns of docs/rules.md, then the algorithm's
        own."""
        return _by_date(point_columns(self.result.points))

    @cached_property
    def trades(self) -> "pd.DataFrame":
        """One row a trade, by `date`, in the order in which they were made; columns as in docs/rules.md."""
        return _by_date(trade_columns(self.result.trades))

    @cached_property
    def positions(self) -> "pd.DataFrame":
        """One row for each contract held after each point's session, by `date`: `contract`; `qty`, signed; `cost`,
        price x quantity x point value as paid, signed, in the currency; `leg`."""
        dates = [point.date for point in self.result.points]
        return _by_date(_transposed(POSITION_COLUMNS, _positions(dates, self.result.trades, self.market)))

    @cached_property
    def gaps(self) -> "pd.DataFrame":
        """One row a session that could not be computed, by `date`: the `reason`."""
        return _by_date(_transposed(REMARK_COLUMNS, self.result.gaps))

    @cached_property
    def warnings(self) -> "pd.DataFrame":
        """One row a remark of the algorithm or the engine, by `date`: the `reason`."""
        return _by_date(_transposed(REMARK_COLUMNS, self.result.warnings))

    @cached_property
    def statistics(self) -> Performance:
        """Profit, drawdown, Sharpe and the rest (docs/statistics.md). Needs no pandas.

        Raises:
            ValueError: The capital is not above zero.
        """
        return result_performance(self.result, self.market, self.capital)


def _positions(
    dates: Iterable[dt.date], trades: Sequence[TradeRow], market: Market
) -> Iterator[tuple[dt.date, str, float, float, str]]:
    """Holdings after each of the dates, booked as the engine books them."""
    position, at = Position(), 0
    for date in dates:
        while at < len(trades) and trades[at].date <= date:
            trade = trades[at]
            position.trade(market.number(trade.contract), trade.qty, trade.value, trade.leg)
            at += 1
        for contract, holding in position.holdings.items():
            yield date, market.names[contract], holding.qty, holding.cost, holding.leg


def _transposed(names: Sequence[str], rows: Iterable[tuple[object, ...]]) -> dict[str, list[object]]:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    return dict(zip(names, columns, strict=True))


def _by_date(columns: Mapping[str, list[object]]) -> "pd.DataFrame":
    """A frame with the dates as its index (datetime64)."""
    import pandas as pd  # slow to import

    frame = pd.DataFrame(columns)
    return frame.set_index(pd.DatetimeIndex(frame.pop("date"), name="date"))
