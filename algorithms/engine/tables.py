"""What a market is made of: a product's rules, and tables of contracts and quotes as columns.

Days are counted from 1970-01-01. The tables are those of a market pack (docs/market-pack.md), contracts
named by their row.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

EPOCH = dt.date(1970, 1, 1)
STANDARD, LEGACY = "standard", "legacy"


def day_number(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return (date - EPOCH).days


@dataclass(frozen=True, kw_only=True)
class ProductRules:
    """A product's contract terms and rules, as the engine needs them.

    Attributes:
        symbol: The product's key.
        point_value: Currency per 1.0 of a future's price.
        option_point_value: Currency per 1.0 of an option's price.
        decision_time: Local time at which a session's prices are taken.
        pricing_model: black76, black_scholes or bachelier.
        rollover_months: Contract months that the active future may have, 1 to 12.
        days_before_expiration: Calendar days before expiry at which a position is rolled.
        option_codes: Patterns matched against the whole option code; empty takes all.
        futures_limit: How many of the nearest futures are looked at.
        strikes_limit: How many strikes on each side of the money are looked at.
        cost_future: Currency per future and side.
        cost_option: Currency per option and side.
        currency: ISO 4217 code.
        dividend_yield: Of the underlying, a decimal fraction a year; of black_scholes alone.
        conventions: STANDARD, or LEGACY (docs/rules.md says what is different).
        max_bar_age_days: Calendar days beyond which a bar gives no value (standard).
        calendar: Code of the exchange's calendar; empty: there is none.
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
    dividend_yield: float = 0.0
    conventions: str = STANDARD
    max_bar_age_days: int = 3
    calendar: str = ""

    @property
    def legacy(self) -> bool:
        """Whether the product is computed as the desk's old engine did."""
        return self.conventions == LEGACY


@dataclass(frozen=True)
class Futures:
    """Futures, sorted by expiry; arrays of one length.

    Attributes:
        name: Unique names.
        year: Delivery year.
        month: Delivery month, 1 to 12.
        expiry: Days since 1970-01-01.
    """

    name: np.ndarray
    year: np.ndarray
    month: np.ndarray
    expiry: np.ndarray


@dataclass(frozen=True)
class Bars:
    """Futures bars, in any order; arrays of one length.

    Attributes:
        future: Row of the future.
        day: Local date, as days since 1970-01-01.
        second: Local second of the day; -1 for a bar that is a date alone, which counts at the decision time.
        close: In points.
    """

    future: np.ndarray
    day: np.ndarray
    second: np.ndarray
    close: np.ndarray


@dataclass(frozen=True)
class Options:
    """Options, in any order; arrays of one length.

    Attributes:
        name: Unique names.
        future: Row of the future under it.
        expiry: Days since 1970-01-01.
        strike: In points of the future.
        is_call: False for a put.
        code: The family that it belongs to; empty: the standard one.
    """

    name: np.ndarray
    future: np.ndarray
    expiry: np.ndarray
    strike: np.ndarray
    is_call: np.ndarray
    code: np.ndarray


@dataclass(frozen=True)
class Vols:
    """Implied volatilities, sorted by option and day; arrays of one length.

    Attributes:
        option: Row of the option.
        day: Days since 1970-01-01; known from the next session on.
        vol: Decimal fraction a year; of bachelier points a year.
    """

    option: np.ndarray
    day: np.ndarray
    vol: np.ndarray


@dataclass(frozen=True)
class Rates:
    """Risk-free rates, sorted by day; arrays of one length.

    Attributes:
        day: Days since 1970-01-01; known from the next session on.
        rate: Decimal fraction a year, continuously compounded.
    """

    day: np.ndarray
    rate: np.ndarray


NO_OPTIONS = Options(*(np.empty(0, t) for t in (object, np.int32, np.int32, np.float64, bool, object)))
NO_VOLS = Vols(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
NO_RATES = Rates(np.empty(0, np.int32), np.empty(0))
