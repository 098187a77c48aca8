"""What a market is made of: a product's rules, and tables of contracts and quotes as columns.

Days are counted from 1970-01-01. The tables are those of MARKET_PACK.md, contracts named by their row.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ProductRules:
    """A product's contract terms and rules, as the engine needs them.

    point_value, option_point_value: currency per 1.0 of price. decision_time: local time at which a session's
    prices are taken. option_codes: patterns matched against the whole option code; empty takes all.
    cost_future, cost_option: currency per contract and side.
    """

    symbol: str
    point_value: float
    option_point_value: float
    decision_time: dt.time
    pricing_model: str
    rollover_months: tuple[int, ...]
    days_before_expiration: int
    option_codes: tuple[str, ...] = ()
    futures_limit: int = 4
    strikes_limit: int = 20
    cost_future: float = 0.0
    cost_option: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True)
class Futures:
    """Futures, sorted by expiry. Days are counted from 1970-01-01."""

    name: np.ndarray
    year: np.ndarray
    month: np.ndarray
    expiry: np.ndarray


@dataclass(frozen=True)
class Bars:
    """Futures bars: index of the future, local session date, local second of the day, close.

    A bar that is a date alone has second -1 and counts at the decision time.
    """

    future: np.ndarray
    day: np.ndarray
    second: np.ndarray
    close: np.ndarray


@dataclass(frozen=True)
class Options:
    """Options, in any order: index of the underlying future, expiry day, strike, right, code."""

    name: np.ndarray
    future: np.ndarray
    expiry: np.ndarray
    strike: np.ndarray
    is_call: np.ndarray
    code: np.ndarray


@dataclass(frozen=True)
class Vols:
    """Implied volatilities, sorted by (option, day): index of the option, day, decimal fraction a year."""

    option: np.ndarray
    day: np.ndarray
    vol: np.ndarray


@dataclass(frozen=True)
class Rates:
    """Risk-free rates, sorted by day: decimal fraction a year."""

    day: np.ndarray
    rate: np.ndarray


NO_OPTIONS = Options(*(np.empty(0, t) for t in (object, np.int32, np.int32, np.float64, bool, object)))
NO_VOLS = Vols(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
NO_RATES = Rates(np.empty(0, np.int32), np.empty(0))
