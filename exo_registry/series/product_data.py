"""What a product's market data allows at a moment: the newest session, the one expected, and whether bars still come.

Market data itself is read only for what the newest revision's row does not say.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from algorithms.engine.calendars import CalendarError
from exo_registry.market.calendars import newest_complete_session
from exo_registry.market.session_lists import Calendar, DataEnd, calendar_at, data_ends
from exo_registry.models import Product

BAR_AGE = dt.timedelta(minutes=30)  # older at decision time: the feed has stopped, and the price is not the session's
DELAY = dt.timedelta(minutes=15)  # after decision time without a fresh bar: late
LIVE = dt.timedelta(days=30)  # data that ended longer before the session expected is history


@dataclass(frozen=True)
class ProductData:
    """A product's market data at the moment `now` (aware). Properties raise MarketStoreError if it cannot be read."""

    end: DataEnd
    now: dt.datetime

    @property
    def product(self) -> Product:
        return self.end.product

    @cached_property
    def calendar(self) -> Calendar:
        """All sessions whose decision time has passed; the only property that always needs the market data."""
        return calendar_at(self.end, self.now)

    @cached_property
    def newest(self) -> dt.date | None:
        """The newest session whose decision time has passed; None without one."""
        return self.end.newest(self.now)

    @cached_property
    def computable(self) -> dt.date | None:
        """The newest session that online work may compute: its newest bar was at most BAR_AGE old at decision time,
        or is a date alone."""
        return self.end.newest(self.now, BAR_AGE)

    @cached_property
    def expected(self) -> dt.date | None:
        """The newest session that the exchange has completed; None for synthetic data, which has no feed."""
        return expected_session(self.product, self.now)

    @cached_property
    def punctual(self) -> "ProductData":
        """The same DELAY ago: what a series must have by now not to be late."""
        return ProductData(self.end, self.now - DELAY)

    @property
    def is_live(self) -> bool:
        """Whether bars still come; what ended longer ago is history, and left to backfills."""
        if self.computable is None:
            return False
        return (self.expected or self.now.date()) - self.computable <= LIVE

    @property
    def is_history(self) -> bool:
        """Whether the data ended so long before the session expected that no bar is awaited any more."""
        return self.newest is not None and self.expected is not None and self.expected - self.newest > LIVE

    def between(self, after: dt.date, last: dt.date) -> "Sessions":
        """The sessions after one date up to another one, which is a session."""
        if after >= last:
            return NO_SESSIONS
        if (after, last) == (self.end.previous, self.end.session):
            return Sessions(1, last, last)  # the usual case, which needs no calendar
        dates = self.calendar.between(after + dt.timedelta(days=1), last)
        return Sessions(len(dates), dates[0].item(), dates[-1].item()) if len(dates) else NO_SESSIONS


@dataclass(frozen=True)
class Sessions:
    """Some sessions of a product: how many, the first and the last one (None without any)."""

    count: int = 0
    first: dt.date | None = None
    last: dt.date | None = None

    def __bool__(self) -> bool:
        return self.count > 0


NO_SESSIONS = Sessions()


def product_data(products: Iterable[Product], now: dt.datetime) -> dict[int, ProductData]:
    """The data of each product, by its id: one query."""
    return {pk: ProductData(end, now) for pk, end in data_ends(products).items()}


def expected_session(product: Product, now: dt.datetime) -> dt.date | None:
    """The newest session that the exchange has completed; None for synthetic data, and if the calendar has none."""
    if product.is_synthetic:
        return None
    try:
        return newest_complete_session(product, now)
    except CalendarError:
        return None
