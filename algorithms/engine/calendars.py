"""On which days an exchange trades: pandas-market-calendars, corrected by calendar_overrides.yaml.

A calendar is named by its code; an empty code expects every weekday. Where the code stands for all of CME, the
product's symbol tells the calendar of its group.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from .errors import EngineError

OVERRIDES = Path(__file__).with_name("calendar_overrides.yaml")
CME = "CMES"
ONE_DAY = dt.timedelta(days=1)


class CalendarError(EngineError, ValueError):
    """A calendar that is not known, or a question that it cannot answer. The message is for the user."""


def calendar_code(code: str, symbol: str) -> str:
    """The calendar that holds for a product.

    Args:
        code: The product's own calendar.
        symbol: Its symbol, which tells the group if the code is CMES.
    """
    return _tables().calendar_by_symbol.get(symbol, CME) if code == CME else code


def is_expected(code: str, date: dt.date) -> bool:
    """Whether the exchange trades on a date, if only for part of it.

    Raises:
        CalendarError: The code is not known.
    """
    return date in closes(code, date.year)


def expected_days(code: str, first: dt.date, last: dt.date) -> np.ndarray:
    """The days from `first` to `last`, both included, on which the exchange trades.

    Returns:
        Ascending, as days since 1970-01-01 (int64).

    Raises:
        CalendarError: The code is not known.
    """
    days = np.array(list(_closes(code, first, last)), "datetime64[D]")
    return np.sort(days.astype(np.int64))


def version() -> str:
    """Of the library and the corrections: with another one, calendars may be others."""
    corrections = hashlib.sha256(OVERRIDES.read_bytes()).hexdigest()[:12]
    return f"{metadata.version('pandas_market_calendars')}-{corrections}"


@lru_cache(maxsize=2048)
def closes(code: str, year: int) -> Mapping[dt.date, dt.datetime | None]:
    """When trading ends on each day of a year on which there is trading, ascending.

    Returns:
        Moments in UTC by date; None for each if the code is empty, which knows no closes.

    Raises:
        CalendarError: The code is not known.
    """
    by_date = _closes(code, dt.date(year, 1, 1), dt.date(year, 12, 31))
    return MappingProxyType({date: by_date[date] for date in sorted(by_date)})


def _closes(code: str, first: dt.date, last: dt.date) -> dict[dt.date, dt.datetime | None]:
    if last < first:
        return {}
    if not code:
        return dict.fromkeys(_weekdays(first, last))
    calendar = _library_calendar(code)
    schedule = calendar.schedule(first, last)
    # A session without a known close is none: the library pads some calendars with them.
    known = schedule["market_close"].dropna()
    by_date = {date.date(): close.to_pydatetime() for date, close in known.items()}
    for date, close in _tables().days.get(calendar.name, {}).items():
        if not first <= date <= last:
            continue
        if close is None:
            by_date.pop(date, None)
        else:
            by_date[date] = dt.datetime.combine(date, close, ZoneInfo(str(calendar.tz))).astimezone(dt.UTC)
    return by_date


def _weekdays(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    date = first
    while date <= last:
        if date.weekday() < 5:
            yield date
        date += ONE_DAY


def validate(code: str) -> None:
    """Check that a code is empty or known.

    Raises:
        CalendarError: It is neither.
    """
    if code:
        _library_calendar(code)


@lru_cache(maxsize=64)
def _library_calendar(code: str) -> Any:
    """The library's calendar; importing it and building one takes up to a second, hence the cache."""
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

    def __init__(self, data: dict[str, Any]) -> None:
        self.calendar_by_symbol: dict[str, str] = {}
        self.days: dict[str, dict[dt.date, dt.time | None]] = {}  # None: closed
        names: dict[str, list[str]] = {}
        for group, entry in data["groups"].items():
            self.calendar_by_symbol |= dict.fromkeys(entry.get("symbols", ()), entry["calendar"])
            names[group] = [_library_calendar(code).name for code in (entry["calendar"], *entry.get("also", ()))]
        for entry in data["days"]:
            by_group: dict[str, dt.time | None] = dict.fromkeys(entry.get("closed", ()))
            by_group |= {group: dt.time.fromisoformat(text) for group, text in entry.get("close", {}).items()}
            for group, close in by_group.items():
                for name in names[group]:
                    self.days.setdefault(name, {}).update(dict.fromkeys(entry["dates"], close))


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    import yaml

    return _Tables(yaml.safe_load(OVERRIDES.read_text(encoding="utf-8")))
