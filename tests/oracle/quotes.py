"""What is known of a market at a session's decision time, and what a contract is worth then."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from .tables import Bar, Tables

ONE_DAY = dt.timedelta(days=1)


class Missing(Exception):
    """Something that is needed has no quote at the session."""


def normal(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def model(rules, right: str, price: float, strike: float, years: float, vol: float, rate: float) -> tuple[float, float]:
    """(value, delta) of an option that has time left; the value is in points.

    Black-76 (F. Black, 1976) has a carry of zero, Black-Scholes (1973, with R. Merton's dividend yield) one of the rate
    less the yield; Bachelier's (1900), discounted, has normal prices and a volatility in points a year.
    """
    sign = 1.0 if right == "C" else -1.0
    deviation = vol * math.sqrt(years)
    discount = math.exp(-rate * years)
    if rules.pricing_model == "bachelier":
        d = (price - strike) / deviation
        density = math.exp(-d * d / 2.0) / math.sqrt(2.0 * math.pi)
        value = discount * (sign * (price - strike) * normal(sign * d) + deviation * density)
        return max(value, 0.0), sign * discount * normal(sign * d)
    carry = {"black76": 0.0, "black_scholes": rate - rules.dividend_yield}[rules.pricing_model]
    d1 = (math.log(price / strike) + carry * years) / deviation + deviation / 2.0
    d2 = d1 - deviation
    grown = math.exp((carry - rate) * years)
    value = sign * (price * grown * normal(sign * d1) - strike * discount * normal(sign * d2))
    return max(value, 0.0), sign * grown * normal(sign * d1)


class Quotes:
    """A market's tables, asked by contract and session."""

    def __init__(self, tables: Tables):
        self.tables = tables
        self.rules = tables.rules
        self._bars: dict[str, list[Bar]] = defaultdict(list)
        for bar in tables.bars:
            self._bars[bar.future].append(bar)
        self._records: dict[str, dict[dt.date, float]] = defaultdict(dict)
        for (option, date), vol in tables.volatilities.items():
            self._records[option][date] = vol
        # The same is asked for many strikes and series.
        self.last_bar, self.effective, self.before = cache(self.last_bar), cache(self.effective), cache(self.before)

    # Sessions

    def sessions(self) -> list[dt.date]:
        """The expected sessions from the first to the last day that has a bar."""
        days = {bar.date for bar in self.tables.bars}
        if self.tables.calendar is not None:
            return [date for date in self.tables.calendar if min(days) <= date <= max(days)]
        return [date for date in sorted(days) if date.weekday() < 5 and self.has_data(date)]

    def has_data(self, session: dt.date) -> bool:
        """Whether some future has a bar of that day at or before its decision time."""
        return any(bar.date == session and self._moment(bar) <= self._decision(session) for bar in self.tables.bars)

    def before(self, session: dt.date) -> dt.date:
        """The expected session before a session: the calendar's, or the weekday before it."""
        if self.tables.calendar is not None:
            return max(date for date in self.tables.calendar if date < session)
        return last_weekday(session - ONE_DAY)

    # Expirations

    def expiry(self, contract: str) -> dt.date:
        """Effective expiry of a future or option: the last expected session on or before its expiration date."""
        row = self.tables.futures.get(contract) or self.tables.options[contract]
        return self.effective(row.expiration)

    def effective(self, expiration: dt.date) -> dt.date:
        if self.tables.calendar is not None:
            return max(date for date in self.tables.calendar if date <= expiration)
        return last_weekday(expiration)

    def days_left(self, contract: str, session: dt.date) -> int:
        """Calendar days to its effective expiry."""
        return (self.expiry(contract) - session).days

    # Bars

    def underlying(self, contract: str) -> str:
        """The future whose bars a contract's value rests on: its own, or that of the option."""
        return contract if contract in self.tables.futures else self.tables.options[contract].future

    def last_bar(self, future: str, session: dt.date) -> Bar | None:
        """Its newest bar at or before a session's decision time, however old."""
        known = [bar for bar in self._bars[future] if self._moment(bar) <= self._decision(session)]
        return max(known, key=lambda bar: (self._moment(bar), bar.time is None), default=None)

    def bar(self, future: str, session: dt.date) -> Bar:
        """The bar that its value rests on.

        Raises:
            Missing: It has none, or the newest is older than the product's limit.
        """
        bar = self.last_bar(future, session)
        if bar is None:
            raise Missing(f"{future} has no bar until {session}")
        if (session - bar.date).days > self.rules.max_bar_age_days:
            raise Missing(f"{future} has no bar after {bar.date}, too old for {session}")
        return bar

    def age(self, contract: str, session: dt.date) -> int:
        """Calendar days since the bar that a contract's value rests on."""
        return (session - self.bar(self.underlying(contract), session).date).days

    def _decision(self, session: dt.date) -> dt.datetime:
        return dt.datetime.combine(session, self.rules.decision_time)

    def _moment(self, bar: Bar) -> dt.datetime:
        return dt.datetime.combine(bar.date, bar.time or self.rules.decision_time)

    # Values

    def value(self, contract: str, session: dt.date) -> float:
        """What it is worth, in points, until its effective expiry: it needs a bar within the age limit.

        Raises:
            Missing: Something that its value is made of is not there.
        """
        if session > self.expiry(contract):
            raise Missing(f"{contract} has expired")
        if contract in self.tables.futures:
            return self.bar(contract, session).close
        return self._valued(contract, session)[0]

    def delta(self, contract: str, session: dt.date) -> float:
        """Its delta; a future's is 1."""
        return 1.0 if contract in self.tables.futures else self._valued(contract, session)[1]

    def trade_price(self, contract: str, session: dt.date) -> float:
        """Its value, if it rests on a bar of the session itself: newer than the decision time of the session before.

        Raises:
            Missing: It has no value, or an older bar.
        """
        bar = self.bar(self.underlying(contract), session)
        if self._moment(bar) <= self._decision(self.before(session)):
            raise Missing(f"{contract} has no bar of {session} itself")
        return self.value(contract, session)

    def settlement(self, contract: str) -> float:
        """What it settles at: the payoff on the underlying's last price at or before the effective expiry."""
        bar = self.last_bar(self.underlying(contract), self.expiry(contract))
        if contract in self.tables.futures:
            return bar.close
        option = self.tables.options[contract]
        return max(bar.close - option.strike if option.right == "C" else option.strike - bar.close, 0.0)

    def has_value(self, contract: str, session: dt.date) -> bool:
        try:
            self.value(contract, session)
        except Missing:
            return False
        return True

    def is_recorded(self, option: str, session: dt.date) -> bool:
        """Whether it has a record dated before a session."""
        return any(date < session for date in self._records[option])

    def _valued(self, name: str, session: dt.date) -> tuple[float, float]:
        option = self.tables.options[name]
        price = self.bar(option.future, session).close
        vol = newest(self._records[name], session, f"volatility of {name}")
        rate = newest(self.tables.rates, session, "rate")
        if self.rules.pricing_model != "bachelier" and (price <= 0 or option.strike <= 0):
            raise Missing(f"{name}: {self.rules.pricing_model} needs prices above zero")
        years = self.days_left(name, session) / 365.0  # above zero: at its expiry what is held is settled
        return model(self.rules, option.right, price, option.strike, years, vol, rate)


def newest(records: dict[dt.date, float], session: dt.date, what: str) -> float:
    """The newest of dated records that is dated before a session.

    Raises:
        Missing: There is none.
    """
    known = [date for date in records if date < session]
    if not known:
        raise Missing(f"no {what} is dated before {session}")
    return records[max(known)]


def last_weekday(date: dt.date) -> dt.date:
    """The last weekday on or before a date."""
    while date.weekday() > 4:
        date -= ONE_DAY
    return date


def weekdays_after(first: dt.date, last: dt.date) -> int:
    """How many weekdays come after a date, until another and with it."""
    days: Iterable[dt.date] = (first + ONE_DAY * step for step in range(1, (last - first).days + 1))
    return sum(day.weekday() < 5 for day in days)
