"""When a product's sessions are expected, and when its prices are taken: the exchange's calendar, the product's clock.

A calendar says what should be; what there is comes from the market data (`load.sessions`).
"""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from django.core.cache import cache

from algorithms.engine import calendars
from algorithms.engine.calendars import CalendarError, closes, is_expected
from algorithms.engine.tables import EPOCH
from exo_registry.models import Product

FIRST_YEAR, END_YEAR = 1990, 2041
LONGEST_CLOSURE = 60  # days; the longest known one is below half of it
ONE_DAY = dt.timedelta(days=1)


def calendar_of(product: Product) -> str:
    """The calendar code that holds for a product: its own or, if that is CMES, that of its symbol's group."""
    return calendars.calendar_code(product.calendar, product.exchangesymbol)


def expected_days(product: Product, first: dt.date, last: dt.date) -> np.ndarray | None:
    """Days (since 1970-01-01) from `first` to `last` on which the exchange trades; None without a calendar."""
    if not product.calendar:
        return None
    if first.year >= FIRST_YEAR and last.year < END_YEAR:
        days = _known_days(calendar_key(product))
        low, high = ((date - EPOCH).days for date in (first, last))
        return days[np.searchsorted(days, low) : np.searchsorted(days, high, side="right")]
    return calendars.expected_days(calendar_of(product), first, last)


def calendar_key(product: Product) -> tuple[str, str]:
    """What a product's calendar depends on: two products with one key have one calendar."""
    return product.calendar, product.exchangesymbol if product.calendar == calendars.CME else ""


@lru_cache(maxsize=256)
def _known_days(key: tuple[str, str]) -> np.ndarray:
    """The days of FIRST_YEAR to END_YEAR, kept in the cache: the library takes a second to import and to ask."""
    name = f"exoweb:calendar:{'-'.join(key)}:{calendars.version()}:{FIRST_YEAR}-{END_YEAR}".replace(" ", "_")
    days = cache.get(name)
    if days is None:
        first, last = dt.date(FIRST_YEAR, 1, 1), dt.date(END_YEAR - 1, 12, 31)
        days = calendars.expected_days(calendars.calendar_code(*key), first, last)
        cache.set(name, days, None)
    return days


def latest_decision_instant(product: Product, date: dt.date) -> dt.datetime:
    """The moment, in UTC, by which a session's prices are taken whatever the exchange's calendar says of the day: the
    calendar takes half a second to load, and can only make it earlier."""
    return dt.datetime.combine(date, product.decision_time, ZoneInfo(product.timezone)).astimezone(dt.UTC)


def decision_instant(product: Product, date: dt.date) -> dt.datetime:
    """The moment, in UTC, at which a session's prices are taken.

    The product's decision time on its own clock; on a day that closes before it, the close.
    """
    decision = latest_decision_instant(product, date)
    close = closes(calendar_of(product), date.year).get(date)
    return decision if close is None else min(decision, close)


def newest_complete_session(product: Product, now: dt.datetime) -> dt.date:
    """The newest expected session whose prices have been taken by `now` (aware).

    Raises CalendarError if the calendar expects none in the 60 days before.
    """
    code = calendar_of(product)
    date = now.astimezone(ZoneInfo(product.timezone)).date()
    for _ in range(LONGEST_CLOSURE):
        if is_expected(code, date) and decision_instant(product, date) <= now:
            return date
        date -= ONE_DAY
    raise CalendarError(f"Calendar {code!r} expects no session in the {LONGEST_CLOSURE} days before {now:%Y-%m-%d}.")
