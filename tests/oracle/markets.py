"""Random markets from a seed, with everything in them that rules are about.

Futures expire on Fridays, on Saturdays, on Good Friday and on Memorial Day; the calendar has holidays and days that
close early; bars are missing, on one day or for weeks, end before a contract does, come before, at and after the
decision time, in the evening of holidays and at weekends; a price falls below zero; options are of several families
and expirations a future; strikes and whole chains get their first record late, some never or for one right alone;
rates begin late.
"""

import datetime as dt
import math
import random
from dataclasses import dataclass, field

from .tables import Rules, Tables

DAY = dt.timedelta(days=1)
YEARS = (2014, 2019, 2021, 2022, 2024)  # Good Friday is the third Friday of April in 2014, 2019 and 2022
SESSIONS = 115
STRIKE_STEP = 3.0
SEEDS = tuple(range(10))


def random_market(seed: int) -> Tables:
    """The market of a seed: the same on every machine."""
    return Maker(random.Random(seed), seed).make()


def easter(year: int) -> dt.date:
    """Easter Sunday (Gauss; Meeus, Astronomical Algorithms, 1991, chapter 8)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    l = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7  # noqa: E741
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)


def third_friday(year: int, month: int) -> dt.date:
    return dt.date(year, month, 15) + DAY * ((4 - dt.date(year, month, 15).weekday()) % 7)


def last_weekday_of(year: int, month: int) -> dt.date:
    """The last day from Monday to Friday of a month, holidays among them."""
    last = dt.date(year + month // 12, month % 12 + 1, 1) - DAY
    return last - DAY * max(last.weekday() - 4, 0)


def memorial_day(year: int) -> dt.date:
    last = dt.date(year, 5, 31)
    return last - DAY * last.weekday()


def holidays(year: int) -> set[dt.date]:
    """The days of a year from January to December on which no session is expected."""
    new_year, christmas = dt.date(year, 1, 1), dt.date(year, 12, 25)
    fourth = dt.date(year, 7, 4) + DAY * {5: -1, 6: 1}.get(dt.date(year, 7, 4).weekday(), 0)
    return {new_year, easter(year) - 2 * DAY, memorial_day(year), fourth, christmas}


def weekdays(first: dt.date, last: dt.date) -> list[dt.date]:
    days = [first + DAY * step for step in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


@dataclass
class Maker:
    """Writes a market down. Closes are a random walk that all futures share, each at its own distance."""

    dice: random.Random
    seed: int
    tables: Tables = field(default_factory=Tables)

    def make(self) -> Tables:
        self.year = YEARS[self.seed % len(YEARS)]
        self.holidays = holidays(self.year) | holidays(self.year + 1)
        self.days = weekdays(dt.date(self.year, 2, 24 + self.seed % 4), dt.date(self.year, 12, 31))[:SESSIONS]
        self.tables.rules = self.rules()
        expected = weekdays(dt.date(self.year, 1, 2), dt.date(self.year + 1, 6, 30))
        if self.seed % 4 != 3:
            self.tables.calendar = [day for day in expected if day not in self.holidays]
        self.spot = self.walk()
        self.silent = set(self.dice.sample(self.days[3:], 2))  # expected, and without any bar at the decision time
        self.half = set(self.dice.sample(self.days, 4))
        self.rates()
        for month in (3, 6, 9, 12) if self.seed % 2 else range(3, 11):
            self.future(month)
        return self.tables

    def rules(self) -> Rules:
        return Rules(
            decision_time=(dt.time(14, 45), dt.time(13, 15))[self.seed % 2],
            pricing_model="bachelier" if self.seed % 10 == 6 else ("black76", "black_scholes")[self.seed // 2 % 2],
            dividend_yield=0.015 if self.seed % 8 == 2 else 0.0,
            rollover_months=(3, 6) if self.seed % 10 == 9 else ((*range(1, 13),), (3, 6, 9, 12))[self.seed // 3 % 2],
            days_before_expiration=(2, 0, 5, 1, 8, 0, 0, 2, 3, 5)[self.seed % 10],
            option_codes=((), ("^$", "S"), ("^EW$", "^$"), ("W.?", "^$"), ("W.", "EW"))[self.seed % 5],
            futures_limit=(4, 1, 2)[self.seed % 3],
            strikes_limit=(20, 10, 12)[self.seed % 3],
            max_bar_age_days=(3, 1, 3, 5)[self.seed % 4],
            cost_future=2.5,
            cost_option=1.25,
        )

    def walk(self) -> dict[dt.date, float]:
        """Where the market is on each weekday; on two markets in ten near zero, and below it for a time."""
        price, spot = 100.0, {}
        shift = {3: 84.0, 6: 103.0}.get(self.seed % 10, 0.0)
        for day in self.days:
            price *= math.exp(self.dice.gauss(0.0, 0.014))
            spot[day] = price - shift
        return spot

    def rates(self) -> None:
        late = self.dice.choice([-20, -3, 0, 6])
        for day in self.days:
            if self.dice.random() < 0.2 or day == self.days[0]:
                self.tables.rate(day + DAY * late, round(self.dice.uniform(-0.003, 0.05), 4))

    def expiration(self, month: int) -> dt.date:
        """A month's expiration as an exchange would have listed it: with no care for holidays."""
        friday = third_friday(self.year, month)
        if month == 5 and self.dice.random() < 0.7:
            return memorial_day(self.year)
        return friday + DAY if self.dice.random() < 0.4 else friday

    def future(self, month: int) -> None:
        """A future with its bars and, unless it is far away, its options."""
        name, expiration = f"F{month:02}", self.expiration(month)
        self.tables.future(name, expiration, month)
        self.bars(name, expiration, basis=0.4 * (month - 3))
        if expiration > self.days[0] and expiration - self.days[0] < dt.timedelta(days=220):
            self.families(name, month, expiration)

    # Bars

    def bars(self, name: str, expiration: dt.date, basis: float) -> None:
        ends = expiration - DAY * self.dice.choice([0, 0, 0, 6, 13])
        begins = self.days[0] + DAY * self.dice.choice([0, 0, 0, 2, 30])
        pause = self.dice.choice(self.days)
        paused = {pause + DAY * step for step in range(self.dice.choice([0, 4, 6, 9]))}
        for day in self.days:
            if begins <= day <= ends and day not in paused:
                self.bars_of(name, day, self.spot[day] + basis)

    def bars_of(self, name: str, day: dt.date, price: float) -> None:
        """A day's bars of one future."""
        if self.dice.random() < 0.03:
            return
        if day in self.silent or day in self.holidays:
            self.bars_without_session(name, day, price)
        elif day in self.half:
            self.bar(name, day, price, dt.time(12, 0))
        elif self.dice.random() < 0.75:
            self.bar(name, day, price)
        else:
            self.bars_with_times(name, day, price)
        if day.weekday() == 4 and self.dice.random() < 0.1:
            self.bar(name, day + DAY, price * 1.01)
            self.bar(name, day + 2 * DAY, price * 1.02, dt.time(17, 30))

    def bars_without_session(self, name: str, day: dt.date, price: float) -> None:
        """On a day that is a holiday, or expected to be a session and was none."""
        if self.dice.random() < 0.5:
            self.bar(name, day, price * 0.99, dt.time(17, 30))
        if day in self.holidays and self.dice.random() < 0.3:
            self.bar(name, day, price, dt.time(11, 30))

    def bars_with_times(self, name: str, day: dt.date, price: float) -> None:
        decision = self.tables.rules.decision_time
        before, after = decision.replace(minute=decision.minute - 1), decision.replace(minute=decision.minute + 1)
        for time, change in ((dt.time(9, 30), 0.97), (before, 0.999), (decision, 1.0), (after, 1.03)):
            if self.dice.random() < 0.6:
                self.bar(name, day, price * change, time)
        if self.dice.random() < 0.2:
            self.bar(name, day, price * 1.001)

    def bar(self, name: str, day: dt.date, price: float, time: dt.time | None = None) -> None:
        self.tables.bar(name, day, round(price, 2), time)

    # Options

    def families(self, name: str, month: int, expiration: dt.date) -> None:
        """The standard series that expires with the future; serial months of a quarterly; month ends; a weekly."""
        chains = [(expiration, "")]
        if self.seed % 2:
            serial = [earlier for earlier in (month - 2, month - 1) if earlier > 1]
            chains += [(self.expiration(earlier), self.dice.choice(["", "S"])) for earlier in serial]
            chains += [(last_weekday_of(self.year, earlier), "EW") for earlier in (*serial, month - 3) if earlier > 1]
        chains += [(expiration - 7 * DAY, "W1"), (expiration - DAY * expiration.weekday(), "EW")]
        chains += [(expiration, "W2")] if self.dice.random() < 0.5 else []
        for at, code in dict.fromkeys(chains):
            if self.days[0] < at <= expiration:
                self.chain(name, at, code)

    def chain(self, name: str, expiration: dt.date, code: str) -> None:
        """Strikes around where the market is when the chain is listed, and further ones that are listed later."""
        listed = max(self.days[0], min(expiration - DAY * self.dice.choice([45, 60, 90, 150]), self.days[-1]))
        listed = next((day for day in self.days if day >= listed), self.days[-1])
        center = STRIKE_STEP * round(self.spot[listed] / STRIKE_STEP)
        for step in range(-11, 12):
            late = 0 if abs(step) < 5 else self.dice.choice([0, 0, 5, 15, 40])
            for right in "CP":
                if self.dice.random() < 0.98:
                    option = self.tables.option(name, expiration, center + STRIKE_STEP * step, right, code)
                    self.records(option, listed + DAY * (late - 3), expiration, 0.18 + 0.004 * abs(step))

    def records(self, option: str, first: dt.date, expiration: dt.date, vol: float) -> None:
        """An option's volatilities: on some days, from a first one on; never for a few."""
        if self.dice.random() < 0.04:
            return
        often = self.dice.choice([0.3, 0.8])
        vol *= 100.0 if self.tables.rules.pricing_model == "bachelier" else 1.0
        for day in [self.days[0] - 2 * DAY, *self.days]:
            if first <= day <= expiration and self.dice.random() < often:
                self.tables.volatility(option, day, round(vol * self.dice.uniform(0.8, 1.3), 4))
