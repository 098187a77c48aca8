"""When a session is expected, and when its prices are taken: exchange calendars, corrected by calendar_overrides.yaml.

A product's calendar is its `calendar` code, refined to the calendar of its group where the code stands for all of CME
(`calendar_of`). An empty code expects every weekday. A calendar says what should be; the sessions that there are
come from the market data (`load.sessions`).
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from exo_registry.models import Product

OVERRIDES = Path(__file__).with_name("calendar_overrides.yaml")
CME = "CMES"
LONGEST_CLOSURE = 60  # days; the longest known one is below half of it
ONE_DAY = dt.timedelta(days=1)


class CalendarError(ValueError):
    """A calendar that is not known, or a question that it cannot answer. The message is for the user."""


def calendar_of(product: Product) -> str:
    """The calendar code that holds for a product: its own or, if that is CMES, that of its symbol's group."""
    if product.calendar == CME:
        return _tables().calendar_by_symbol.get(product.exchangesymbol, CME)
    return product.calendar


def expected_sessions(code: str, first: dt.date, last: dt.date) -> list[dt.date]:
    """Dates from `first` to `last`, both included, on which the exchange trades, ascending.

    Raises CalendarError for an unknown code.
    """
    return [date for year in range(first.year, last.year + 1) for date in _closes(code, year) if first <= date <= last]


def is_expected(code: str, date: dt.date) -> bool:
    """Whether the exchange trades on a date, if only for part of it."""
    return date in _closes(code, date.year)


def close_time(code: str, date: dt.date) -> dt.datetime:
    """When trading ends on a date, in UTC. Raises CalendarError on a date without a session, or an empty code."""
    close = _closes(code, date.year).get(date)
    if close is None:
        raise CalendarError(f"Calendar {code!r} has no close on {date}: no session is expected on it.")
    return close


def latest_decision_instant(product: Product, date: dt.date) -> dt.datetime:
    """The moment, in UTC, by which a session's prices are taken whatever the exchange's calendar says of the day: the
    calendar takes half a second to load, and can only make it earlier."""
    return dt.datetime.combine(date, product.decision_time, ZoneInfo(product.timezone)).astimezone(dt.UTC)


def decision_instant(product: Product, date: dt.date) -> dt.datetime:
    """The moment, in UTC, at which a session's prices are taken.

    The product's decision time on its own clock; on a day that closes before it, the close.
    """
    decision = latest_decision_instant(product, date)
    close = _closes(calendar_of(product), date.year).get(date)
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


def validate(code: str) -> None:
    """Raise CalendarError unless a code is empty or known."""
    if code:
        _library_calendar(code)


@lru_cache(maxsize=512)
def _closes(code: str, year: int) -> Mapping[dt.date, dt.datetime | None]:
    """Close (UTC) by session date of one calendar year, ascending. An empty code has no closes."""
    if not code:
        return MappingProxyType(dict.fromkeys(_weekdays(year)))
    calendar = _library_calendar(code)
    schedule = calendar.schedule(dt.date(year, 1, 1), dt.date(year, 12, 31))
    # A session without a known close is none: the library pads some calendars with them.
    known = schedule["market_close"].dropna()
    closes = {date.date(): close.to_pydatetime() for date, close in known.items()}
    for date, close in _tables().days.get(calendar.name, {}).items():
        if date.year != year:
            continue
        if close is None:
            closes.pop(date, None)
        else:
            closes[date] = dt.datetime.combine(date, close, ZoneInfo(str(calendar.tz))).astimezone(dt.UTC)
    return MappingProxyType({date: closes[date] for date in sorted(closes)})


def _weekdays(year: int) -> Iterator[dt.date]:
    date = dt.date(year, 1, 1)
    while date.year == year:
        if date.weekday() < 5:
            yield date
        date += ONE_DAY


@lru_cache(maxsize=64)
def _library_calendar(code: str) -> Any:
    """The library's calendar; building one takes up to a second, hence the cache."""
    import pandas_market_calendars

    try:
        return pandas_market_calendars.get_calendar(code)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CalendarError(
            f"{code!r} is not an exchange calendar known to pandas-market-calendars; "
            "CMES serves all products of CME, XNYS those of New York."
        ) from error


class _Tables:
    """calendar_overrides.yaml, read: the calendar of each CME symbol, and corrected days by the library's name."""

    def __init__(self, data: dict) -> None:
        self.calendar_by_symbol: dict[str, str] = {}
        self.days: dict[str, dict[dt.date, dt.time | None]] = {}  # None: closed
        names: dict[str, list[str]] = {}
        for group, entry in data["groups"].items():
            self.calendar_by_symbol |= dict.fromkeys(entry.get("symbols", ()), entry["calendar"])
            names[group] = [_library_calendar(code).name for code in (entry["calendar"], *entry.get("also", ()))]
        for entry in data["days"]:
            closes = dict.fromkeys(entry.get("closed", ()))
            closes |= {group: dt.time.fromisoformat(text) for group, text in entry.get("close", {}).items()}
            for group, close in closes.items():
                for name in names[group]:
                    self.days.setdefault(name, {}).update(dict.fromkeys(entry["dates"], close))


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    return _Tables(yaml.safe_load(OVERRIDES.read_text(encoding="utf-8")))
