"""A position: what is held, what it cost, what was made by trading it."""

import datetime as dt
from copy import deepcopy
from dataclasses import dataclass, field

from .quotes import Quotes


@dataclass(frozen=True)
class Trade:
    """A trade as an outsider sees it; `price` is in points."""

    date: dt.date
    contract: str
    qty: float
    price: float
    reason: str


@dataclass
class Holding:
    """Contracts held and what was paid for them, in the currency (signed as the quantity is)."""

    qty: float = 0.0
    cost: float = 0.0


@dataclass
class Book:
    """A position with its profit and loss since the series began.

    Attributes:
        held: By contract, in the order in which they were bought or sold.
        realised: Profit and loss of what was closed, before costs, in the currency.
        costs: Commissions so far, in the currency.
        last_trade: Date of the newest trade.
        due: Whether what is left must be closed, since something of it was settled.
    """

    held: dict[str, Holding] = field(default_factory=dict)
    realised: float = 0.0
    costs: float = 0.0
    last_trade: dt.date | None = None
    due: bool = False

    def copy(self) -> "Book":
        return deepcopy(self)

    def take(self, quotes: Quotes, trade: Trade, *, commission: bool = True) -> None:
        """Book a trade. What reduces realises average cost; what goes through zero closes, then opens."""
        is_future = trade.contract in quotes.tables.futures
        rules = quotes.rules
        if commission:
            self.costs += abs(trade.qty) * (rules.cost_future if is_future else rules.cost_option)
        holding = self.held.setdefault(trade.contract, Holding())
        worth = trade.price * point_value(quotes, trade.contract)
        left = trade.qty
        if holding.qty * trade.qty < 0:
            closing = min(abs(trade.qty), abs(holding.qty)) * (1 if trade.qty > 0 else -1)
            average = holding.cost / holding.qty
            self.realised += average * closing - worth * closing
            holding.cost += average * closing
            holding.qty += closing
            left -= closing
            if holding.qty == 0:
                del self.held[trade.contract]
        if left:
            holding = self.held.setdefault(trade.contract, Holding())
            holding.qty += left
            holding.cost += left * worth
        self.last_trade = trade.date
        self.due = self.due and bool(self.held)

    def gross(self, quotes: Quotes, session: dt.date) -> float:
        """Profit and loss before costs at a session's values; Missing if something held has none."""
        open_profit = sum(
            quotes.value(contract, session) * holding.qty * point_value(quotes, contract) - holding.cost
            for contract, holding in self.held.items()
        )
        return self.realised + open_profit

    def delta(self, quotes: Quotes, session: dt.date) -> float:
        return sum(quotes.delta(contract, session) * holding.qty for contract, holding in self.held.items())

    def stale_days(self, quotes: Quotes, session: dt.date) -> int:
        """The largest age of a bar that a value held rests on; 0 when flat."""
        return max((quotes.age(contract, session) for contract in self.held), default=0)


def point_value(quotes: Quotes, contract: str) -> float:
    """Currency of one point of a contract's price."""
    is_future = contract in quotes.tables.futures
    return quotes.rules.point_value if is_future else quotes.rules.option_point_value
