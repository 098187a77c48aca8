"""A payoff diagram as the numbers that an SVG template places: paths in a unit box, labels in per cent.

The paths live in a box of BOX x BOX that the page stretches to its width; text is placed outside of that box, by
per cent, so that it is never stretched. Nothing here needs a script or a style attribute.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from algorithms.analysis import payoff
from exo_registry.series.position import CurrentPosition
from exo_registry.templatetags.exoweb import number, plain

BOX = 1000.0
TICKS = 5
NICE_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Tick(NamedTuple):
    """A grid line: where it is (box units), the same in per cent for its label, and the label."""

    at: str
    percent: str
    label: str


class Dot(NamedTuple):
    """A place on the plot, in per cent of it, and what it says."""

    x: str
    y: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What the template draws. Areas are the profit at expiry above and below zero."""

    expiry: str
    day: str
    gain: str
    loss: str
    zero: Tick
    now: Tick
    prices: list[Tick]
    amounts: list[Tick]
    strikes: list[Tick]
    break_evens: list[Dot]
    place: Dot
    rows: list[tuple[str, str, str]]


class Scale(NamedTuple):
    """Values from `low` to `high` onto the box; amounts run upwards, so theirs are flipped."""

    low: float
    high: float
    flipped: bool = False

    def at(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return BOX * (1.0 - part if self.flipped else part)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def tick(self, value: float, label: str) -> Tick:
        at = self.at(value)
        return Tick(f"{at:.1f}", f"{100 * at / BOX:.2f}%", label)


def plot(position: CurrentPosition) -> Plot:
    """The diagram of a position that is not flat."""
    curves, what_if, snapshot = position.payoff, position.what_if, position.snapshot
    price = snapshot.price + what_if.price
    profit = position.after.profit
    low, high = (float(pick([*curves.at_expiry, *curves.at_day, 0.0, profit])) for pick in (min, max))
    margin = 0.08 * (high - low or 1.0)
    across = Scale(float(min(curves.prices[0], price)), float(max(curves.prices[-1], price)))
    up = Scale(low - margin, high + margin, flipped=True)

    def line(values: Sequence[float]) -> str:
        return " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in zip(curves.prices, values, strict=True))

    def area(values: Sequence[float]) -> str:
        left, right = across.at(curves.prices[0]), across.at(curves.prices[-1])
        return f"{left:.1f},{up.at(0.0):.1f} {line(values)} {right:.1f},{up.at(0.0):.1f}"

    strikes = {line.strike + snapshot.price - line.future_price: line.strike for line in snapshot.lines if line.strike}
    return Plot(
        expiry=line(curves.at_expiry),
        day=line(curves.at_day),
        gain=area(np.maximum(curves.at_expiry, 0.0)),
        loss=area(np.minimum(curves.at_expiry, 0.0)),
        zero=up.tick(0.0, "0"),
        now=across.tick(snapshot.price, plain(snapshot.price)),
        prices=[across.tick(value, plain(value)) for value in nice(across.low, across.high)],
        amounts=[up.tick(value, number(value, 0)) for value in nice(up.low, up.high) if value],
        strikes=[across.tick(at, plain(strike)) for at, strike in strikes.items() if across.holds(at)],
        break_evens=[
            Dot(across.tick(price, "").percent, up.tick(0.0, "").percent, plain(round(price, 2)))
            for price in position.break_evens
            if across.holds(price)
        ],
        place=Dot(across.tick(price, "").percent, up.tick(profit, "").percent, number(profit, 0)),
        rows=table(position, across),
    )


def nice(low: float, high: float, count: int = TICKS) -> list[float]:
    """About `count` round values from `low` to `high`."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(step for step in NICE_STEPS if step * power >= rough)
    first = math.ceil(low / step)
    return [round(step * i, 10) for i in range(first, math.floor(high / step) + 1)]


def table(position: CurrentPosition, across: Scale) -> list[tuple[str, str, str]]:
    """The same curves as text: price, profit at expiry, profit at the day; at round prices."""
    snapshot, what_if = position.snapshot, position.what_if
    prices = nice(across.low, across.high, 10)
    if not prices:
        return []
    curves = payoff.payoff(snapshot, np.array(prices), what_if)
    return [
        (plain(price), number(float(expiry), 0), number(float(day), 0))
        for price, expiry, day in zip(prices, curves.at_expiry, curves.at_day, strict=True)
    ]
