"""What the algorithms do at a session, from the descriptions of their parameters."""

import datetime as dt
from dataclasses import dataclass, field

from .book import Book, Trade
from .choosing import Choice, Leg, active
from .quotes import Quotes, weekdays_after
from .regimes import ichimoku, swing_points


@dataclass
class Day:
    """A session as a strategy sees it.

    Attributes:
        rolled: Whether the position was rolled or settled and no strategy has acted since.
        points: Gross profit and loss of the continuous future, up to and including this session.
    """

    quotes: Quotes
    date: dt.date
    book: Book
    memory: dict
    rolled: bool
    points: list[float]
    trades: list[Trade] = field(default_factory=list)

    def active(self):
        return active(self.quotes, self.date)

    def can_open(self, legs: list[Leg]) -> bool:
        future, chain = self.active()
        return future is not None and (chain is not None or all(leg["right"] == "F" for leg in legs))

    def open(self, legs: list[Leg], reason: str) -> None:
        """Trade legs in their order; Missing if one cannot be found or traded."""
        future, chain = self.active()
        choice = Choice(self.quotes, chain, self.date) if any(leg["right"] != "F" for leg in legs) else None
        for leg in legs:
            self.trade(future if leg["right"] == "F" else choice.option(leg), leg["qty"], reason)

    def close(self, reason: str) -> None:
        for contract, holding in list(self.book.held.items()):
            self.trade(contract, -holding.qty, reason)

    def trade(self, contract: str, qty: float, reason: str) -> None:
        price = self.quotes.trade_price(contract, self.date)
        trade = Trade(self.date, contract, qty, price, reason)
        self.book.take(self.quotes, trade)
        self.trades.append(trade)

    def weekdays_since_trade(self) -> int:
        return weekdays_after(self.book.last_trade, self.date)

    def band_is_left(self, band: dict) -> bool:
        """Whether the position's delta is outside a band, and more weekdays have passed than the band's side waits."""
        low, high = band.get("low"), band.get("high")
        delta = self.book.delta(self.quotes, self.date)
        if low is not None and delta < low:
            wait = band.get("low_after_days", 0)
        elif high is not None and delta > high:
            wait = band.get("high_after_days", 0)
        else:
            return False
        return wait == 0 or self.weekdays_since_trade() > wait


@dataclass(frozen=True)
class FixedLegs:
    """Legs that are opened when flat and held until they are rolled."""

    legs: list[Leg]

    def act(self, day: Day) -> None:
        if not day.book.held and day.can_open(self.legs):
            day.open(self.legs, "roll" if day.rolled else "open")


@dataclass(frozen=True)
class DeltaTarget:
    """Legs that are opened anew when their delta has drifted or they have been held for long enough."""

    legs: list[Leg]
    band: dict = field(default_factory=dict)
    max_days: int = 0
    reopen: str = "same_session"

    def act(self, day: Day) -> None:
        if not day.book.held:
            self._open(day)
        elif (self.max_days and day.weekdays_since_trade() > self.max_days) or day.band_is_left(self.band):
            self._renew(day)

    def _open(self, day: Day) -> None:
        waits_for = day.memory.get("waits_for")
        if not day.can_open(self.legs) or (waits_for is not None and waits_for == self._active(day)):
            return
        day.open(self.legs, "roll" if day.rolled else "open")
        day.memory["waits_for"] = None

    def _renew(self, day: Day) -> None:
        if self.reopen == "same_session":
            if day.can_open(self.legs):
                day.close("rebalance")
                day.open(self.legs, "rebalance")
            return
        day.close("close")
        if self.reopen == "next_roll":
            day.memory["waits_for"] = self._active(day)

    def _active(self, day: Day):
        """What legs are chosen from: another future always counts, another chain only if a leg is an option."""
        future, chain = day.active()
        return (future, chain if any(leg["right"] != "F" for leg in self.legs) else None)


@dataclass(frozen=True)
class RegimeSpread:
    """A set of legs for each regime, with a band each: zones are bullish, bearish and neutral."""

    signal: str
    settings: dict = field(default_factory=dict)
    zones: dict = field(default_factory=dict)

    def act(self, day: Day) -> None:
        regime = self.regime(day.points)
        if regime is None:
            day.close("regime")
            day.memory["zone"] = None
            return
        zone = self.zones.get(regime, {})
        legs = zone.get("legs", [])
        held = day.memory.get("zone")
        if day.rolled or held != regime:
            day.close("regime")
            ready = not legs or day.can_open(legs)
            if ready and legs:
                day.open(legs, "roll" if day.rolled else "regime")
            day.memory["zone"] = regime if ready else None
        elif day.book.held and day.band_is_left(zone.get("band", {})) and day.can_open(legs):
            day.close("rebalance")
            day.open(legs, "rebalance")

    def regime(self, points: list[float]) -> str | None:
        signal = {"ichimoku": ichimoku, "swing": swing_points}[self.signal]
        return signal(points, **self.settings)
