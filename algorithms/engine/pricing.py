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

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

DAYS_A_YEAR = 365.0
MODELS = ("black76", "black_scholes")


class Greeks(NamedTuple):
    """Value and sensitivities of one option, per unit of the underlying, as arrays of one shape.

    price: in price points. delta: points per point of the underlying. gamma: delta per point.
    vega: points per 1.00 of volatility (divide by 100 for one volatility point).
    theta: points per calendar day that passes, the rest unchanged (1/365 of the derivative by years).
    """

    price: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    theta: np.ndarray


def _terms(model, price, strike, vol, rate, days):
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
            # Without time or volatility the option is its payoff: d1 goes to its limit, and to 0 exactly at the money.
            # A missing price is no quote, at expiry too.
            d1 = np.where(spread <= 0.0, np.where(drift == 0.0, 0.0, np.inf * drift), d1)
    return d1, spread, discount, carried, carry, years


def price_and_delta(model: str, is_call, price, strike, vol, rate, days) -> tuple[np.ndarray, np.ndarray]:
    """Value and delta of options.

    Arguments broadcast: `is_call` booleans; `price` of the underlying and `strike` above zero, in points;
    `vol` and `rate` decimal fractions a year; `days` calendar days to expiry (at or below zero: the payoff,
    whose delta at the money is taken as one half). Raises ValueError on an unknown model.
    """
    d1, spread, discount, carried, _, _ = _terms(model, price, strike, vol, rate, days)
    sign = np.where(is_call, 1.0, -1.0)
    weight = ndtr(sign * d1) * carried
    value = sign * (price * weight - strike * discount * ndtr(sign * (d1 - spread)))
    # Far out of the money the difference may round below zero; an option is never worth less than nothing.
    return np.maximum(value, 0.0), sign * weight


def delta(model: str, is_call, price, strike, vol, rate, days) -> np.ndarray:
    """Delta alone, equal to that of `price_and_delta`."""
    d1, _, _, carried, _, _ = _terms(model, price, strike, vol, rate, days)
    sign = np.where(is_call, 1.0, -1.0)
    return sign * (ndtr(sign * d1) * carried)


def greeks(model: str, is_call, price, strike, vol, rate, days) -> Greeks:
    """Value, delta, gamma, vega and theta; arguments as for `price_and_delta`. At or past expiry the
    sensitivities other than delta are zero."""
    d1, spread, discount, carried, carry, years = _terms(model, price, strike, vol, rate, days)
    value, delta = price_and_delta(model, is_call, price, strike, vol, rate, days)
    sign = np.where(is_call, 1.0, -1.0)
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi) * carried
    alive = spread > 0.0
    safe = np.where(alive, spread, 1.0)
    gamma = np.where(alive, density / (price * safe), 0.0)
    vega = np.where(alive, price * density * np.sqrt(years), 0.0)
    # d/dt = -d/dT; the carry and discount terms in turn.
    decay = np.where(alive, -price * density * vol / (2.0 * np.sqrt(np.where(alive, years, 1.0))), 0.0)
    funding = sign * (
        (rate - carry) * price * carried * ndtr(sign * d1) - rate * strike * discount * ndtr(sign * (d1 - spread))
    )
    theta = np.where(alive, decay + funding, 0.0) / DAYS_A_YEAR
    return Greeks(value, delta, gamma, vega, theta)
