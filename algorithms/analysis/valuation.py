"""What a position is worth, and what moves it: Greeks, now or after a what-if.

`read` takes holdings as they stand at a session of a market; every other function, here and in `payoff`, works on the
`Snapshot` it gives. Nothing here is used by the session loop, and nothing depends on it.

The price of a position is that of its reference future: the one under the option that expires first, or the future that
expires first if no option is held. A shift in price moves every underlying by the same number of points. Prices of
underlyings are taken to stay at or above zero, unless the pricing model knows others. Profit and loss is against cost
(what was paid for the holdings, in the currency), so it leaves out what was realised before, and trading costs.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from ..engine import pricing
from ..engine.market import Market
from ..engine.tables import EPOCH

VOL_SHIFT = 0.01  # of a what-if: one volatility point


@dataclass(frozen=True)
class Line:
    """One contract held, its terms, and what it is valued on.

    Attributes:
        name: The contract's.
        right: F for a future, C for a call, P for a put.
        qty: Contracts, signed.
        cost: What was paid, price x qty x point value, signed, in the currency.
        leg: The leg that it is held for.
        point_value: Currency per 1.0 of its price.
        future: The future under it; a future's own name.
        future_price: Of that future, in points.
        expiry: The contract's.
        days: Calendar days to it.
        stale_days: Age in days of the bar behind `future_price`.
        strike: Of an option, in points.
        vol: Of an option, a decimal fraction a year; under Bachelier's model points a year.
        rate: Of an option, a decimal fraction a year.
    """

    name: str
    right: Literal["F", "C", "P"]
    qty: float
    cost: float
    leg: str
    point_value: float
    future: str
    future_price: float
    expiry: dt.date
    days: int
    stale_days: int
    strike: float | None = None
    vol: float | None = None
    rate: float | None = None

    @property
    def is_option(self) -> bool:
        return self.right != "F"

    @property
    def option(self) -> tuple[float, float, float]:
        """Strike, volatility and rate of an option.

        Raises:
            ValueError: The line is a future.
        """
        if self.strike is None or self.vol is None or self.rate is None:
            raise ValueError(f"{self.name} is no option: it has no strike, volatility and rate")
        return self.strike, self.vol, self.rate


@dataclass(frozen=True)
class Snapshot:
    """A position at a session.

    Attributes:
        date: The session's.
        model: The pricing model of its options.
        lines: One a contract held; none when flat.
        dividend_yield: Of the underlyings, a decimal fraction a year.
    """

    date: dt.date
    model: str
    lines: tuple[Line, ...]
    dividend_yield: float = 0.0

    @property
    def vol_point(self) -> float:
        """A volatility point, in the unit of the lines' volatilities."""
        return pricing.vol_point(self.model)

    @property
    def has_vols_in_points(self) -> bool:
        """Whether volatilities are in points a year, not fractions."""
        return self.model == pricing.BACHELIER

    @property
    def floor(self) -> float:
        """The lowest price that an underlying is taken to have, in points."""
        return pricing.lowest_price(self.model)

    @cached_property
    def reference(self) -> Line | None:
        """The line whose underlying is the price axis; None when flat."""
        options = [line for line in self.lines if line.is_option]
        return min(options or self.lines, key=lambda line: line.expiry, default=None)

    @property
    def price(self) -> float | None:
        """Price of the reference future at the session, in points; None when flat."""
        return self.reference.future_price if self.reference else None

    @property
    def days_to_expiry(self) -> int | None:
        """Calendar days to the first expiry; None when flat."""
        return max(self.reference.days, 0) if self.reference else None

    @property
    def held(self) -> tuple[float, int]:
        """`price` and `days_to_expiry` of a position that is not flat.

        Raises:
            ValueError: It is flat.
        """
        if self.price is None or self.days_to_expiry is None:
            raise ValueError("a flat position has no price and no expiry")
        return self.price, self.days_to_expiry


@dataclass(frozen=True)
class WhatIf:
    """A change of the world.

    Attributes:
        price: Points added to the prices of all underlyings.
        vol: Added to volatilities; 0.01 is one volatility point. So 0.05 makes 20 % into 25 %, and under Bachelier's
            model 30 points a year into 35. Volatility stops at zero.
        days: Calendar days that pass. An option that expires within them is worth its payoff at the price asked about.

    Raises:
        ValueError: `days` is below zero.
    """

    price: float = 0.0
    vol: float = 0.0
    days: float = 0.0

    def __post_init__(self) -> None:
        if not self.days >= 0:
            raise ValueError(f"days ({self.days:g}) must be zero or more: a what-if looks ahead")


NOTHING_CHANGES = WhatIf()


class Sensitivities(NamedTuple):
    """Greeks. Of one contract and in position terms (times quantity) the units are points; in currency they are
    multiplied by the contract's point value as well.

    Attributes:
        delta: Per 1.0 point of the underlying; a future's is 1, so a position's delta counts futures.
        gamma: Change of delta per 1.0 point.
        vega: Per volatility point: 0.01, or under Bachelier's model 1 point a year.
        theta: Per calendar day that passes.
    """

    delta: float
    gamma: float
    vega: float
    theta: float

    def times(self, factor: float) -> "Sensitivities":
        return Sensitivities(*(factor * value for value in self))


FUTURE = Sensitivities(1.0, 0.0, 0.0, 0.0)


class LineValue(NamedTuple):
    """A line valued.

    Attributes:
        line: The contract held.
        price: In points.
        value: price x qty x point value, in the currency.
        profit: Against cost, in the currency.
        unit: Of one contract, in points.
        position: Of the quantity held, in points.
        currency: Of the quantity held, in the currency.
    """

    line: Line
    price: float
    value: float
    profit: float
    unit: Sensitivities
    position: Sensitivities
    currency: Sensitivities


class Valuation(NamedTuple):
    """All lines valued, and their sums.

    Attributes:
        lines: In the order of the position's.
        value: In the currency.
        profit: Against cost, in the currency.
        position: In points.
        currency: In the currency.
    """

    lines: list[LineValue]
    value: float
    profit: float
    position: Sensitivities
    currency: Sensitivities


def read(market: Market, holdings: Iterable[tuple[str, float, float, str]], session: int) -> Snapshot:
    """Holdings as they stand at a session.

    Args:
        market: The product's quotes.
        holdings: Contract, quantity, cost and leg of each: `holdings` of a run's state.
        session: The session's number, its place among `market.dates`.

    Raises:
        EngineError: The market does not have a contract.
        QuoteMissing: A contract has no quote.
    """
    lines = tuple(_line(market, market.number(name), qty, cost, leg, session) for name, qty, cost, leg in holdings)
    return Snapshot(market.dates[session], market.rules.pricing_model, lines, market.rules.dividend_yield)


def _line(market: Market, contract: int, qty: float, cost: float, leg: str, session: int) -> Line:
    market.quote(contract, session)  # raises if there is none
    track = market.track(contract, session)
    is_future = market.is_future(contract)
    terms = None if is_future else market.option_terms(contract)
    future = contract if terms is None else terms.future
    return Line(
        name=market.names[contract],
        right="F" if terms is None else "C" if terms.is_call else "P",
        qty=qty,
        cost=cost,
        leg=leg,
        point_value=market.point_value(contract),
        future=market.names[future],
        future_price=market.future_price(future, session),
        expiry=EPOCH + dt.timedelta(days=market.expiries[contract]),
        days=market.expiries[contract] - market.day_list[session],
        stale_days=track.ages[session - track.start],
        strike=None if terms is None else terms.strike,
        vol=None if terms is None else market.volatility(contract, session),
        rate=None if terms is None else float(market.rates[session]),
    )


def value(snapshot: Snapshot, what_if: WhatIf = NOTHING_CHANGES) -> Valuation:
    """Price, worth, profit and Greeks of each line and of the position, now or after a what-if."""
    lines = [_value_line(snapshot, line, what_if) for line in snapshot.lines]
    return Valuation(
        lines,
        sum(line.value for line in lines),
        sum(line.profit for line in lines),
        _total(line.position for line in lines),
        _total(line.currency for line in lines),
    )


def _value_line(snapshot: Snapshot, line: Line, what_if: WhatIf) -> LineValue:
    underlying = line.future_price + what_if.price
    if line.is_option:
        price_then = max(underlying, snapshot.floor)
        greeks = pricing.greeks(*option_inputs(snapshot, line, price_then, what_if.days, what_if.vol))
        price, vega = float(greeks.price), float(greeks.vega) / (1.0 / snapshot.vol_point)
        unit = Sensitivities(float(greeks.delta), float(greeks.gamma), vega, float(greeks.theta))
    else:
        price, unit = underlying, FUTURE
    worth = price * line.qty * line.point_value
    position = unit.times(line.qty)
    return LineValue(line, price, worth, worth - line.cost, unit, position, position.times(line.point_value))


def _total(parts: Iterable[Sensitivities]) -> Sensitivities:
    return Sensitivities(*(float(sum(values)) for values in zip(FUTURE.times(0.0), *parts, strict=True)))


def option_inputs(
    snapshot: Snapshot, line: Line, underlying: pricing.Values, days: float, vol: float
) -> tuple[str, bool, pricing.Values, float, float, float, float, float]:
    """Arguments of the pricing functions for an option, some days on and with a shift in volatility."""
    strike, today, rate = line.option
    right, left = line.right == "C", max(line.days - days, 0.0)
    then = max(today + vol * (snapshot.vol_point / VOL_SHIFT), 0.0)
    return snapshot.model, right, underlying, strike, then, rate, left, snapshot.dividend_yield
