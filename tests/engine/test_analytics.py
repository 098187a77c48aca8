"""Position analytics: against an independent library, and against payoffs known by heart."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vollib.black import black
from vollib.black.greeks import analytical as black_greeks
from vollib.black_scholes import black_scholes
from vollib.black_scholes.greeks import analytical as black_scholes_greeks

from algorithms.analysis import payoff, valuation
from algorithms.analysis.valuation import Line, Sensitivities, Snapshot, WhatIf
from algorithms.engine import EngineError, QuoteMissing, run
from algorithms.indexes import IronCondor
from tests.engine.markets import Draft, random_market

DATE = dt.date(2020, 1, 6)
ORACLES = {"black76": (black, black_greeks), "black_scholes": (black_scholes, black_scholes_greeks)}
CASES = 1000


def future(qty=1.0, cost=None, price=100.0, days=60, point_value=50.0):
    paid = price * qty * point_value if cost is None else cost
    return Line("F", "F", qty, paid, "F", point_value, "F", price, DATE + dt.timedelta(days=days), days, 0)


def option(right, strike, qty=1.0, paid=0.0, price=100.0, days=30, vol=0.2, rate=0.0, point_value=50.0):
    """`paid`: points of premium."""
    expiry = DATE + dt.timedelta(days=days)
    cost = paid * qty * point_value
    return Line(
        f"{right}.{strike:g}", right, qty, cost, right, point_value, "F", price, expiry, days, 0, strike, vol, rate
    )


def position(*lines, model="black76"):
    return Snapshot(DATE, model, lines)


# -- Greeks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["black76", "black_scholes"])
def test_values_and_greeks_agree_with_an_independent_library(model):
    """1,000 random options each: within 1e-10 of the underlying's price, Greeks in position and currency terms."""
    price_of, greeks_of = ORACLES[model]
    rng = np.random.default_rng(7)
    for _ in range(CASES):
        right, qty, point_value = rng.choice(["C", "P"]), float(rng.integers(1, 9)), float(rng.uniform(1, 100))
        price, vol, rate = float(rng.uniform(1, 5000)), float(rng.uniform(0.05, 1)), float(rng.uniform(0, 0.1))
        strike, days = price * float(rng.uniform(0.7, 1.3)), int(rng.integers(2, 700))
        line = option(right, strike, qty, 0.0, price, days, vol, rate, point_value)
        valued = valuation.value(position(line, model=model))
        terms = (right.lower(), price, strike, days / 365, rate, vol)
        oracle = Sensitivities(
            *(getattr(greeks_of, name)(*terms) for name in ("delta", "gamma", "vega", "theta"))
        )  # vollib: vega per 0.01, theta per day
        allowed = 1e-10 * price
        assert valued.lines[0].price == pytest.approx(price_of(*terms), abs=allowed)
        assert valued.value == pytest.approx(price_of(*terms) * qty * point_value, abs=allowed * qty * point_value)
        assert valued.lines[0].unit == pytest.approx(oracle, abs=allowed)
        assert valued.position == pytest.approx(oracle.times(qty), abs=allowed * qty)
        assert valued.currency == pytest.approx(oracle.times(qty * point_value), abs=allowed * qty * point_value)


def test_a_future_has_a_delta_of_one_and_no_other_greek():
    valued = valuation.value(position(future(-3, price=101.0, cost=-100.0 * 3 * 50)))
    assert valued.position == (-3, 0, 0, 0)
    assert valued.currency == (-150, 0, 0, 0)
    assert valued.profit == pytest.approx(-150.0)  # short three, one point higher, 50 a point


def test_a_position_adds_up_its_lines():
    snapshot = position(future(), option("P", 95, 1, 1.5), option("C", 105, -1, 1.5))
    valued = valuation.value(snapshot)
    for name in Sensitivities._fields:
        assert getattr(valued.position, name) == pytest.approx(sum(getattr(v.position, name) for v in valued.lines))
    assert valued.profit == pytest.approx(sum(v.profit for v in valued.lines))


def test_a_flat_position_is_nothing():
    flat = position()
    assert valuation.value(flat) == ([], 0, 0, (0, 0, 0, 0), (0, 0, 0, 0))
    assert flat.price is None
    assert flat.days_to_expiry is None
    assert [len(part) for part in payoff.payoff(flat)] == [0, 0, 0]
    assert payoff.break_evens(flat) == []
    assert payoff.extremes(flat) == (0, None, 0, None)


# -- what-if --------------------------------------------------------------------------------------------------------


@given(
    shift=st.floats(-20, 20),
    vol=st.floats(-0.1, 0.3),
    days=st.floats(0, 29),
    model=st.sampled_from(["black76", "black_scholes", "bachelier"]),
)
def test_a_what_if_is_the_position_revalued_elsewhere(shift, vol, days, model):
    unit = 100.0 if model == "bachelier" else 1.0
    today = 0.2 * unit
    lines = future(2), option("C", 105, -3, 1.0, vol=today, rate=0.03), option("P", 90, 4, 0.5, vol=today, rate=0.03)
    now = position(*lines, model=model)
    shifted = valuation.value(now, WhatIf(price=shift, vol=vol, days=days))
    by_curve = payoff.profit(now, now.price + shift, days=days, vol=vol)
    assert shifted.profit == pytest.approx(float(by_curve), abs=1e-8)
    moved = [
        option(o.right, o.strike, o.qty, o.cost / o.qty / 50, 100 + shift, 30 - days, today + vol * unit, 0.03)
        for o in lines[1:]
    ]
    there = valuation.value(position(future(2, cost=10_000.0, price=100.0 + shift), *moved, model=model))
    assert shifted.profit == pytest.approx(there.profit, abs=1e-8)
    assert shifted.currency == pytest.approx(there.currency, abs=1e-8)


def test_volatility_stops_at_zero_and_days_look_ahead():
    call = position(option("C", 90))
    assert valuation.value(call, WhatIf(vol=-5.0)).value == pytest.approx(500.0)  # the payoff, at a rate of zero
    assert valuation.value(call, WhatIf(days=400)).value == pytest.approx(500.0)
    with pytest.raises(ValueError, match="looks ahead"):
        WhatIf(days=-1)


def test_a_shift_moves_every_underlying_by_the_same_points():
    near, far = option("C", 100, 1, days=30), future(-1, price=104.0, days=90)
    valued = valuation.value(position(far, near), WhatIf(price=10.0))
    assert valued.lines[0].price == 114.0
    assert valued.lines[1].line.future_price + 10.0 == 110.0


# -- payoff ---------------------------------------------------------------------------------------------------------


def test_the_payoff_of_a_covered_call():
    # Bought at 100, the call at 105 sold for 2: break-even 98, at most 7 points, at worst 98 points, 50 a point.
    covered = position(future(), option("C", 105, -1, 2.0))
    assert payoff.break_evens(covered) == pytest.approx([98.0])
    assert payoff.extremes(covered) == pytest.approx((350.0, 105.0, -4900.0, 0.0))
    curve = payoff.payoff(covered, np.array([90.0, 98.0, 105.0, 120.0]))
    assert curve.at_expiry == pytest.approx([-400.0, 0.0, 350.0, 350.0])


def test_a_straddle_bought_and_sold():
    bought = position(option("C", 100, 1, 3.0), option("P", 100, 1, 2.0))
    assert payoff.break_evens(bought) == pytest.approx([95.0, 105.0])
    assert payoff.extremes(bought) == (None, None, pytest.approx(-250.0), 100.0)
    sold = position(option("C", 100, -1, 3.0), option("P", 100, -1, 2.0))
    assert payoff.extremes(sold) == (pytest.approx(250.0), 100.0, None, None)


def test_an_iron_condor_is_bounded_on_both_sides():
    condor = position(
        option("P", 85, 1, 0.5), option("P", 90, -1, 1.5), option("C", 110, -1, 1.5), option("C", 115, 1, 0.5)
    )
    assert payoff.break_evens(condor) == pytest.approx([88.0, 112.0])
    assert payoff.extremes(condor) == pytest.approx((100.0, 90.0, -150.0, 0.0))


def test_futures_alone():
    assert payoff.break_evens(position(future(1, cost=95.0 * 50))) == pytest.approx([95.0])
    assert payoff.extremes(position(future(2))) == (None, None, -10_000.0, 0.0)
    assert payoff.extremes(position(future(-1))) == (5000.0, 0.0, None, None)


def test_a_hedged_call_leaves_a_put():
    # Long call, short future: the slopes above cancel, so the loss is bounded and so is the profit (at a price of 0).
    bounds = payoff.extremes(position(option("C", 100, 1, 2.0), future(-1)))
    assert bounds == pytest.approx((4900.0, 0.0, -100.0, 100.0))


def test_the_stretch_on_which_a_free_spread_earns_nothing():
    spread = position(option("C", 100, 1, 0.0), option("C", 110, -1, 0.0))
    assert payoff.break_evens(spread) == pytest.approx([0.0, 100.0])


def test_break_even_beyond_the_last_strike():
    assert payoff.break_evens(position(option("C", 100, 2, 7.5))) == pytest.approx([107.5])


@pytest.mark.parametrize("model", ["black76", "black_scholes"])
def test_a_calendar_spread_is_highest_near_its_strike(model):
    near, far = option("C", 100, -1, 2.0, rate=0.02), option("C", 100, 1, 3.5, days=90, rate=0.02)
    calendar = position(near, far, model=model)
    bounds = payoff.extremes(calendar)
    grid = np.unique(np.append(np.linspace(1, 400, 40_000), 100.0))
    curve = payoff.payoff(calendar, grid).at_expiry
    assert bounds.highest == pytest.approx(curve.max(), rel=1e-6)
    assert bounds.highest >= curve.max()
    assert bounds.highest_at == pytest.approx(100.0, abs=0.01)
    low, high = payoff.break_evens(calendar)
    signs = np.flatnonzero(np.diff(np.sign(curve)))
    assert [low, high] == pytest.approx(grid[signs], abs=0.02)
    assert payoff.profit(calendar, np.array([low, high]), days=30) == pytest.approx([0, 0], abs=1e-6)


lines = st.one_of(
    st.builds(future, qty=st.sampled_from([-2.0, -1.0, 1.0, 3.0])),
    st.builds(
        option,
        right=st.sampled_from(["C", "P"]),
        strike=st.sampled_from([80.0, 95.0, 100.0, 105.0, 120.0]),
        qty=st.sampled_from([-3.0, -1.0, 1.0, 2.0]),
        paid=st.floats(0.1, 20),
    ),
)


@given(st.lists(lines, min_size=1, max_size=5))
def test_extremes_and_break_evens_agree_with_a_fine_grid(held):
    snapshot = position(*held)
    grid = np.unique(np.concatenate((np.linspace(0, 1000, 5001), [80, 95, 100, 105, 120])))
    curve = payoff.payoff(snapshot, grid).at_expiry
    bounds = payoff.extremes(snapshot)
    slope = curve[-1] - curve[-2]
    assert (bounds.highest is None) == (slope > 1e-6)
    assert (bounds.lowest is None) == (slope < -1e-6)
    if bounds.highest is not None:
        assert bounds.highest == pytest.approx(curve.max(), abs=1e-6)
    if bounds.lowest is not None:
        assert bounds.lowest == pytest.approx(curve.min(), abs=1e-6)
    evens = payoff.break_evens(snapshot)
    assert payoff.profit(snapshot, np.array(evens), days=30) == pytest.approx([0.0] * len(evens), abs=1e-5)
    signs = np.sign(np.round(curve, 6))  # lines that cancel leave rounding errors of both signs
    for at in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        assert any(grid[at] - 1e-6 <= even <= grid[at + 1] + 1e-6 for even in evens)


normal_lines = st.one_of(
    st.builds(future, qty=st.sampled_from([-2.0, -1.0, 1.0, 3.0]), price=st.just(-5.0)),
    st.builds(
        option,
        right=st.sampled_from(["C", "P"]),
        strike=st.sampled_from([-30.0, -5.0, 0.0, 5.0, 20.0]),
        qty=st.sampled_from([-3.0, -1.0, 1.0, 2.0]),
        paid=st.floats(0.1, 20),
        price=st.just(-5.0),
        vol=st.just(30.0),
        days=st.sampled_from([30, 90]),
        rate=st.just(0.02),
    ),
)


@given(st.lists(normal_lines, min_size=1, max_size=5))
def test_under_bachelier_prices_go_below_zero(held):
    """Extremes, break-evens and axis over a grid that reaches far to both sides."""
    snapshot = position(*held, model="bachelier")
    grid = np.unique(np.concatenate((np.linspace(-1000, 1000, 8001), [-30, -5, 0, 5, 20])))
    curve = payoff.payoff(snapshot, grid).at_expiry
    bounds = payoff.extremes(snapshot)
    below, above = curve[0] - curve[1], curve[-1] - curve[-2]  # how the profit grows on the way out
    assert (bounds.highest is None) == (max(below, above) > 1e-6)
    assert (bounds.lowest is None) == (min(below, above) < -1e-6)
    if bounds.highest is not None:
        assert bounds.highest >= curve.max() - 1e-6
    if bounds.lowest is not None:
        assert bounds.lowest <= curve.min() + 1e-6
    evens, days = payoff.break_evens(snapshot), snapshot.days_to_expiry
    assert payoff.profit(snapshot, np.array(evens), days=days) == pytest.approx([0.0] * len(evens), abs=1e-5)
    signs = np.sign(np.round(curve, 6))
    for at in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        assert any(grid[at] - 1e-6 <= even <= grid[at + 1] + 1e-6 for even in evens)
    axis = payoff.price_axis(snapshot)
    shown = {snapshot.price} | {line.strike for line in held if line.is_option}
    assert shown <= set(axis.tolist())
    assert axis[0] < min(shown)
    assert axis[-1] > max(shown)


def test_a_straddle_on_crude_oil_below_zero():
    """At -10, the straddle at -5 bought for 20: it breaks even at -25 and 15, and its vega is per point a year."""
    held = [option(right, -5.0, 1, 10.0, price=-10.0, vol=30.0, point_value=1000.0) for right in "CP"]
    straddle = position(*held, model="bachelier")
    assert payoff.break_evens(straddle) == pytest.approx([-25.0, 15.0])
    assert payoff.extremes(straddle) == (None, None, pytest.approx(-20_000.0), -5.0)
    now, up = valuation.value(straddle), valuation.value(straddle, WhatIf(vol=0.01))
    assert up.value - now.value == pytest.approx(now.currency.vega, rel=0.01)


def test_a_dividend_yield_is_part_of_the_payoff_before_expiry():
    """A call that lives on is worth S e^(-q T) far above, so that a share against it leaves a slope."""
    near, far = option("P", 100, 1, 1.0, days=30), option("C", 100, 1, 1.0, days=395, rate=0.01)
    snapshot = Snapshot(DATE, "black_scholes", (near, far, future(-1)), 0.05)
    assert payoff.extremes(snapshot).lowest is None
    slope = np.diff(payoff.profit(snapshot, np.array([1e5, 1e5 + 1]), days=30))[0]
    assert slope == pytest.approx(50 * (np.exp(-0.05) - 1), rel=1e-6)


@given(st.lists(lines, min_size=1, max_size=5))
def test_the_axis_shows_price_and_strikes(held):
    snapshot = position(*held)
    axis = payoff.price_axis(snapshot)
    assert (np.diff(axis) > 0).all()
    assert axis[0] >= 0
    shown = {snapshot.price} | {line.strike for line in held if line.is_option}
    assert shown <= set(axis.tolist())
    assert axis[0] < min(shown)
    assert axis[-1] > max(shown)


# -- read from a market ---------------------------------------------------------------------------------------------


def test_read_gives_terms_and_inputs():
    draft = Draft(rate=0.01).future("F1", "2020-03-20").bars("F1", {"2020-01-06": 100.0, "2020-01-08": 104.0})
    draft.option("C1", "F1", "2020-02-21", 105, "C", vol=0.2).vol("C1", "2020-01-07", 0.3)
    snapshot = valuation.read(draft.market(), [("F1", 1.0, 5000.0, "F"), ("C1", -2.0, -300.0, "C[1]")], 1)
    assert snapshot.date == dt.date(2020, 1, 8)
    held, written = snapshot.lines
    assert (held.right, held.future_price, held.point_value, held.vol) == ("F", 104.0, 50.0, None)
    assert (written.right, written.strike, written.vol, written.rate) == ("C", 105.0, 0.3, 0.01)
    assert (written.future, written.days, written.point_value, written.leg) == ("F1", 44, 100.0, "C[1]")
    assert written.expiry == dt.date(2020, 2, 21)
    assert snapshot.reference is written


def test_read_names_what_is_missing():
    draft = Draft().future("F1", "2020-03-20").bar("F1", "2020-01-06", 100.0)
    draft.option("C1", "F1", "2020-02-21", 105, "C")
    with pytest.raises(QuoteMissing, match="C1 has no implied volatility"):
        valuation.read(draft.market(), [("C1", 1.0, 1.0, "")], 0)
    with pytest.raises(EngineError, match="XYZ"):
        valuation.read(draft.market(), [("XYZ", 1.0, 1.0, "")], 0)


@pytest.mark.parametrize("seed", range(8))
def test_a_run_and_its_analytics_agree(seed):
    """Value and delta of what a run holds are those of its last point."""
    market = random_market(seed, holes=0.0, strikes=12, model=["black76", "black_scholes", "bachelier"][seed % 3])
    result = run(IronCondor(), market)
    state, last = result.state, result.points[-1]
    assert last.date == market.dates[-1]
    snapshot = valuation.read(market, [tuple(row) for row in state["holdings"]], len(market.dates) - 1)
    valued = valuation.value(snapshot)
    assert valued.position.delta == pytest.approx(last.delta, abs=1e-12)
    assert state["realised"] + valued.profit - state["costs"] == pytest.approx(last.exo, abs=1e-8)
