"""The sessions of products as their market data has them: which there are, and which are complete."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db.models import Count, Min, OuterRef, Subquery
from django.utils import timezone

from exo_registry import market
from exo_registry.models import Product, Revision

from .calendars import LONGEST_CLOSURE, calendar_key, decision_instant, expected_days, latest_decision_instant


@dataclass(frozen=True)
class Calendar:
    """Complete sessions of one product (datetime64[D], ascending), and the data revision that they come from."""

    dates: np.ndarray
    revision: int

    def __bool__(self) -> bool:
        return len(self.dates) > 0

    @property
    def newest(self) -> dt.date | None:
        return self.dates[-1].item() if len(self.dates) else None

    def between(self, first: dt.date | None, last: dt.date | None) -> np.ndarray:
        """Sessions from `first` to `last`, both included; None leaves a side open."""
        low = 0 if first is None else np.searchsorted(self.dates, np.datetime64(first), side="left")
        high = len(self.dates) if last is None else np.searchsorted(self.dates, np.datetime64(last), side="right")
        return self.dates[low:high]

    def after(self, date: dt.date) -> np.ndarray:
        return self.dates[np.searchsorted(self.dates, np.datetime64(date), side="right") :]


def calendars(products: Iterable[Product], now: dt.datetime | None = None) -> dict[int, Calendar]:
    """The calendar of each product, by its id: one query, and a read of market data only after an import.

    A session is complete when its decision time has passed, in the product's time zone. Raises MarketStoreError.
    """
    now = now or timezone.now()
    return {pk: calendar_at(end, now) for pk, end in data_ends(products).items()}


def readable_calendars(
    products: Iterable[Product], now: dt.datetime | None = None
) -> tuple[dict[int, Calendar], dict[int, str]]:
    """As `calendars`, of the products whose market data can be read; and why that of the others cannot, by id."""
    now = now or timezone.now()
    readable: dict[int, Calendar] = {}
    unreadable: dict[int, str] = {}
    for pk, end in data_ends(products).items():
        try:
            readable[pk] = calendar_at(end, now)
        except market.MarketStoreError as error:
            unreadable[pk] = str(error)
    return readable, unreadable


def calendar_at(end: "DataEnd", now: dt.datetime) -> Calendar:
    """The calendar of one product, whose newest revision is known."""
    if not end.number:
        return Calendar(np.empty(0, "datetime64[D]"), 0)
    return Calendar(_complete(_sessions(end), end.product, now), end.number)


@dataclass(frozen=True)
class DataEnd:
    """Where a product's market data ends, by its newest revision: nothing of it is read to know. Number 0: no data."""

    product: Product
    number: int = 0
    session: dt.date | None = None
    previous: dt.date | None = None
    bar: dt.datetime | None = None
    imported: dt.datetime | None = None

    def newest(self, now: dt.datetime, bar_age: dt.timedelta | None = None) -> dt.date | None:
        """The newest session whose decision time has passed; None without one.

        bar_age: a session of which the newest bar is older than this at its decision time does not count (a bar that
        is a date alone is never old).
        """
        for date in self._candidates():
            # The exact moment, which takes the exchange's calendar, is asked for only where it could matter.
            for instant in (latest_decision_instant, decision_instant):
                decision = instant(self.product, date)
                if decision <= now and not self._is_too_old(date, decision, bar_age):
                    return date
        # Two sessions ahead of the clock, or a revision of before these dates were kept: the data itself knows.
        return calendar_at(self, now).newest

    def _candidates(self) -> list[dt.date]:
        """The two newest sessions of the data, newest first, or fewer where only the data itself knows."""
        product = self.product
        if self.session is None:
            return []
        if product.conventions == Product.Conventions.LEGACY:
            return [date for date in (self.session, self.previous) if date is not None]
        days = expected_days(product, self.session - dt.timedelta(days=LONGEST_CLOSURE), self.session)
        if days is None:
            days = _sessions(self)
        return days[-2:][::-1].astype("datetime64[D]").tolist()

    def _is_too_old(self, date: dt.date, decision: dt.datetime, bar_age: dt.timedelta | None) -> bool:
        """Whether the newest bar, if the session is that of it, was older than `bar_age` at decision time."""
        if bar_age is None or date != self.session or not self.bar:
            return False
        return self.bar < decision - bar_age


def data_ends(products: Iterable[Product]) -> dict[int, DataEnd]:
    """Where the data of each product ends, by its id: one query."""
    by_id = {product.pk: product for product in products}
    newest = Revision.objects.filter(product=OuterRef("pk")).order_by("-number").values("pk")[:1]
    ends = Product.objects.filter(pk__in=by_id).order_by().annotate(newest=Subquery(newest)).values("newest")
    rows = Revision.objects.filter(pk__in=ends).values_list(
        "product_id", "number", "newest_session", "previous_session", "newest_bar", "created"
    )
    known = {row[0]: DataEnd(by_id[row[0]], *row[1:]) for row in rows}
    return {pk: known.get(pk) or DataEnd(product) for pk, product in by_id.items()}


NO_DATES = np.empty(0, "datetime64[D]")
# The sessions of each product at its newest revision seen, by store, product and the rules that they depend on.
_known: dict[tuple, tuple[int, np.ndarray]] = {}


def _sessions(end: DataEnd) -> np.ndarray:
    """All sessions of a product. After an import, only those from its earliest change on are read again."""
    product = end.product
    rules = (product.timezone, product.decision_time, product.conventions, *calendar_key(product))
    key = (settings.MARKET_DATA_URI, product.pk, *rules)
    number, dates = _known.get(key, (0, NO_DATES))
    if number == end.number:
        return dates
    since = None
    if len(dates) and number < end.number:
        newer = Revision.objects.filter(product=product, number__gt=number, number__lte=end.number)
        change = newer.aggregate(first=Min("earliest_change"), count=Count("pk"))
        # Old revisions are pruned: if one of them is gone, what it changed is not known.
        since = change["first"] if change["count"] == end.number - number else None
    fresh = market.sessions(product, since=since)
    if since is not None:
        fresh = np.concatenate([dates[: np.searchsorted(dates, np.datetime64(since))], fresh])
    if number <= end.number:
        _known[key] = (end.number, fresh)
    return fresh


def _complete(dates: np.ndarray, product: Product, now: dt.datetime) -> np.ndarray:
    """Sessions whose decision time has passed; on a half day that is when trading ends, if that is earlier."""
    today = now.astimezone(ZoneInfo(product.timezone)).date()
    dates = dates[: np.searchsorted(dates, np.datetime64(today), side="right")]
    if len(dates) and dates[-1].item() == today and decision_instant(product, today) > now:
        return dates[:-1]
    return dates
