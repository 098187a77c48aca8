"""What is traded on the demonstration market, and when it expires.

The symbols are X and the familiar one: no real product has them, so the demonstration and a desk's
own data can live in one registry and never mix.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MONTH_CODES = "FGHJKMNQUVXZ"
QUARTERLY = (3, 6, 9, 12)
EVEN = (2, 4, 6, 8, 10, 12)
MONTHLY = tuple(range(1, 13))
FRIDAY, WEDNESDAY = 4, 2


def weekdays_after(day: dt.date, count: int) -> dt.date:
    """The weekday `count` weekdays after `day` (before it, if negative), counting from the last weekday up to it."""
    return np.busday_offset(day, count, roll="backward").astype(object)


def month_start(year: int, month: int, shift: int = 0) -> dt.date:
    """The first of a month, `shift` months later."""
    months = year * 12 + month - 1 + shift
    return dt.date(months // 12, months % 12 + 1, 1)


def nth_weekday(year: int, month: int, weekday: int, n: int) -> dt.date:
    first = month_start(year, month)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def month_end(year: int, month: int) -> dt.date:
    """The last weekday of a month."""
    return weekdays_after(month_start(year, month, +1) - dt.timedelta(days=1), 0)


def third_friday(year: int, month: int) -> dt.date:
    return nth_weekday(year, month, FRIDAY, 3)


def crude_future(year: int, month: int) -> dt.date:
    return weekdays_after(month_start(year, month, -1).replace(day=25), -3)


def crude_option(year: int, month: int) -> dt.date:
    return weekdays_after(crude_future(year, month), -3)


def note_future(year: int, month: int) -> dt.date:
    return weekdays_after(month_end(year, month), -7)


def note_option(year: int, month: int) -> dt.date:
    """The last Friday that leaves two weekdays of the month before the option's."""
    last = month_start(year, month) - dt.timedelta(days=1)
    latest = weekdays_after(last, -2)
    return latest - dt.timedelta(days=(latest.weekday() - FRIDAY) % 7)


def gold_future(year: int, month: int) -> dt.date:
    return weekdays_after(month_end(year, month), -2)


def gold_option(year: int, month: int) -> dt.date:
    return weekdays_after(month_start(year, month) - dt.timedelta(days=1), -4)


def euro_future(year: int, month: int) -> dt.date:
    return nth_weekday(year, month, WEDNESDAY, 3) - dt.timedelta(days=2)


def euro_option(year: int, month: int) -> dt.date:
    return nth_weekday(year, month, WEDNESDAY, 3) - dt.timedelta(days=12)


Expiry = Callable[[int, int], dt.date]


@dataclass(frozen=True, kw_only=True)
class DemoProduct:
    """Contract terms, and the character of the prices that are made up for it (annual figures)."""

    symbol: str
    description: str
    ticksize: float
    tickvalue: float
    strike_increment: float
    decision_time: str
    months: tuple[int, ...]
    future_expiry: Expiry
    option_expiries: tuple[tuple[str, Expiry], ...]  # option code, its expiry in a month
    seed: int
    price: float  # at the start, and what it is drawn back to
    vol: float  # in calm times
    drift: float = 0.0
    pull: float = 0.0  # speed of the return to `price`
    carry: float = 0.0  # mean slope of the term structure
    carry_vol: float = 0.0
    skew: float = 0.0  # slope of the smile, as a fraction of the at-the-money volatility
    curve: float = 0.02
    leverage: float = 0.0  # correlation of returns with changes of volatility
    jumps: float = 1.0  # a year
    jump_mean: float = 0.0
    jump_size: float = 0.02


PRODUCTS = (
    DemoProduct(
        symbol="XES",
        description="Synthetic equity index",
        ticksize=0.25,
        tickvalue=12.5,
        strike_increment=25.0,
        decision_time="14:45",
        months=QUARTERLY,
        future_expiry=third_friday,
        option_expiries=(("", third_friday), ("EW", month_end)),
        seed=59,
        price=2700.0,
        vol=0.12,
        drift=0.09,
        carry=0.008,
        carry_vol=0.004,
        skew=-0.14,
        curve=0.022,
        leverage=-0.7,
        jumps=1.5,
        jump_mean=-0.02,
    ),
    DemoProduct(
        symbol="XCL",
        description="Synthetic crude oil",
        ticksize=0.01,
        tickvalue=10.0,
        strike_increment=1.0,
        decision_time="13:15",
        months=MONTHLY,
        future_expiry=crude_future,
        option_expiries=(("", crude_option),),
        seed=1102,
        price=64.0,
        vol=0.27,
        drift=0.03,
        pull=0.5,
        carry=-0.02,
        carry_vol=0.12,
        skew=-0.05,
        leverage=-0.3,
        jumps=2.0,
        jump_size=0.04,
    ),
    DemoProduct(
        symbol="XZN",
        description="Synthetic 10-year notes",
        ticksize=0.015625,
        tickvalue=15.625,
        strike_increment=0.5,
        decision_time="13:45",
        months=QUARTERLY,
        future_expiry=note_future,
        option_expiries=(("", note_option),),
        seed=1103,
        price=121.0,
        vol=0.045,
        pull=0.3,
        carry=-0.01,
        carry_vol=0.005,
        skew=-0.02,
        jump_size=0.006,
    ),
    DemoProduct(
        symbol="XGC",
        description="Synthetic gold",
        ticksize=0.1,
        tickvalue=10.0,
        strike_increment=10.0,
        decision_time="12:30",
        months=EVEN,
        future_expiry=gold_future,
        option_expiries=(("", gold_option),),
        seed=1104,
        price=1320.0,
        vol=0.12,
        drift=0.05,
        carry=0.022,
        carry_vol=0.005,
        skew=0.03,
        leverage=0.2,
        jump_size=0.015,
    ),
    DemoProduct(
        symbol="X6E",
        description="Synthetic euro",
        ticksize=0.00005,
        tickvalue=6.25,
        strike_increment=0.005,
        decision_time="13:45",
        months=QUARTERLY,
        future_expiry=euro_future,
        option_expiries=(("", euro_option),),
        seed=1105,
        price=1.15,
        vol=0.065,
        pull=0.3,
        carry=0.015,
        carry_vol=0.006,
        skew=0.01,
        jump_size=0.007,
    ),
)
