"""What an algorithm sees of one session, and does in it."""

import datetime as dt
import operator
from collections.abc import Mapping

import numpy as np

from . import values
from .chain import ChainView
from .errors import EngineError, QuoteMissing
from .history import History
from .legs import Leg
from .market import Market
from .position import Position
from .pricing import Greeks
from .rows import TradeRow
from .text import counted_days, shorten

# As many characters as a stored trade has room for.
LEG_LIMIT = 64
REASON_LIMIT = 16
TRADES_LIMIT = 10_000  # a session
RECORD_LIMIT = 10_000  # values and characters of a session's own columns


class Session:
    """One session at its decision time. The loop moves one Session along; a strategy never keeps it.

    Contracts are numbers: those of `market`, whose `names` has their names.

    Attributes:
        date: The session's date.
        market: The product's quotes.
        index: The session's place among `market.dates`.
        position: What is held.
        rolled: Whether the roll rule, or the expiry of something held, closed the position at `date` and it has not
            been opened since. Where the opening failed it stays so until it succeeds.
        memory: The strategy's own JSON-able values.
        signal_values: Values of the declared signals, by name.
        last_trade: Date of the newest trade, None if there was none.
    """

    date: dt.date

    def __init__(self, market: Market, signal_values: dict[str, object], histories: Mapping[str, History]):
        self.market = market
        self.signal_values = signal_values
        self._histories = histories
        self.position = Position()
        self.memory: dict[str, object] = {}
        self.last_trade: dt.date | None = None
        self.trades: list[TradeRow] = []
        self.traded: list[tuple[int, float]] = []
        self.settled: list[tuple[int, float]] = []
        self.warnings: list[str] = []
        self.columns: dict[str, object] = {}
        self.rolled = False
        self._saved: tuple[Position, dt.date | None] | None = None
        self._booked = self._warned = 0

    # -- moved by the loop ----------------------------------------------------------------------------------

    def start(self, index: int) -> None:
        """Move to a session."""
        self.index = index
        self.date = self.market.dates[index]
        self.rolled = False
        self._saved = None
        if self.trades:
            self.trades, self.traded, self.settled = [], [], []
        if self.warnings:
            self.warnings = []
        self._booked = self._warned = 0
        if self.columns:
            self.columns = {}

    def book(self) -> None:
        """End a unit of work: `undo` takes back nothing that was traded so far."""
        self._saved, self._booked, self._warned = None, len(self.trades), len(self.warnings)

    def undo(self) -> bool:
        """Take back the trades and warnings since the session's start, or since `book`: the position before them
        carries on. Whether there were trades."""
        del self.warnings[self._warned :]
        if self._saved is None:
            return False
        self.position, self.last_trade = self._saved
        self._saved = None
        del self.trades[self._booked :]
        del self.traded[max(self._booked - len(self.settled), 0) :]
        return True

    def settle(self, contract: int) -> None:
        """Close a contract that has expired, at what it is worth then, without costs.

        Raises:
            QuoteMissing: Its underlying has no bar at all.
        """
        price, age = self.market.settlement(contract)
        held = self.position.holdings[contract]
        self._trade(contract, -held.qty, price, held.leg, "expiry")
        self.settled.append((contract, held.qty))
        if age > self.market.rules.max_bar_age_days:
            self.warn(f"{self.market.names[contract]} is settled on a bar {counted_days(age)} older than its expiry")

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
    def futures(self) -> list[int]:
        """The futures that are looked at, by expiry: those that the product's rollover rule may hold, as many as its
        `futures_limit`. Legacy: the nearest ones."""
        return self.market.nearest_futures(self.index)

    def history(self, label: str) -> History:
        """The points of a series that the algorithm `reads`, up to and including those of `date`.

        Raises:
            EngineError: The algorithm does not name the series in `reads`.
        """
        try:
            history = self._histories[label]
        except KeyError:
            raise EngineError(f"the series {label} is not read: name it in the algorithm's `reads`") from None
        end = int(np.searchsorted(history.dates, np.datetime64(self.date), side="right"))
        return History(history.dates[:end], history.values[:end])

    def greeks(self, contract: int) -> Greeks[float]:
        """Price, delta, gamma, vega and theta of one contract; `pricing.Greeks` has the units.

        Raises:
            QuoteMissing: It has no quote.
        """
        return self.market.greeks(contract, self.index)

    def price(self, contract: int) -> float:
        """A contract's price in points.

        Raises:
            QuoteMissing: It has none.
        """
        return self.market.quote(contract, self.index)[0]

    def delta(self, contract: int) -> float:
        """A contract's delta: points per point of its future; a future's is 1.

        Raises:
            QuoteMissing: It has no quote.
        """
        return self.market.quote(contract, self.index)[1]

    def volatility(self, contract: int) -> float:
        """The volatility that an option is valued with, dated before the session.

        Returns:
            A decimal fraction a year; of a product with bachelier points a year.

        Raises:
            QuoteMissing: The option has no quote.
            EngineError: The contract is a future, which has no volatility.
        """
        contract = self._number(contract)
        if self.market.is_future(contract):
            raise EngineError(f"{self.market.names[contract]} is a future and has no volatility: ask for an option's")
        self.market.quote(contract, self.index)
        return self.market.volatility(contract, self.index)

    def position_delta(self) -> float:
        """Delta of the position, in futures: sum of contract delta x quantity.

        Raises:
            QuoteMissing: A contract that is held has no quote.
        """
        quote, index = self.market.quote, self.index
        return sum([quote(contract, index)[1] * held.qty for contract, held in self.position.holdings.items()])

    def signal(self, name: str) -> object:
        """A declared signal's value, fed with the points of its series up to and including those of `date`.

        Raises:
            KeyError: The algorithm's `signals` has none of that name.
        """
        return self.signal_values[name]

    def find(self, leg: Leg) -> int:
        """The contract that a leg stands for now; a stand-in is warned of.

        Raises:
            Gap: It cannot be found: QuoteMissing without an active future or chain, ChainTooShort without a strike.
        """
        if not leg.is_option:
            if self.future is None:
                raise QuoteMissing(f"no future of {self.market.rules.symbol} is active on {self.date}")
            return self.future
        chain = self.chain
        if chain is None:
            raise QuoteMissing(f"no option chain of {self.market.rules.symbol} is active on {self.date}")
        if leg.offset is not None:
            return chain.by_offset(leg.right, leg.offset)
        if leg.moneyness is not None:
            contract, warning = chain.by_moneyness(leg.right, leg.moneyness)
        else:
            assert leg.delta is not None  # noqa: S101  (a leg's own rule)
            contract, warning = chain.by_delta(leg.delta)
        if warning:
            self.warn(warning)
        return contract

    def weekdays_since_trade(self) -> int:
        """Weekdays from the newest trade to this session; 0 if there was none."""
        return int(np.busday_count(self.last_trade, self.date)) if self.last_trade else 0

    # -- what a strategy does -------------------------------------------------------------------------------

    def trade(self, contract: int, qty: float, *, leg: str = "", reason: str = "open") -> None:
        """Trade at the session's price.

        Args:
            contract: Its number.
            qty: Contracts, bought above zero, sold below; zero does nothing.
            leg: What it is for, of at most 64 characters.
            reason: Why, of at most 16 characters.

        Raises:
            QuoteMissing: The contract has no price of the session itself.
            EngineError: The quantity, contract, leg or reason cannot be recorded, or there are too many trades.
        """
        qty = values.quantity(qty)
        if qty == 0:
            return
        contract = self._number(contract)
        leg = values.label(leg, "a trade's leg", LEG_LIMIT)
        reason = values.label(reason, "a trade's reason", REASON_LIMIT)
        if len(self.trades) == TRADES_LIMIT:
            raise EngineError(f"more than {TRADES_LIMIT:,} trades in one session: trade each contract once")
        self._trade(contract, qty, self.market.trade_price(contract, self.index), leg, reason)
        self.traded.append((contract, qty))

    def _trade(self, contract: int, qty: float, price: float, leg: str, reason: str) -> None:
        if self._saved is None:
            self._saved = (self.position.copy(), self.last_trade)
        market = self.market
        value = price * qty * market.point_value(contract)
        self.position.trade(contract, qty, value, leg)
        self.last_trade = self.date
        row = TradeRow(self.date, len(self.trades), market.names[contract], qty, price, value, leg, reason)
        self.trades.append(row)

    def close(self, reason: str = "close") -> None:
        """Close the whole position, contract by contract in the order they were opened."""
        for contract, held in list(self.position.holdings.items()):
            self.trade(contract, -held.qty, leg=held.leg, reason=reason)

    def record(self, **columns: object) -> None:
        """Set the algorithm's own columns of this session's point.

        Args:
            columns: Numbers (numpy's too), text, True, False, None, and lists or dicts of these.

        Raises:
            EngineError: A value is something else, such as NaN: record None where there is no value.
        """
        self.columns = values.plain({**self.columns, **columns}, "record", RECORD_LIMIT)

    def warn(self, message: str) -> None:
        """Keep a remark on the step: the session counts, but a user should know. A long one is cut."""
        self.warnings.append(shorten(str(message)))

    def _number(self, contract: int) -> int:
        """A contract's number. Raises EngineError if there is no such contract."""
        try:
            number = operator.index(contract)
            if 0 <= number < len(self.market.names):
                return number
        except TypeError:
            pass
        raise EngineError(
            f"{shorten(repr(contract))} is no contract: use what `session.future`, `session.find` or a chain gives, "
            "once it is not None"
        )
