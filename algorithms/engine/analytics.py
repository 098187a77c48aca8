"""What a position is worth, what moves it, and what it pays: Greeks, payoff with what-if, break-evens, extremes.

`read` takes holdings as they stand at a session of a market; every other function works on the `Snapshot` it gives.
Nothing here is used by the session loop, and nothing depends on it.

Conventions. The price axis is that of the reference future: the one under the option that expires first, or the
future that expires first if no option is held. A shift in price moves every underlying by the same number of points.
Prices are taken to stay at or above zero. Profit and loss is against cost (what was paid for the holdings, in the
currency), so it leaves out what was realised before, and trading costs.
Expiry means the day on which the first held option expires: those that expire then are worth their payoff, later
ones a model value with the volatilities of the session.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from . import pricing
from .market import EPOCH, Market

CURVE_POINTS = 160  # of a default price axis
PIECES = 64  # between two strikes, where the profit is curved
FAR = 20.0  # times the highest strike or price: as good as infinitely far for an option
FLAT = 1e-9  # profits this small against the position's size are zero


@dataclass(frozen=True)
class Line:
    """One contract held, its terms, and what it is valued on.

    qty: contracts, signed. cost: what was paid, price x qty x point value, signed, in the currency. future,
    future_price: its underlying (a future's own name and price), in points. days: calendar days to expiry.
    stale_days: age in days of the bar behind future_price. Options alone: strike in points, vol and rate as decimal
    fractions a year.
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


@dataclass(frozen=True)
class Snapshot:
    """A position at a session. `model` is the pricing model of its options."""

    date: dt.date
    model: str
    lines: tuple[Line, ...]

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


@dataclass(frozen=True)
class WhatIf:
    """A change of the world: points added to prices, an amount added to volatilities, calendar days that pass.

    `vol` is a decimal fraction a year: 0.05 makes 20 % into 25 %. Volatility stops at zero. An option that expires
    within `days` is worth its payoff at the price asked about. Raises ValueError if `days` is below zero.
    """

    price: float = 0.0
    vol: float = 0.0
    days: float = 0.0

    def __post_init__(self):
        if not self.days >= 0:
            raise ValueError(f"days ({self.days:g}) must be zero or more: a what-if looks ahead")


NOTHING_CHANGES = WhatIf()


class Sensitivities(NamedTuple):
    """Greeks. Of one contract and in position terms (times quantity) the units are points; in currency they are
    multiplied by the contract's point value as well.

    delta: per 1.0 point of the underlying; a future's is 1, so a position's delta counts futures.
    gamma: change of delta per 1.0 point.
    vega: per volatility point (0.01).
    theta: per calendar day that passes.
    """

    delta: float
    gamma: float
    vega: float
    theta: float

    def times(self, factor: float) -> "Sensitivities":
        return Sensitivities(*(factor * value for value in self))


FUTURE = Sensitivities(1.0, 0.0, 0.0, 0.0)


class LineValue(NamedTuple):
    """A line valued. price: points. value, profit: currency; profit is against cost."""

    line: Line
    price: float
    value: float
    profit: float
    unit: Sensitivities
    position: Sensitivities
    currency: Sensitivities


class Valuation(NamedTuple):
    """All lines valued, and their sums."""

    lines: list[LineValue]
    value: float
    profit: float
    position: Sensitivities
    currency: Sensitivities


class Payoff(NamedTuple):
    """Profit and loss in the currency over prices of the reference future, ascending."""

    prices: np.ndarray
    at_expiry: np.ndarray
    at_day: np.ndarray


class Extremes(NamedTuple):
    """Highest and lowest profit at expiry, in the currency, and the lowest price at which each is reached.

    None: without bound. A lowest profit below zero is the largest loss.
    """

    highest: float | None
    highest_at: float | None
    lowest: float | None
    lowest_at: float | None


def read(market: Market, holdings: Iterable[tuple[str, float, float, str]], session: int) -> Snapshot:
    """Holdings (contract, quantity, cost, leg: the rows of a run's state) as they stand at a session (its index).

    Raises EngineError for a contract that the market does not have, QuoteMissing for one that has no quote.
    """
    lines = tuple(_line(market, market.number(name), qty, cost, leg, session) for name, qty, cost, leg in holdings)
    return Snapshot(market.dates[session], market.rules.pricing_model, lines)


def _line(market: Market, contract: int, qty: float, cost: float, leg: str, session: int) -> Line:
    market.quote(contract, session)  # raises if there is none
    track = market.track(contract, session)
    is_future = market.is_future(contract)
    future = contract if is_future else market.option_terms(contract)["future"]
    option = {}
    if not is_future:
        terms = market.option_terms(contract)
        option = {
            "strike": terms["strike"],
            "vol": market.volatility(contract, session),
            "rate": float(market.rates[session]),
        }
    return Line(
        name=market.names[contract],
        right="F" if is_future else "C" if terms["is_call"] else "P",
        qty=qty,
        cost=cost,
        leg=leg,
        point_value=market.point_value(contract),
        future=market.names[future],
        future_price=market.future_price(future, session),
        expiry=EPOCH + dt.timedelta(days=market.expiries[contract]),
        days=market.expiries[contract] - market.day_list[session],
        stale_days=track.ages[session - track.start],
        **option,
    )


def value(snapshot: Snapshot, what_if: WhatIf = NOTHING_CHANGES) -> Valuation:
    """Price, worth, profit and Greeks of each line and of the position, now or after a what-if."""
    lines = [_value_line(snapshot.model, line, what_if) for line in snapshot.lines]
    return Valuation(
        lines,
        sum(line.value for line in lines),
        sum(line.profit for line in lines),
        _total(line.position for line in lines),
        _total(line.currency for line in lines),
    )


def _value_line(model: str, line: Line, what_if: WhatIf) -> LineValue:
    underlying = line.future_price + what_if.price
    if line.is_option:
        found = pricing.greeks(*_inputs(model, line, max(underlying, 0.0), what_if.days, what_if.vol))
        price = float(found.price)
        unit = Sensitivities(float(found.delta), float(found.gamma), float(found.vega) / 100.0, float(found.theta))
    else:
        price, unit = underlying, FUTURE
    worth = price * line.qty * line.point_value
    position = unit.times(line.qty)
    return LineValue(line, price, worth, worth - line.cost, unit, position, position.times(line.point_value))


def _total(parts: Iterable[Sensitivities]) -> Sensitivities:
    return Sensitivities(*(float(sum(values)) for values in zip(FUTURE.times(0.0), *parts, strict=True)))


def _inputs(model: str, line: Line, underlying, days: float, vol: float) -> tuple:
    """Arguments of the pricing functions for an option, some days on and with a shift in volatility."""
    shifted = max(line.vol + vol, 0.0)
    return model, line.right == "C", underlying, line.strike, shifted, line.rate, max(line.days - days, 0.0)


def profit(snapshot: Snapshot, prices: np.ndarray | float, *, days: float = 0.0, vol: float = 0.0) -> np.ndarray:
    """Profit and loss in the currency at prices of the reference future, some days on and with a shift in volatility
    (decimal fraction). A flat position's is zero."""
    prices = np.asarray(prices, dtype=float)
    total = np.zeros(prices.shape)
    for line in snapshot.lines:
        underlying = line.future_price + (prices - snapshot.price)
        worth = underlying
        if line.is_option:
            inputs = _inputs(snapshot.model, line, np.maximum(underlying, 0.0), days, vol)
            worth, _ = pricing.price_and_delta(*inputs)
        total += worth * (line.qty * line.point_value) - line.cost
    return total


def payoff(snapshot: Snapshot, prices: np.ndarray | None = None, what_if: WhatIf = NOTHING_CHANGES) -> Payoff:
    """The two curves of a payoff diagram: at expiry, and `what_if.days` from the session with volatility shifted.

    `prices` are of the reference future (default: `price_axis`). The axis is where the price may go, so the shift in
    price of the what-if is a place on it and moves no curve: `profit(snapshot, snapshot.price + what_if.price, …)`.
    Empty arrays when flat.
    """
    axis = price_axis(snapshot) if prices is None else np.asarray(prices, dtype=float)
    if not snapshot.lines:
        return Payoff(axis, np.zeros(len(axis)), np.zeros(len(axis)))
    at_expiry = profit(snapshot, axis, days=snapshot.days_to_expiry)
    return Payoff(axis, at_expiry, profit(snapshot, axis, days=what_if.days, vol=what_if.vol))


def price_axis(snapshot: Snapshot) -> np.ndarray:
    """Prices for a diagram, every kink among them: all strikes with a margin, and three standard deviations to the
    first expiry on each side of today's price (a tenth of it if no option is held). Empty when flat."""
    if not snapshot.lines:
        return np.empty(0)
    price, kinks = snapshot.price, _kinks(snapshot)
    vols = [line.vol for line in snapshot.lines if line.is_option]
    years = max(snapshot.days_to_expiry, 1) / pricing.DAYS_A_YEAR
    spread = 3.0 * max(vols) * np.sqrt(years) if vols else 0.1
    low = min([price - abs(price) * (1.0 - np.exp(-spread)), *(0.97 * kink for kink in kinks)])
    high = max([price + abs(price) * (np.exp(spread) - 1.0), *(1.03 * kink for kink in kinks)])
    low = max(low, _lowest_price(snapshot))
    return np.unique(np.concatenate((np.linspace(low, high, CURVE_POINTS), kinks, [price])))


def break_evens(snapshot: Snapshot) -> list[float]:
    """Prices of the reference future at which the profit at expiry is zero, ascending.

    Where it is zero over a stretch, the ends of the stretch. Exact (to rounding) when all options expire together;
    else found numerically.
    """
    if not snapshot.lines:
        return []
    curve, nodes = _curve_at_expiry(snapshot)
    values = _without_noise(snapshot, curve(nodes))
    found = [
        float(node)
        for at, node in enumerate(nodes)
        if values[at] == 0.0 and not (0 < at < len(nodes) - 1 and values[at - 1] == 0.0 == values[at + 1])
    ]
    crossed = np.flatnonzero(values[:-1] * values[1:] < 0.0)
    found += [float(brentq(lambda x: float(curve(x)), nodes[at], nodes[at + 1], xtol=1e-10)) for at in crossed]
    slope = _upper_slope(snapshot)
    if slope * values[-1] < 0.0:
        found.append(float(nodes[-1] - values[-1] / slope))
    return sorted(found)


def extremes(snapshot: Snapshot) -> Extremes:
    """Highest and lowest profit at expiry over all prices from zero up."""
    if not snapshot.lines:
        return Extremes(0.0, None, 0.0, None)
    curve, nodes = _curve_at_expiry(snapshot)
    values, slope = curve(nodes), _upper_slope(snapshot)
    highest = (None, None) if slope > 0.0 else _highest(curve, nodes, values)
    lowest = (None, None) if slope < 0.0 else _highest(lambda x: -curve(x), nodes, -values)
    return Extremes(*highest, lowest[0] if lowest[0] is None else -lowest[0], lowest[1])


def _highest(curve: Callable, nodes: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """The highest value and the lowest price where it is reached: at a node, or between two of a curved profit."""
    best = int(np.argmax(values))
    price, top = float(nodes[best]), float(values[best])
    left, right = nodes[max(best - 1, 0)], nodes[min(best + 1, len(nodes) - 1)]
    refined = minimize_scalar(lambda x: -float(curve(x)), bounds=(left, right), method="bounded")
    # The search stops short of a kink, so it counts only where it finds clearly more.
    if -refined.fun > top + FLAT * max(1.0, abs(top)):
        return float(-refined.fun), float(refined.x)
    return top, price


def _curve_at_expiry(snapshot: Snapshot) -> tuple[Callable, np.ndarray]:
    """The profit at the first expiry as a function of price, and nodes between which it has no kink.

    When all options expire then, it is a straight line from node to node and beyond the last.
    """
    days = snapshot.days_to_expiry
    nodes = np.unique([_lowest_price(snapshot), *_kinks(snapshot), snapshot.price])
    if any(line.is_option and line.days > days for line in snapshot.lines):
        nodes = np.append(nodes, np.geomspace(nodes[-1], FAR * nodes[-1], 6)[1:])
        nodes = np.unique(np.concatenate([np.linspace(*pair, PIECES) for pair in pairwise(nodes)]))
    return lambda prices: profit(snapshot, prices, days=days), nodes


def _kinks(snapshot: Snapshot) -> list[float]:
    """Strikes, as prices of the reference future."""
    return [
        line.strike + snapshot.price - line.future_price
        for line in snapshot.lines
        if line.is_option and line.strike + snapshot.price - line.future_price > 0.0
    ]


def _lowest_price(snapshot: Snapshot) -> float:
    """The price of the reference future below which an underlying would be below zero; today's, if one is already."""
    floor = max(0.0, *(snapshot.price - line.future_price for line in snapshot.lines))
    return min(floor, snapshot.price)


def _upper_slope(snapshot: Snapshot) -> float:
    """Currency per point at prices far above all strikes, at the first expiry; exactly zero if it is only noise."""
    slopes = []
    for line in snapshot.lines:
        slope = line.qty * line.point_value
        if line.right == "P":
            continue
        if line.right == "C" and snapshot.model == "black76":
            left = max(line.days - snapshot.days_to_expiry, 0)
            slope *= np.exp(-line.rate * left / pricing.DAYS_A_YEAR)
        slopes.append(slope)
    total = float(sum(slopes))
    return 0.0 if abs(total) <= FLAT * sum(map(abs, slopes)) else total


def _without_noise(snapshot: Snapshot, values: np.ndarray) -> np.ndarray:
    size = sum(abs(line.qty) * line.point_value * line.future_price for line in snapshot.lines)
    return np.where(np.abs(values) <= 1e-12 * abs(size), 0.0, values)
