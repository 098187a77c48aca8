"""Which days are sessions of a product, and what that makes of the expirations of its contracts.

Days are counted from 1970-01-01. An exchange's calendar is the ascending days on which it trades, over all sessions
and expirations, if possible with some days before the first session.
"""

from typing import NamedTuple

import numpy as np

from .tables import Bars, ProductRules

SECONDS_A_DAY = 86_400
LONG_BEFORE = -1_000_000  # a day


def weekday(days: np.ndarray) -> np.ndarray:
    """Of each day; Monday is 0. 1970-01-01 was a Thursday."""
    return (days + 3) % 7


def decision_second(rules: ProductRules) -> int:
    """The decision time as seconds of the day."""
    time = rules.decision_time
    return time.hour * 3600 + time.minute * 60 + time.second


class SessionDays(NamedTuple):
    """The sessions of a product; arrays of one length.

    Attributes:
        days: Ascending (int64).
        has_data: Whether a future has a bar of that date at or before the decision time.
        fresh_after: Decision time, in seconds since 1970-01-01 on the product's clock, of the expected session before:
            a newer bar is one of the session itself.
    """

    days: np.ndarray
    has_data: np.ndarray
    fresh_after: np.ndarray


def session_days(rules: ProductRules, bars: Bars, calendar: np.ndarray | None) -> SessionDays:
    """The sessions that bars make.

    Args:
        rules: The product's.
        bars: Of its futures.
        calendar: The exchange's; None: there is none.

    Returns:
        The calendar's days from the first to the last day that has a bar. Without a calendar: the weekdays that have
        a bar at or before the decision time. Legacy: the weekdays that have a bar.
    """
    decision = decision_second(rules)
    with_bars = np.unique(bars.day).astype(np.int64)
    timely = with_bars if rules.legacy else np.unique(bars.day[bars.second <= decision]).astype(np.int64)
    if rules.legacy or calendar is None:
        days = timely[weekday(timely) < 5]
        before = days - 1 - np.maximum(weekday(days - 1) - 4, 0)
    elif not len(with_bars):
        days = before = with_bars
    else:
        days = calendar[(calendar >= with_bars[0]) & (calendar <= with_bars[-1])].astype(np.int64)
        place = np.searchsorted(calendar, days) - 1
        before = np.where(place >= 0, calendar[place], LONG_BEFORE)
    return SessionDays(days, np.isin(days, timely), before * SECONDS_A_DAY + decision)


def effective_expiries(rules: ProductRules, expirations: np.ndarray, calendar: np.ndarray | None) -> np.ndarray:
    """The last expected session on or before each expiration date (int64); where no calendar tells, the last weekday.
    Legacy: the date itself."""
    dates = expirations.astype(np.int64)
    if rules.legacy:
        return dates
    effective = dates - np.maximum(weekday(dates) - 4, 0)
    if calendar is not None and len(calendar):
        place = np.searchsorted(calendar, dates, side="right") - 1
        known = (place >= 0) & (dates <= calendar[-1])
        effective[known] = calendar[place[known]]
    return np.asarray(effective)
