"""The sessions one after the other: settle, roll, let the strategy act, record the point."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Protocol

from .book import Book, Trade
from .choosing import eligible, some_future_is_quoted
from .quotes import Missing, Quotes
from .strategies import Day


class Strategy(Protocol):
    """Acts at a session; Missing if it needs what has no quote."""

    def act(self, day: Day) -> None: ...


@dataclass(frozen=True)
class Point:
    """A session's figures; money in the currency, delta in futures."""

    date: dt.date
    gross: float
    exo: float
    delta: float
    costs: float
    stale_days: int


@dataclass
class Outcome:
    """What a series comes to."""

    points: list[Point] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    gaps: list[tuple[dt.date, str]] = field(default_factory=list)
    warnings: list[tuple[dt.date, str]] = field(default_factory=list)


def simulate(quotes: Quotes, strategy: Strategy, continuous: Outcome | None = None) -> Outcome:
    """Compute a series from the first to the last session.

    Args:
        quotes: The market's.
        strategy: What acts.
        continuous: The product's continuous future, where the strategy follows a regime.
    """
    return Simulation(quotes, strategy, continuous.points if continuous else []).run()


class Simulation:
    """One series, being computed."""

    def __init__(self, quotes: Quotes, strategy: Strategy, continuous: list[Point]):
        self.quotes, self.strategy, self.continuous = quotes, strategy, continuous
        self.book = Book()
        self.rolled = False  # closed near its expiry, and the strategy has not acted since
        self.memory: dict = {}
        self.outcome = Outcome()

    def run(self) -> Outcome:
        for session in self.quotes.sessions():
            if not self.quotes.has_data(session):
                self.outcome.gaps.append((session, "no market data"))
                continue
            settled = self.settle(session)
            book, memory, rolled = self.book.copy(), dict(self.memory), self.rolled
            try:
                trades, point = self.compute(session, settled)
            except Missing as reason:
                self.book, self.memory, self.rolled = book, memory, rolled
                self.outcome.gaps.append((session, str(reason)))
            else:
                self.outcome.trades += trades
                self.outcome.points.append(point)
        return self.outcome

    def settle(self, session: dt.date) -> bool:
        """Pay off what has reached its effective expiry, whatever becomes of the session; whether anything had."""
        expired = [contract for contract in self.book.held if self.quotes.expiry(contract) <= session]
        for contract in expired:
            qty = -self.book.held[contract].qty
            trade = Trade(session, contract, qty, self.quotes.settlement(contract), "expiry")
            self.book.take(self.quotes, trade, commission=False)
            self.outcome.trades.append(trade)
        if expired:
            self.rolled, self.book.due = True, bool(self.book.held)
        return bool(expired)

    def compute(self, session: dt.date, settled: bool) -> tuple[list[Trade], Point]:
        """The session's other trades and its point; Missing makes it a gap."""
        costs = self.book.costs
        trades = self.roll(session)
        if not self.book.held and not (settled or trades):
            self.refuse_to_idle(session)
        trades += self.hook(session)
        gross = self.book.gross(self.quotes, session)
        return trades, Point(
            session,
            gross,
            gross - self.book.costs,
            self.book.delta(self.quotes, session),
            self.book.costs - costs,
            self.book.stale_days(self.quotes, session),
        )

    def roll(self, session: dt.date) -> list[Trade]:
        """Close the whole position if something held is near its expiry, or part of it was settled."""
        limit = self.quotes.rules.days_before_expiration
        near = any(self.quotes.days_left(contract, session) <= limit for contract in self.book.held)
        if not (near or self.book.due):
            return []
        day = Day(self.quotes, session, self.book, self.memory, self.rolled, [])
        day.close("roll")
        self.rolled = True
        return day.trades

    def refuse_to_idle(self, session: dt.date) -> None:
        """A flat series that no future can be held for, though some are quoted, is a gap."""
        if not eligible(self.quotes, session) and some_future_is_quoted(self.quotes, session):
            raise Missing("no future is eligible though some are quoted")

    def hook(self, session: dt.date) -> list[Trade]:
        """The strategy's trades; none, and nothing of them left behind, if something that it needs has no quote."""
        points = [point.gross for point in self.continuous if point.date <= session]
        day = Day(self.quotes, session, self.book.copy(), dict(self.memory), self.rolled, points)
        try:
            self.strategy.act(day)
        except Missing as reason:
            self.outcome.warnings.append((session, str(reason)))
            return []
        self.book, self.memory, self.rolled = day.book, day.memory, False
        return day.trades
