"""Option values and Greeks, against an independent library, against themselves and against the textbook."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vollib.black import black
from vollib.black.greeks import analytical as black_greeks
from vollib.black_scholes import black_scholes
from vollib.black_scholes.greeks import analytical as black_scholes_greeks

from algorithms.engine import pricing

CASES = 10_000
ORACLES = {"black76": (black, black_greeks), "black_scholes": (black_scholes, black_scholes_greeks)}
both_models = pytest.mark.parametrize("model", pricing.LOGARITHMIC)


def cases(seed: int, count: int = CASES) -> dict[str, np.ndarray]:
    """Random options, a good part of them at the edges: at the money, deep in and out, tiny volatility, zero rate,
    the day before expiry and years away."""
    rng = np.random.default_rng(seed)

    def some(share: float, edge, usual):
        return np.where(rng.random(count) < share, edge, usual)

    price = np.exp(rng.uniform(0, np.log(5000), count))
    width = some(0.1, 0.0, some(0.1, 3.0, 0.5))
    return {
        "is_call": rng.random(count) < 0.5,
        "price": price,
        "strike": price * np.exp(width * rng.uniform(-1, 1, count)),
        "vol": some(0.1, 1e-4, np.exp(rng.uniform(np.log(0.01), np.log(3), count))),
        "rate": some(0.1, 0.0, rng.uniform(-0.01, 0.15, count)),
        "days": some(0.1, 1, rng.integers(1, 1500, count)),
    }


def scalars(options: dict[str, np.ndarray]):
    """The options one by one, as the oracle takes them: flag, price, strike, years, rate, volatility."""
    for call, price, strike, vol, rate, days in zip(*(options[name].tolist() for name in options), strict=True):
        yield "c" if call else "p", price, strike, days / 365, rate, vol


@both_models
def test_price_and_delta_agree_with_an_independent_library(model, record_property):
    options = cases(seed=20200106)
    value, delta = pricing.price_and_delta(model, **options)
    price_of, greeks_of = ORACLES[model]
    errors = {
        "price": np.abs(value - [price_of(*terms) for terms in scalars(options)]).max(),
        "delta": np.abs(delta - [greeks_of.delta(*terms) for terms in scalars(options)]).max(),
    }
    for name, error in errors.items():
        record_property(f"{model} {name}: largest error in {CASES} cases", float(error))
    assert max(errors.values()) < 1e-10


@both_models
@pytest.mark.parametrize(("name", "scale"), [("gamma", 1.0), ("vega", 0.01), ("theta", 1.0)])
def test_greeks_agree_with_an_independent_library(model, name, scale):
    """Relative to their size: gamma alone goes to thousands near expiry. The oracle's vega is per volatility point."""
    options = cases(seed=20200107)
    ours = getattr(pricing.greeks(model, **options), name) * scale
    theirs = np.array([getattr(ORACLES[model][1], name)(*terms) for terms in scalars(options)])
    assert np.all(np.abs(ours - theirs) <= 1e-10 * np.maximum(1.0, np.abs(theirs)))


@both_models
@pytest.mark.parametrize("days", [0, -1, -400])
def test_at_and_past_expiry_an_option_is_its_payoff(model, days):
    options = cases(seed=20200108) | {"days": np.full(CASES, days)}
    greeks = pricing.greeks(model, **options)
    sign = np.where(options["is_call"], 1.0, -1.0)
    inside = sign * (options["price"] - options["strike"])
    assert np.array_equal(greeks.price, np.maximum(inside, 0.0))
    assert np.array_equal(greeks.delta, np.where(inside > 0, sign, np.where(inside < 0, 0.0, sign / 2)))
    for other in (greeks.gamma, greeks.vega, greeks.theta):
        assert np.array_equal(other, np.zeros(CASES))


@both_models
def test_without_volatility_an_option_is_its_discounted_payoff(model):
    """The forward's payoff, discounted: at the money of Black-Scholes is the strike's present value."""
    options = cases(seed=20200109) | {"vol": np.zeros(CASES)}
    value, _ = pricing.price_and_delta(model, **options)
    discount = np.exp(-options["rate"] * options["days"] / 365)
    spot = options["price"] * (discount if model == "black76" else 1.0)
    payoff = np.maximum(np.where(options["is_call"], 1, -1) * (spot - options["strike"] * discount), 0.0)
    assert np.all(np.abs(value - payoff) < 1e-10)


@both_models
def test_calls_and_puts_keep_parity(model):
    """call - put = (F - K) e^-rT (Black-76), S - K e^-rT (Black-Scholes); their deltas differ by the same slope."""
    options = cases(seed=20200110)
    call, call_delta = pricing.price_and_delta(model, **(options | {"is_call": np.ones(CASES, bool)}))
    put, put_delta = pricing.price_and_delta(model, **(options | {"is_call": np.zeros(CASES, bool)}))
    discount = np.exp(-options["rate"] * options["days"] / 365)
    slope = discount if model == "black76" else np.ones(CASES)
    forward = options["price"] * slope - options["strike"] * discount
    assert np.all(np.abs(call - put - forward) < 1e-10)
    assert np.all(np.abs(call_delta - put_delta - slope) < 1e-14)


@both_models
def test_one_value_alone_equals_the_same_value_in_any_array_to_the_last_bit(model):
    """Online and backfilled series rest on it: as a scalar, in short arrays, in a table and from a strided view."""
    options = cases(seed=20200111, count=1_001)
    options["days"][::7] = 0
    value, delta = pricing.price_and_delta(model, **options)
    deltas = pricing.delta(model, **options)
    assert np.array_equal(delta, deltas)
    for width in (1, 2, 3, 5, 8, 13):
        for start in range(0, 1_001 - width, 41):
            part = {name: column[start : start + width] for name, column in options.items()}
            for whole, piece in zip((value, delta), pricing.price_and_delta(model, **part), strict=True):
                assert np.array_equal(whole[start : start + width], piece)
    for at in range(0, 1_001, 13):
        option = {name: column[at].item() for name, column in options.items()}
        assert (value[at], delta[at]) == pricing.price_and_delta(model, **option)
    table = {name: column[:1000].reshape(40, 25).T for name, column in options.items()}
    assert np.array_equal(pricing.price_and_delta(model, **table)[0].T.ravel(), value[:1000])
    strided = {name: column[::3] for name, column in options.items()}
    assert np.array_equal(pricing.price_and_delta(model, **strided)[0], value[::3])


@both_models
def test_rows_against_columns_equal_the_same_values_alone(model):
    """The engine values several options over several sessions at once: arguments of a column and of a row."""
    options = cases(seed=20200112, count=30)
    calls, strikes = options["is_call"][:, None], np.linspace(80, 120, 30)[:, None]
    prices, days = np.linspace(90, 110, 50), np.arange(49, -1, -1)
    table, deltas = pricing.price_and_delta(model, calls, prices, strikes, options["vol"][:, None], 0.013, days)
    for row in range(0, 30, 4):
        for column in range(0, 50, 7):
            alone = pricing.price_and_delta(
                model, calls[row, 0], prices[column], strikes[row, 0], options["vol"][row], 0.013, days[column]
            )
            assert (table[row, column], deltas[row, column]) == alone


@both_models
def test_greeks_are_the_slopes_of_the_price(model):
    """Central differences on options that have some life: within 1e-5 of each Greek's own scale."""
    rng = np.random.default_rng(20200113)
    price = rng.uniform(50, 150, 2_000)
    options = {
        "is_call": rng.random(2_000) < 0.5,
        "price": price,
        "strike": price * rng.uniform(0.8, 1.2, 2_000),
        "vol": rng.uniform(0.1, 0.8, 2_000),
        "rate": rng.uniform(0, 0.1, 2_000),
        "days": rng.uniform(30, 700, 2_000),
    }

    def slope(name: str, step: float, index: int = 0):
        up, down = (
            pricing.price_and_delta(model, **(options | {name: options[name] + way * step}))[index] for way in (1, -1)
        )
        return (up - down) / (2 * step)

    greeks = pricing.greeks(model, **options)
    for ours, numeric in (
        (greeks.delta, slope("price", 1e-3)),
        (greeks.gamma, slope("price", 1e-3, index=1)),
        (greeks.vega, slope("vol", 1e-4)),
        (greeks.theta, -slope("days", 1e-2)),
    ):
        assert np.all(np.abs(ours - numeric) <= 1e-5 * np.maximum(1.0, np.abs(ours)))


@both_models
def test_what_is_not_known_has_no_value(model):
    """A missing volatility, price or rate is never a zero, nor the payoff of the expiry day."""
    usual = {"is_call": True, "price": 110.0, "strike": 100.0, "vol": 0.2, "rate": 0.01}
    for name in ("price", "vol", "rate"):
        for days in (0, 10):
            value_and_delta = pricing.price_and_delta(model, **(usual | {name: math.nan}), days=days)
            assert np.isnan(value_and_delta).all(), (name, days)


@both_models
def test_far_out_of_the_money_an_option_is_never_worth_less_than_nothing(model):
    """With next to no volatility the two terms of the formula differ by rounding alone, and may fall either way."""
    rng = np.random.default_rng(20200114)
    vol = 10 ** rng.uniform(-12, -9, CASES)
    away = np.exp(rng.uniform(0.1, 12, CASES) * vol * np.sqrt(30 / 365))
    for call, price, strike in ((True, 100.0, 100.0 * away), (False, 100.0 * away, 100.0)):
        value, _ = pricing.price_and_delta(model, call, price, strike, vol, 0.0, 30)
        assert value.min() >= 0.0


def test_an_unknown_model_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'black'.*black76, black_scholes or bachelier"):
        pricing.price_and_delta("black", True, 100.0, 100.0, 0.2, 0.0, 10)


@both_models
@given(
    call=st.booleans(),
    price=st.floats(0.01, 1e5),
    moneyness=st.floats(0.05, 20),
    vol=st.just(0.0) | st.floats(1e-9, 5),
    rate=st.floats(-0.05, 0.5),
    days=st.integers(-5, 4000),
)
def test_values_stay_within_what_anybody_would_pay(model, call, price, moneyness, vol, rate, days):
    """Never below zero or the discounted payoff, never above the underlying (a call) or the strike (a put)."""
    strike = price * moneyness
    value, delta = pricing.price_and_delta(model, call, price, strike, vol, rate, days)
    discount = math.exp(-rate * max(days, 0) / 365)
    carried = discount if model == "black76" else 1.0
    slack = 1e-12 * max(price, strike, 1.0) * max(carried, discount)
    payoff = (1 if call else -1) * (price * carried - strike * discount)
    assert value >= 0.0
    assert payoff - slack <= value <= (price * carried if call else strike * discount) + slack
    assert 0.0 <= delta * (1 if call else -1) <= carried * (1 + 1e-12)
