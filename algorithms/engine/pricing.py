"""Option values and Greeks: Black-76, Black-Scholes and Bachelier, vectorised, with the exact normal distribution.

The first two are one formula in two clothings. With w = +1 for a call and -1 for a put, price S, strike K,
volatility v, rate r, T years, and carry b (Black-76: b = 0; Black-Scholes: b = r - q, with a continuous dividend yield
q):

    d1 = (ln(S / K) + b T) / (v sqrt T) + v sqrt T / 2,   d2 = d1 - v sqrt T
    value = w (S e^((b - r) T) N(w d1) - K e^(-r T) N(w d2))

Bachelier's model, on futures, takes no logarithm, so that prices and strikes may be zero or negative; its volatility is
in points a year. With n the normal density:

    d = (S - K) / (v sqrt T)
    value = e^(-r T) (w (S - K) N(w d) + v sqrt T n(d))

Sources: F. Black, M. Scholes, "The Pricing of Options and Corporate Liabilities", J. Political Economy 81 (1973);
F. Black, "The Pricing of Commodity Contracts", J. Financial Economics 3 (1976). The generalised form with a cost of
carry b: E. G. Haug, "The Complete Guide to Option Pricing Formulas", chapter 1; with a dividend yield: R. C. Merton,
"Theory of Rational Option Pricing", Bell J. Economics 4 (1973). L. Bachelier, "Théorie de la spéculation", Annales
scientifiques de l'École normale supérieure 17 (1900); in today's terms, with its Greeks: J. Choi, M. Kwak, C. W. Tee,
Y. Wang, "A Black-Scholes user's guide to the Bachelier model", J. Futures Markets 42 (2022). CME used it for options on
energy futures from 22 April to the end of August 2020.

Every function works element by element, so that one value computed alone equals the same value inside a
longer array to the last bit: online and backfilled series depend on it.
"""

from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

DAYS_A_YEAR = 365.0
BACHELIER = "bachelier"
LOGARITHMIC = ("black76", "black_scholes")
MODELS = (*LOGARITHMIC, BACHELIER)

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
        vega: Points per 1.00 of volatility, as the model has it (`vol_point` is the usual step).
        theta: Points per calendar day that passes, the rest unchanged (1/365 of the derivative by years).
    """

    price: Number
    delta: Number
    gamma: Number
    vega: Number
    theta: Number


def vol_point(model: str) -> float:
    """A volatility point: 0.01 a year, which is one percent, or under Bachelier's model one point a year."""
    return 1.0 if model == BACHELIER else 0.01


def lowest_price(model: str) -> float:
    """The lowest price of an underlying that a model knows, in points: zero, or none."""
    return 0.0 if model in LOGARITHMIC else -np.inf


def _terms(
    model: str, price: Values, strike: Values, vol: Values, rate: Values, days: Values, dividend: Values
) -> tuple[Floats, Floats, Floats, Values, Values, Floats]:
    """The shared middle of the logarithmic formulas: d1, v sqrt T, discount factor, e^((b - r) T), carry, T."""
    if model not in LOGARITHMIC:
        raise ValueError(f"pricing model {model!r} is unknown: use {', '.join(LOGARITHMIC)} or {BACHELIER}")
    years = np.maximum(days, 0.0) / DAYS_A_YEAR
    spread = np.asarray(vol * np.sqrt(years))
    discount = np.exp(-rate * years)
    # Without a dividend yield the carry is the rate and the factor is 1, to the last bit.
    carry, carried = (rate - dividend, np.exp(-dividend * years)) if model == "black_scholes" else (0.0, discount)
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


def _normal_terms(
    price: Values, strike: Values, vol: Values, rate: Values, days: Values
) -> tuple[Floats, Floats, Floats, Floats]:
    """The shared middle of Bachelier's formulas: d, v sqrt T, discount factor, T."""
    years = np.maximum(days, 0.0) / DAYS_A_YEAR
    spread = np.asarray(vol * np.sqrt(years))
    inside = np.asarray(price) - np.asarray(strike)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(spread <= 0.0, np.where(inside == 0.0, 0.0, np.inf * inside), inside / spread)
    return d, spread, np.exp(-rate * years), years


def _density(d: Floats) -> Floats:
    """The normal density."""
    density: Floats = np.exp(-0.5 * d * d) / np.sqrt(2.0 * np.pi)
    return density


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
    model: str,
    is_call: Booleans,
    price: Values,
    strike: Values,
    vol: Values,
    rate: Values,
    days: Values,
    dividend: Values = 0.0,
) -> tuple[Floats, Floats]:
    """Value and delta of options. Arguments broadcast.

    Args:
        model: black76, black_scholes or bachelier.
        is_call: False for a put.
        price: Of the underlying, in points; of a logarithmic model above zero before expiry (`in_domain`).
        strike: In points; of a logarithmic model above zero before expiry.
        vol: Decimal fraction a year; of Bachelier's model points a year.
        rate: Decimal fraction a year, continuously compounded.
        days: Calendar days to expiry; at or below zero: the payoff, whose delta at the money is taken as one half.
        dividend: The underlying's dividend yield, a decimal fraction a year, continuously compounded; of Black-Scholes
            alone.

    Returns:
        Values in points and deltas, each of the shape that the arguments broadcast to; nan for a price below zero
            before expiry in a logarithmic model. At zero they are the limit.

    Raises:
        ValueError: The model is unknown.
    """
    sign = np.where(is_call, 1.0, -1.0)
    if model == BACHELIER:
        d, spread, discount, _ = _normal_terms(price, strike, vol, rate, days)
        weight = _ndtr(sign * d) * discount
        value = sign * (np.asarray(price) - strike) * weight + spread * discount * _density(d)
    else:
        d1, spread, discount, carried, _, _ = _terms(model, price, strike, vol, rate, days, dividend)
        weight = _ndtr(sign * d1) * carried
        value = sign * (price * weight - strike * discount * _ndtr(sign * (d1 - spread)))
    # Far out of the money the difference may round below zero; an option is never worth less than nothing.
    return np.maximum(value, 0.0), sign * weight


def delta(
    model: str,
    is_call: Booleans,
    price: Values,
    strike: Values,
    vol: Values,
    rate: Values,
    days: Values,
    dividend: Values = 0.0,
) -> Floats:
    """Delta alone, equal to that of `price_and_delta`, whose arguments and errors it has."""
    sign = np.where(is_call, 1.0, -1.0)
    if model == BACHELIER:
        d, _, discount, _ = _normal_terms(price, strike, vol, rate, days)
        weight = _ndtr(sign * d) * discount
    else:
        d1, _, _, carried, _, _ = _terms(model, price, strike, vol, rate, days, dividend)
        weight = _ndtr(sign * d1) * carried
    deltas: Floats = sign * weight
    return deltas


def greeks(
    model: str,
    is_call: Booleans,
    price: Values,
    strike: Values,
    vol: Values,
    rate: Values,
    days: Values,
    dividend: Values = 0.0,
) -> Greeks[Floats]:
    """Value, delta, gamma, vega and theta; arguments and errors as for `price_and_delta`.

    Returns:
        Arrays of the shape that the arguments broadcast to. At or past expiry the sensitivities other than delta are
        zero.
    """
    value, delta = price_and_delta(model, is_call, price, strike, vol, rate, days, dividend)
    if model == BACHELIER:
        return _normal_greeks(value, delta, price, strike, vol, rate, days)
    d1, spread, discount, carried, carry, years = _terms(model, price, strike, vol, rate, days, dividend)
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


def _normal_greeks(
    value: Floats, delta: Floats, price: Values, strike: Values, vol: Values, rate: Values, days: Values
) -> Greeks[Floats]:
    d, spread, discount, years = _normal_terms(price, strike, vol, rate, days)
    density, alive = discount * _density(d), spread > 0.0
    gamma = np.where(alive, density / np.where(alive, spread, 1.0), 0.0)
    vega = np.where(alive, density * np.sqrt(years), 0.0)
    decay = -density * vol / (2.0 * np.sqrt(np.where(alive, years, 1.0)))
    theta = np.where(alive, decay + rate * value, 0.0) / DAYS_A_YEAR
    return Greeks(value, delta, gamma, vega, theta)
