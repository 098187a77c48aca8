"""Bachelier's model and dividend yields: against QuantLib, and by what must hold of any value."""

import math

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given
from hypothesis import strategies as st

from algorithms.engine import pricing

CASES = 10_000


def cases(seed: int, count: int = CASES) -> dict[str, np.ndarray]:
    """Random options on futures, prices and strikes of both signs; a part at the money, far away, a day before expiry,
    with next to no volatility and without a rate."""
    rng = np.random.default_rng(seed)

    def some(share: float, edge, usual):
        return np.where(rng.random(count) < share, edge, usual)

    vol = some(0.1, 1e-3, np.exp(rng.uniform(np.log(0.05), np.log(2_000), count)))
    days = some(0.1, 1, rng.integers(1, 1_500, count))
    price = some(0.2, rng.uniform(-50, 50, count), rng.uniform(-5_000, 5_000, count))
    away = some(0.1, 0.0, some(0.1, 12.0, 2.0)) * rng.normal(0, 1, count)
    return {
        "is_call": rng.random(count) < 0.5,
        "price": price,
        "strike": price + away * vol * np.sqrt(days / 365),
        "vol": vol,
        "rate": some(0.1, 0.0, rng.uniform(-0.01, 0.15, count)),
        "days": days,
    }


def rows(options: dict[str, np.ndarray]):
    return zip(*(column.tolist() for column in options.values()), strict=True)


def right(is_call: bool) -> int:
    return ql.Option.Call if is_call else ql.Option.Put


def bachelier(is_call: bool, price: float, strike: float, vol: float, rate: float, days: float):
    """QuantLib's value, delta, gamma and vega. Its calculator of all four is wrong for puts beyond 10 standard
    deviations, so value and delta come from its formulas."""
    years = days / 365
    spread, discount, kind = vol * math.sqrt(years), math.exp(-rate * years), right(is_call)
    calculator = ql.BachelierCalculator(ql.PlainVanillaPayoff(kind, strike), price, spread, discount)
    return (
        ql.bachelierBlackFormula(kind, strike, price, spread, discount),
        (1 if is_call else -1) * discount * ql.bachelierBlackFormulaAssetItmProbability(kind, strike, price, spread),
        calculator.gammaForward(),
        calculator.vega(years),
    )


def merton(is_call: bool, price: float, strike: float, vol: float, rate: float, days: float, dividend: float):
    years = days / 365
    forward = price * math.exp((rate - dividend) * years)
    payoff = ql.PlainVanillaPayoff(right(is_call), strike)
    calculator = ql.BlackCalculator(payoff, forward, vol * math.sqrt(years), math.exp(-rate * years))
    return (
        calculator.value(),
        calculator.delta(price),
        calculator.gamma(price),
        calculator.vega(years),
        calculator.theta(price, years) / 365,
    )


def agree(ours, theirs) -> None:
    """Within 1e-10, relative to what is larger than one."""
    theirs = np.array(theirs)
    assert np.all(np.abs(ours - theirs) <= 1e-10 * np.maximum(1.0, np.abs(theirs)))


def test_values_and_greeks_agree_with_quantlib(record_property):
    options = cases(seed=19000329)
    ours, theirs = pricing.greeks("bachelier", **options), np.array([bachelier(*row) for row in rows(options)]).T
    record_property(
        f"bachelier: largest error of a value in {CASES} cases", float(np.abs(ours.price - theirs[0]).max())
    )
    assert np.abs(ours.price - theirs[0]).max() < 1e-10
    assert np.abs(ours.delta - theirs[1]).max() < 1e-10
    for at, name in enumerate(("gamma", "vega"), start=2):
        agree(getattr(ours, name), theirs[at])
    value, delta = pricing.price_and_delta("bachelier", **options)
    assert np.array_equal(value, ours.price)
    assert np.array_equal(delta, ours.delta)
    assert np.array_equal(pricing.delta("bachelier", **options), delta)


def test_theta_solves_the_equation_of_the_model():
    """The value's own equation: dV/dt + v^2 gamma / 2 = r V, for an underlying without drift."""
    options = cases(seed=19000330)
    greeks = pricing.greeks("bachelier", **options)
    motion = 0.5 * options["vol"] ** 2 * greeks.gamma
    agree(greeks.theta * 365 + motion, options["rate"] * greeks.price)


def test_a_dividend_yield_agrees_with_quantlib():
    rng = np.random.default_rng(19730101)
    price = np.exp(rng.uniform(0, np.log(5_000), CASES))
    options = {
        "is_call": rng.random(CASES) < 0.5,
        "price": price,
        "strike": price * np.exp(rng.uniform(-0.5, 0.5, CASES)),
        "vol": np.exp(rng.uniform(np.log(0.01), np.log(3), CASES)),
        "rate": rng.uniform(-0.01, 0.15, CASES),
        "days": rng.integers(1, 1_500, CASES),
        "dividend": rng.uniform(-0.02, 0.1, CASES),
    }
    ours = pricing.greeks("black_scholes", **options)
    theirs = np.array([merton(*row) for row in rows(options)]).T
    for name, oracle in zip(ours._fields, theirs, strict=True):
        agree(getattr(ours, name), oracle)
    deltas = pricing.delta("black_scholes", **options)
    assert np.array_equal(deltas, ours.delta)


def test_without_a_dividend_yield_nothing_changes_to_the_last_bit():
    rng = np.random.default_rng(1)
    terms = rng.random(500) < 0.5, rng.uniform(50, 150, 500), 100.0, 0.2, rng.uniform(0, 0.1, 500), 30
    without, zero = pricing.greeks("black_scholes", *terms), pricing.greeks("black_scholes", *terms, 0.0)
    for ours, other in zip(without, zero, strict=True):
        assert np.array_equal(ours, other)


@pytest.mark.parametrize("days", [0, -1, -400])
def test_at_and_past_expiry_an_option_is_its_payoff(days):
    options = cases(seed=19000331) | {"days": np.full(CASES, days)}
    greeks = pricing.greeks("bachelier", **options)
    sign = np.where(options["is_call"], 1.0, -1.0)
    inside = sign * (options["price"] - options["strike"])
    assert np.array_equal(greeks.price, np.maximum(inside, 0.0))
    assert np.array_equal(greeks.delta, np.where(inside > 0, sign, np.where(inside < 0, 0.0, sign / 2)))
    for other in (greeks.gamma, greeks.vega, greeks.theta):
        assert np.array_equal(other, np.zeros(CASES))


def test_calls_and_puts_keep_parity():
    """call - put = (F - K) e^-rT."""
    options = cases(seed=19000401)
    call, call_delta = pricing.price_and_delta("bachelier", **(options | {"is_call": np.ones(CASES, bool)}))
    put, put_delta = pricing.price_and_delta("bachelier", **(options | {"is_call": np.zeros(CASES, bool)}))
    discount = np.exp(-options["rate"] * options["days"] / 365)
    assert np.all(np.abs(call - put - (options["price"] - options["strike"]) * discount) < 1e-10)
    assert np.all(np.abs(call_delta - put_delta - discount) < 1e-14)


def test_one_value_alone_equals_the_same_value_in_any_array_to_the_last_bit():
    options = cases(seed=19000402, count=1_001)
    options["days"][::7] = 0
    value, delta = pricing.price_and_delta("bachelier", **options)
    for width in (1, 2, 3, 5, 8, 13):
        for start in range(0, 1_001 - width, 41):
            part = {name: column[start : start + width] for name, column in options.items()}
            for whole, piece in zip((value, delta), pricing.price_and_delta("bachelier", **part), strict=True):
                assert np.array_equal(whole[start : start + width], piece)
    for at in range(0, 1_001, 13):
        option = {name: column[at].item() for name, column in options.items()}
        assert (value[at], delta[at]) == pricing.price_and_delta("bachelier", **option)


def test_what_is_not_known_has_no_value():
    usual = {"is_call": True, "price": -37.63, "strike": -40.0, "vol": 30.0, "rate": 0.01}
    for name in ("price", "vol", "rate"):
        for days in (0, 10):
            values = pricing.price_and_delta("bachelier", **(usual | {name: math.nan}), days=days)
            assert np.isnan(values).all(), (name, days)


@given(
    call=st.booleans(),
    price=st.floats(-1e4, 1e4),
    strike=st.floats(-1e4, 1e4),
    vol=st.just(0.0) | st.floats(1e-6, 5e3),
    rate=st.floats(-0.05, 0.5),
    days=st.integers(-5, 4_000),
)
def test_values_stay_within_what_anybody_would_pay(call, price, strike, vol, rate, days):
    """Never below zero or the discounted payoff; delta between zero and the discount factor."""
    value, delta = pricing.price_and_delta("bachelier", call, price, strike, vol, rate, days)
    discount = math.exp(-rate * max(days, 0) / 365)
    payoff = (1 if call else -1) * (price - strike) * discount
    assert value >= 0.0
    assert value >= payoff - 1e-11 * max(abs(price), abs(strike), 1.0) * max(discount, 1.0)
    assert 0.0 <= delta * (1 if call else -1) <= discount * (1 + 1e-12)


def test_far_from_zero_and_with_little_volatility_it_is_near_black_76():
    """A volatility in points is about the fraction times the price: at the money to a part in a hundred thousand."""
    points, _ = pricing.price_and_delta("bachelier", True, 100.0, 100.0, 0.05 * 100, 0.02, 30)
    fraction, _ = pricing.price_and_delta("black76", True, 100.0, 100.0, 0.05, 0.02, 30)
    assert points == pytest.approx(fraction, rel=1e-5)
