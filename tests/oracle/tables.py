"""What a market is made of: a product's rules and rows of a market pack, as plain values."""

import datetime as dt
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rules:
    """A product's terms and rules, named as those of the product. `conventions` are always `standard`."""

    point_value: float = 50.0
    option_point_value: float = 100.0
    decision_time: dt.time = dt.time(14, 45)
    pricing_model: str = "black76"
    rollover_months: tuple[int, ...] = tuple(range(1, 13))
    days_before_expiration: int = 2
    option_codes: tuple[str, ...] = ()
    futures_limit: int = 4
    strikes_limit: int = 20
    max_bar_age_days: int = 3
    dividend_yield: float = 0.0
    cost_future: float = 0.0
    cost_option: float = 0.0


@dataclass(frozen=True)
class Future:
    """A future; `expiration` as its exchange lists it, be that a session or not."""

    name: str
    month: int
    expiration: dt.date


@dataclass(frozen=True)
class Bar:
    """A bar of a future; without a time it is made at the decision time of its date."""

    future: str
    date: dt.date
    time: dt.time | None
    close: float


@dataclass(frozen=True)
class Option:
    """An option on a future; `right` is C or P, `code` its family."""

    name: str
    future: str
    expiration: dt.date
    strike: float
    right: str
    code: str


@dataclass
class Tables:
    """A market, written down row by row.

    Attributes:
        rules: The product's.
        futures: By name.
        options: By name.
        bars: In any order.
        volatilities: (option, date): implied volatility, decimal fraction a year; of bachelier points a year.
        rates: date: risk-free rate, decimal fraction a year.
        calendar: Expected sessions, ascending, from before the first bar until after the last expiration; None: no
            calendar is known.
    """

    rules: Rules = field(default_factory=Rules)
    futures: dict[str, Future] = field(default_factory=dict)
    options: dict[str, Option] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    volatilities: dict[tuple[str, dt.date], float] = field(default_factory=dict)
    rates: dict[dt.date, float] = field(default_factory=dict)
    calendar: list[dt.date] | None = None

    def future(self, name: str, expiration: dt.date, month: int | None = None) -> None:
        """List a future; its month is that of the expiration unless given."""
        self.futures[name] = Future(name, expiration.month if month is None else month, expiration)

    def bar(self, future: str, date: dt.date, close: float, time: dt.time | None = None) -> None:
        self.bars.append(Bar(future, date, time, close))

    def option(self, future: str, expiration: dt.date, strike: float, right: str, code: str = "") -> str:
        """List an option under a name made of its terms; the name."""
        name = f"{right}{code}.{future}.{expiration:%m%d}.{strike:g}"
        return self.list_option(name, future, expiration, strike, right, code)

    def list_option(
        self, name: str, future: str, expiration: dt.date, strike: float, right: str, code: str = ""
    ) -> str:
        """List an option; its name."""
        self.options[name] = Option(name, future, expiration, strike, right, code)
        return name

    def volatility(self, option: str, date: dt.date, value: float) -> None:
        self.volatilities[option, date] = value

    def rate(self, date: dt.date, value: float) -> None:
        self.rates[date] = value
