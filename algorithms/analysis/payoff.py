"""What a position pays: profit over prices, at expiry and before, break-evens and extremes.

The price axis is that of the reference future (`valuation.Snapshot.reference`), and profit is against cost, as in
`valuation`. Expiry means the day on which the first held option expires: those that expire then are worth their
payoff, later ones a model value with the volatilities of the session.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..engine import pricing
from .valuation import NOTHING_CHANGES, Line, Snapshot, WhatIf, option_inputs

CURVE_POINTS = 160  # of a default price axis
PIECES = 64  # between two strikes, where the profit is curved
FAR = 20.0  # times the highest strike or price, or standard deviations: as good as infinitely far for an option
FLAT = 1e-9  # profits this small against the position's size are zero

Curve = Callable[[np.ndarray | float], np.ndarray]  # profit in the currency over prices of the reference future


class Payoff(NamedTuple):
    """Profit and loss over prices; arrays of one length.

    Attributes:
        prices: Of the reference future, in points, ascending.
        at_expiry: In the currency.
        at_day: In the currency, on the day asked about.
    """

    prices: np.ndarray
    at_expiry: np.ndarray
    at_day: np.ndarray


class Extremes(NamedTuple):
    """Highest and lowest profit at expiry; None: without bound.

    Attributes:
        highest: In the currency.
        highest_at: The lowest price at which it is reached, in points.
        lowest: In the currency; below zero it is the largest loss.
        lowest_at: The lowest price at which it is reached, in points.
    """

    highest: float | None
    highest_at: float | None
    lowest: float | None
    lowest_at: float | None


def profit(snapshot: Snapshot, prices: np.ndarray | float, *, days: float = 0.0, vol: float = 0.0) -> np.ndarray:
    """Profit and loss at prices of the reference future, some days on and with a shift in volatility.

    Args:
        snapshot: The position.
        prices: In points, of any shape.
        days: Calendar days that pass.
        vol: Added to volatilities; 0.01 is one volatility point.

    Returns:
        In the currency, of the shape of the prices; zeros for a flat position.
    """
    prices = np.asarray(prices, dtype=float)
    total = np.zeros(prices.shape)
    for line in snapshot.lines:
        underlying = line.future_price + (prices - snapshot.held[0])
        worth = underlying
        if line.is_option:
            inputs = option_inputs(snapshot, line, np.maximum(underlying, snapshot.floor), days, vol)
            worth, _ = pricing.price_and_delta(*inputs)
        total += worth * (line.qty * line.point_value) - line.cost
    return total


def payoff(snapshot: Snapshot, prices: np.ndarray | None = None, what_if: WhatIf = NOTHING_CHANGES) -> Payoff:
    """The two curves of a payoff diagram: at expiry, and `what_if.days` from the session with volatility shifted.

    The axis is where the price may go, so the shift in price of the what-if is a place on it and moves no curve:
    `profit(snapshot, snapshot.price + what_if.price, …)`.

    Args:
        snapshot: The position.
        prices: Of the reference future, in points, ascending; None: `price_axis`.
        what_if: Its `days` and `vol` count.

    Returns:
        The curves; with no prices given and a flat position, empty arrays.
    """
    axis = price_axis(snapshot) if prices is None else np.asarray(prices, dtype=float)
    if not snapshot.lines:
        return Payoff(axis, np.zeros(len(axis)), np.zeros(len(axis)))
    at_expiry = profit(snapshot, axis, days=snapshot.held[1])
    return Payoff(axis, at_expiry, profit(snapshot, axis, days=what_if.days, vol=what_if.vol))


def price_axis(snapshot: Snapshot) -> np.ndarray:
    """Prices for a diagram, every kink among them: all strikes with a margin, and three standard deviations to the
    first expiry on each side of today's price (a tenth of it if no option is held). Empty when flat."""
    if not snapshot.lines:
        return np.empty(0)
    price, kinks = snapshot.held[0], _kinks(snapshot)
    down, up = _reach(snapshot)
    low = min([price - down, *(kink - 0.03 * abs(kink) for kink in kinks)])
    high = max([price + up, *(kink + 0.03 * abs(kink) for kink in kinks)])
    low = max(low, lowest_price(snapshot))
    return np.unique(np.concatenate((np.linspace(low, high, CURVE_POINTS), kinks, [price])))


def _reach(snapshot: Snapshot) -> tuple[float, float]:
    """How far down and up the price may go by the first expiry, in points."""
    price, days = snapshot.held
    vols = [line.vol for line in snapshot.lines if line.vol is not None]
    if not vols:
        return (0.1 * abs(price) or 1.0,) * 2
    spread = 3.0 * max(vols) * np.sqrt(max(days, 1) / pricing.DAYS_A_YEAR)
    if snapshot.model == pricing.BACHELIER:
        return spread, spread
    return abs(price) * (1.0 - np.exp(-spread)), abs(price) * (np.exp(spread) - 1.0)


def break_evens(snapshot: Snapshot) -> list[float]:
    """Prices of the reference future at which the profit at expiry is zero, ascending.

    Where it is zero over a stretch, the ends of the stretch. Exact (to rounding) when all options expire together;
    else found numerically.
    """
    if not snapshot.lines:
        return []
    from scipy.optimize import brentq  # a slow import, which those who only value a position do not need

    curve, nodes = _curve_at_expiry(snapshot)
    values = _without_noise(snapshot, curve(nodes))
    prices = [
        float(node)
        for at, node in enumerate(nodes)
        if values[at] == 0.0 and not (0 < at < len(nodes) - 1 and values[at - 1] == 0.0 == values[at + 1])
    ]
    crossed = np.flatnonzero(values[:-1] * values[1:] < 0.0)
    prices += [float(brentq(lambda x: float(curve(x)), nodes[at], nodes[at + 1], xtol=1e-10)) for at in crossed]
    lower, upper = _outer_slopes(snapshot)
    if lower * values[0] > 0.0:
        prices.append(float(nodes[0] - values[0] / lower))
    if upper * values[-1] < 0.0:
        prices.append(float(nodes[-1] - values[-1] / upper))
    return sorted(prices)


def extremes(snapshot: Snapshot) -> Extremes:
    """Highest and lowest profit at expiry over all prices that the pricing model knows: from zero up, or all."""
    if not snapshot.lines:
        return Extremes(0.0, None, 0.0, None)
    curve, nodes = _curve_at_expiry(snapshot)
    values, (lower, upper) = curve(nodes), _outer_slopes(snapshot)
    highest = lowest = highest_at = lowest_at = None
    if upper <= 0.0 <= lower:
        highest, highest_at = _highest(curve, nodes, values)
    if lower <= 0.0 <= upper:
        loss, lowest_at = _highest(lambda x: -curve(x), nodes, -values)
        lowest = -loss
    return Extremes(highest, highest_at, lowest, lowest_at)


def _highest(curve: Curve, nodes: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """The highest value and the lowest price where it is reached: at a node, or between two of a curved profit."""
    from scipy.optimize import minimize_scalar

    best = int(np.argmax(values))
    price, top = float(nodes[best]), float(values[best])
    left, right = nodes[max(best - 1, 0)], nodes[min(best + 1, len(nodes) - 1)]
    refined = minimize_scalar(lambda x: -float(curve(x)), bounds=(left, right), method="bounded")
    # The search stops short of a kink, so it counts only where it finds clearly more.
    if -refined.fun > top + FLAT * max(1.0, abs(top)):
        return float(-refined.fun), float(refined.x)
    return top, price


def _curve_at_expiry(snapshot: Snapshot) -> tuple[Curve, np.ndarray]:
    """The profit at the first expiry as a function of price, and nodes between which it has no kink.

    When all options expire then, it is a straight line from node to node and beyond the last; below the first, too, if
    the model knows every price.
    """
    price, days = snapshot.held
    nodes = np.unique([*_kinks(snapshot), price])
    lowest, later = lowest_price(snapshot), [line for line in snapshot.lines if line.is_option and line.days > days]
    if np.isfinite(lowest):
        nodes = np.unique([lowest, *nodes])
    if later:
        nodes = np.concatenate((nodes, _far_nodes(snapshot, nodes, later)))
        nodes = np.unique(np.concatenate([np.linspace(*pair, PIECES) for pair in pairwise(nodes)]))
    return lambda prices: profit(snapshot, prices, days=days), nodes


def _far_nodes(snapshot: Snapshot, nodes: np.ndarray, later: list[Line]) -> np.ndarray:
    """Further nodes, out to where an option that lives on is worth its payoff."""
    if snapshot.model != pricing.BACHELIER:
        return np.geomspace(nodes[-1], FAR * nodes[-1], 6)[1:]
    spread = max(line.option[1] * np.sqrt(line.days / pricing.DAYS_A_YEAR) for line in later)
    steps = np.linspace(0.0, FAR * spread, 6)[1:]
    return np.concatenate((nodes[0] - steps, nodes[-1] + steps))


def _kinks(snapshot: Snapshot) -> list[float]:
    """Strikes, as prices of the reference future."""
    strikes = [line.strike + snapshot.held[0] - line.future_price for line in snapshot.lines if line.strike is not None]
    return [strike for strike in strikes if strike > snapshot.floor]


def lowest_price(snapshot: Snapshot) -> float:
    """The price of the reference future below which an underlying would be below zero; today's, if one is already, and
    none (-inf) if the pricing model knows every price."""
    price = snapshot.held[0]
    floor = snapshot.floor + max(0.0, *(price - line.future_price for line in snapshot.lines))
    return min(floor, price)


def _outer_slopes(snapshot: Snapshot) -> tuple[float, float]:
    """Currency per point at prices far below and far above all strikes, at the first expiry; zero below, where prices
    end at zero, and exactly zero where it is only noise."""
    below = 0.0 if np.isfinite(snapshot.floor) else _outer_slope(snapshot, "P")
    return below, _outer_slope(snapshot, "C")


def _outer_slope(snapshot: Snapshot, right: str) -> float:
    """The slope of futures and of the options that are in the money: calls far above, puts far below."""
    slopes = []
    for line in snapshot.lines:
        if line.is_option and line.right != right:
            continue
        slope = line.qty * line.point_value
        if line.is_option:
            years = max(line.days - snapshot.held[1], 0) / pricing.DAYS_A_YEAR
            rate = snapshot.dividend_yield if snapshot.model == "black_scholes" else line.option[2]
            slope *= np.exp(-rate * years) * (1.0 if right == "C" else -1.0)
        slopes.append(slope)
    total = float(sum(slopes))
    return 0.0 if abs(total) <= FLAT * sum(map(abs, slopes)) else total


def _without_noise(snapshot: Snapshot, values: np.ndarray) -> np.ndarray:
    size = sum(abs(line.qty * line.future_price) * line.point_value for line in snapshot.lines)
    return np.where(np.abs(values) <= 1e-12 * abs(size), 0.0, values)
