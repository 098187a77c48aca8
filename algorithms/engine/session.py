"""What an algorithm sees of one session, and does in it."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .chain import ChainView
from .errors import EngineError, QuoteMissing
from .history import History
from .legs import Leg
from .market import Market
from .position import Position
from .pricing import Greeks


class TradeRow(NamedTuple):
    """A trade as recorded: `value` = price x qty x point value, in the currency."""

    date: dt.date
    number: int
    contract: str
    qty: float
    price: float
    value: float
    leg: str
    reason: str


class Session:
    """One session at its decision time. The loop moves one Session along; a strategy never keeps it.

    Attributes: `date`; `position`; `rolled`, whether the position was closed before expiry in this session;
    `memory`, the strategy's own JSON-able values; `signal_values`; `last_trade`, date of the newest trade.
    """

    def __init__(self, market: Market, signal_values: dict[str, object], histories: Mapping[str, History]):
        self.market = market
        self.signal_values = signal_values
        self._histories = histories
        self.position = Position()
        self.memory: dict[str, object] = {}
        self.last_trade: dt.date | None = None
        self.trades: list[TradeRow] = []
        self.traded: list[tuple[int, float]] = []
        self.warnings: list[str] = []
        self.columns: dict[str, object] = {}
        self.rolled = False
        self._saved: tuple[Position, dt.date | None] | None = None

    # -- moved by the loop ----------------------------------------------------------------------------------

    def start(self, index: int) -> None:
        """Move to a session."""
        self.index = index
        self.date = self.market.dates[index]
        self.rolled = False
        self._saved = None
        if self.trades:
            self.trades, self.traded = [], []
        if self.warnings:
            self.warnings = []
        if self.columns:
            self.columns = {}

    def undo(self) -> None:
        """Take back the session's trades: the position of the day before carries on."""
        if self._saved is not None:
            self.position, self.last_trade = self._saved
        self.trades, self.traded = [], []

    # -- what is known --------------------------------------------------------------------------------------

    @property
    def future(self) -> int | None:
        """The active future, None if there is none."""
        return self.market.active(self.index)[0]

    @property
    def chain(self) -> ChainView | None:
        """The active chain as known now, None if there is none."""
        return self.market.active_chain(self.index)

    @property
    def futures(self) -> range:
        """The nearest futures that have not expired, by expiry, as many as the product's rules look at."""
        return self.market.nearest_futures(self.index)

    def history(self, label: str) -> History:
        """The points of a series that the algorithm `reads`, up to and including this session."""
        try:
            history = self._histories[label]
        except KeyError:
            raise EngineError(f"the series {label} is not read: name it in the algorithm's `reads`") from None
        end = int(np.searchsorted(history.dates, np.datetime64(self.date), side="right"))
        return History(history.dates[:end], history.values[:end])

    def greeks(self, contract: int) -> Greeks:
        """Price, delta, gamma, vega and theta of one contract. Raises QuoteMissing if it has no quote."""
        return self.market.greeks(contract, self.index)

    def price(self, contract: int) -> float:
        """A contract's price in points. Raises QuoteMissing if it has none."""
        return self.market.quote(contract, self.index)[0]

    def delta(self, contract: int) -> float:
        """A contract's delta; a future's is 1. Raises QuoteMissing if it has no quote."""
        return self.market.quote(contract, self.index)[1]

    def position_delta(self) -> float:
        """Delta of the position: sum of contract delta x quantity."""
        quote, index = self.market.quote, self.index
        return sum([quote(contract, index)[1] * held.qty for contract, held in self.position.holdings.items()])

    def signal(self, name: str) -> object:
        """A declared signal's value, fed with the points of its series up to and including this session."""
        return self.signal_values[name]

    def find(self, leg: Leg) -> int:
        """The contract that a leg stands for now. Raises a Gap if it cannot be found."""
        if not leg.is_option:
            if self.future is None:
                raise QuoteMissing(f"no future of {self.market.rules.symbol} is active on {self.date}")
            return self.future
        chain = self.chain
        if chain is None:
            raise QuoteMissing(f"no option chain of {self.market.rules.symbol} is active on {self.date}")
        if leg.offset is not None:
            return chain.by_offset(leg.right, leg.offset)
        if leg.delta is not None:
            contract, warning = chain.by_delta(leg.delta)
        else:
            contract, warning = chain.by_moneyness(leg.right, leg.moneyness)
        if warning:
            self.warn(warning)
        return contract

    def weekdays_since_trade(self) -> int:
        """Weekdays from the newest trade to this session; 0 if there was none."""
        return int(np.busday_count(self.last_trade, self.date)) if self.last_trade else 0

    # -- what a strategy does -------------------------------------------------------------------------------

    def trade(self, contract: int, qty: float, *, leg: str = "", reason: str = "open") -> None:
        """Trade at the session's price. Raises QuoteMissing if the contract has none."""
        if qty == 0:
            return
        if self._saved is None:
            self._saved = (self.position.copy(), self.last_trade)
        market = self.market
        price = market.quote(contract, self.index)[0]
        value = price * qty * market.point_value(contract)
        self.position.trade(contract, qty, value, leg)
        self.last_trade = self.date
        row = TradeRow(self.date, len(self.trades), market.names[contract], qty, price, value, leg, reason)
        self.trades.append(row)
        self.traded.append((contract, qty))

    def close(self, reason: str = "close") -> None:
        """Close the whole position, contract by contract in the order they were opened."""
        for contract, held in list(self.position.holdings.items()):
            self.trade(contract, -held.qty, leg=held.leg, reason=reason)

    def record(self, **columns: object) -> None:
        """Set the algorithm's own columns of this session's point."""
        self.columns.update(columns)

    def warn(self, message: str) -> None:
        """Keep a remark on the step: the session counts, but somebody should know."""
        self.warnings.append(message)
