"""Option values and Greeks: Black-76 and Black-Scholes, vectorised, with the exact normal distribution.

Both models are one formula in two clothings. With w = +1 for a call and -1 for a put, price S, strike K,
volatility v, rate r, T years, and carry b (Black-Scholes: b = r; Black-76: b = 0):

    d1 = (ln(S / K) + b T) / (v sqrt T) + v sqrt T / 2,   d2 = d1 - v sqrt T
    value = w (S e^((b - r) T) N(w d1) - K e^(-r T) N(w d2))

Sources: F. Black, M. Scholes, "The Pricing of Options and Corporate Liabilities", J. Political Economy 81 (1973);
F. Black, "The Pricing of Commodity Contracts", J. Financial Economics 3 (1976). The generalised form with a cost of
carry b: E. G. Haug, "The Complete Guide to Option Pricing Formulas", chapter 1.

Every function works element by element, so that one value computed alone equals the same value inside a
longer array to the last bit: online and backfilled series depend on it.
"""

from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

DAYS_A_YEAR = 365.0
MODELS = LOGARITHMIC = ("black76", "black_scholes")

Floats = npt.NDArray[np.float64]
Values = Floats | float
Booleans = npt.NDArray[np.bool_] | bool
Number = TypeVar("Number", float, Floats)


def _ndtr(x: Floats) -> Floats:
    """The normal distribution function. Imported on use: scipy.special takes longer to import than all else here, and
    whoever only plans or looks at stored rows values nothing."""
    from scipy.special import ndtr

    values: Floats = ndtr(x)
    return values


class Greeks(NamedTuple, Generic[Number]):
    """Value and sensitivities of options, per unit of the underlying: numbers, or arrays of one shape.

    Attributes:
        price: In points.
        delta: Points per point of the underlying.
        gamma: Delta per point of the underlying.
        vega: Points per 1.00 of volatility (divide by 100 for one volatility point).
        theta: Points per calendar day that passes, the rest unchanged (1/365 of the derivative by years).
    """

    price: Number
    delta: Number
    gamma: Number
    vega: Number
    theta: Number


def _terms(
    model: str, price: Values, strike: Values, vol: Values, rate: Values, days: Values
) -> tuple[Floats, Floats, Floats, Values, Values, Floats]:
    """The shared middle of the formulas: d1, v sqrt T, discount factor, e^((b - r) T), carry, T."""
    if model not in MODELS:
        raise ValueError(f"pricing model {model!r} is unknown: use {' or '.join(MODELS)}")
    years = np.maximum(days, 0.0) / DAYS_A_YEAR
    spread = np.asarray(vol * np.sqrt(years))
    discount = np.exp(-rate * years)
    carry, carried = (rate, 1.0) if model == "black_scholes" else (0.0, discount)
    with np.errstate(divide="ignore", invalid="ignore"):  # a price below zero has no logarithm, and so no value: nan
        drift = np.log(price / strike) + carry * years
        d1 = drift / spread + 0.5 * spread
        if (spread <= 0.0).any():
            # Without time or volatility the option is its payoff, which takes no logarithm: d1 goes to its limit, and
            # to 0 exactly at the money. A missing price is no quote, at expiry too.
            is_positive = (np.asarray(price) > 0.0) & (np.asarray(strike) > 0.0)
            inside = np.where(is_positive, drift, price * np.exp(carry * years) - strike)
            d1 = np.where(spread <= 0.0, np.where(inside == 0.0, 0.0, np.inf * inside), d1)
    return d1, spread, discount, carried, carry, years


def in_domain(model: str, price: Values, strike: Values, days: Values) -> Values:
    """The underlying's price where a model values an option, else nan.

    A model that takes logarithms knows no price and no strike at or below zero. At expiry an option is worth its
    payoff, which takes none. Arguments are those of `price_and_delta`.
    """
    if model not in LOGARITHMIC:
        return price
    is_positive = (np.asarray(price) > 0.0) & (np.asarray(strike) > 0.0)
    return np.where(is_positive | (np.asarray(days) <= 0.0), price, np.nan)


def price_and_delta(
    model: str, is_call: Booleans, price: Values, strike: Values, vol: Values, rate: Values, days: Values
) -> tuple[Floats, Floats]:
    """Value and delta of options. Arguments broadcast.

    Args:
        model: black76 or black_scholes.
        is_call: False for a put.
        price: Of the underlying, in points; above zero before expiry (`in_domain`).
        strike: In points; above zero before expiry.
        vol: Decimal fraction a year.
        rate: Decimal fraction a year, continuously compounded.
        days: Calendar days to expiry; at or below zero: the payoff, whose delta at the money is taken as one half.

    Returns:
        Values in points and deltas, each of the shape that the arguments broadcast to; nan for a price below zero
            before expiry. At zero they are the limit.

    Raises:
        ValueError: The model is unknown.
    """
    d1, spread, discount, carried, _, _ = _terms(model, price, strike, vol, rate, days)
    sign = np.where(is_call, 1.0, -1.0)
    weight = _ndtr(sign * d1) * carried
    value = sign * (price * weight - strike * discount * _ndtr(sign * (d1 - spread)))
    # Far out of the money the difference may round below zero; an option is never worth less than nothing.
    return np.maximum(value, 0.0), sign * weight


def delta(
    model: str, is_call: Booleans, price: Values, strike: Values, vol: Values, rate: Values, days: Values
) -> Floats:
    """Delta alone, equal to that of `price_and_delta`, whose arguments and errors it has."""
    d1, _, _, carried, _, _ = _terms(model, price, strike, vol, rate, days)
    sign = np.where(is_call, 1.0, -1.0)
    deltas: Floats = sign * (_ndtr(sign * d1) * carried)
    return deltas


def greeks(
    model: str, is_call: Booleans, price: Values, strike: Values, vol: Values, rate: Values, days: Values
) -> Greeks[Floats]:
    """Value, delta, gamma, vega and theta; arguments and errors as for `price_and_delta`.

    Returns:
        Arrays of the shape that the arguments broadcast to. At or past expiry the sensitivities other than delta are
        zero.
    """
    d1, spread, discount, carried, carry, years = _terms(model, price, strike, vol, rate, days)
    value, delta = price_and_delta(model, is_call, price, strike, vol, rate, days)
    sign = np.where(is_call, 1.0, -1.0)
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi) * carried
    alive = spread > 0.0
    safe = np.where(alive, spread, 1.0)
    # Where nothing is left of the density, at a price of zero above all, delta does not move.
    gamma = np.where(alive, density / np.where(density == 0.0, 1.0, price * safe), 0.0)
    vega = np.where(alive, price * density * np.sqrt(years), 0.0)
    # d/dt = -d/dT; the carry and discount terms in turn.
    decay = np.where(alive, -price * density * vol / (2.0 * np.sqrt(np.where(alive, years, 1.0))), 0.0)
    funding = sign * (
        (rate - carry) * price * carried * _ndtr(sign * d1) - rate * strike * discount * _ndtr(sign * (d1 - spread))
    )
    theta = np.where(alive, decay + funding, 0.0) / DAYS_A_YEAR
    return Greeks(value, delta, gamma, vega, theta)
