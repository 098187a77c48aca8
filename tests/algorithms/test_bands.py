"""The delta band at its edges: on a bound nothing happens, beyond it the position is opened anew; waits end exactly."""

import pytest

from algorithms.bands import Band
from algorithms.engine import call, future

from .test_delta_target import DAYS, market, target, trades

ATM = call(offset=0, qty=1)
RISING, FALLING = [100, 110, 110, 110, 110, 110, 110], [100, 90, 90, 90, 90, 90, 90]


@pytest.mark.parametrize(
    ("band", "reopened"), [({"high": 1.0}, False), ({"high": 0.99}, True), ({"low": 1.0}, False), ({"low": 1.01}, True)]
)
def test_a_delta_on_the_bound_is_within(band, reopened):
    """One future has a delta of exactly one."""
    made = trades(target(future(1), band=band), market([100, 100]))
    assert [session for session, *_ in made] == ([0, 1, 1] if reopened else [0])


@pytest.mark.parametrize("days", [1, 2, 3])
@pytest.mark.parametrize(("side", "closes"), [("high", RISING), ("low", FALLING)])
def test_it_waits_until_more_weekdays_have_passed_than_the_bound_says(side, closes, days):
    """Opened on a Monday: after a wait of two weekdays it is opened anew on Thursday, the third."""
    bounds = {"low": 0.3, "high": 0.7, f"{side}_after_days": days}
    made = trades(target(ATM, band=bounds), market(closes[: days + 2]))
    assert [session for session, *_ in made] == [0, days + 1, days + 1]


@pytest.mark.parametrize(("side", "closes"), [("high", RISING), ("low", FALLING)])
def test_the_wait_of_one_bound_is_not_the_others(side, closes):
    other = "low" if side == "high" else "high"
    made = trades(target(ATM, band={"low": 0.3, "high": 0.7, f"{other}_after_days": 4}), market(closes[:2]))
    assert [session for session, *_ in made] == [0, 1, 1]


def test_without_a_wait_it_is_opened_anew_on_the_day_itself():
    assert len(trades(target(ATM, band={"high": 0.7}), market([100, 110, 121]))) == 5


def test_a_weekend_is_no_part_of_the_wait():
    """Opened on a Thursday with a wait of two: Friday and Monday pass, Tuesday opens it anew."""
    band = {"high": 0.7, "high_after_days": 2}
    written = market([100] * 3 + [100, 110, 110, 110])
    made = trades(target(ATM, band=band, max_days=2), written)
    thursday = DAYS.index(next(day for day in DAYS if day.weekday() == 3))
    assert [session for session, *_ in made] == [0, thursday, thursday, thursday + 3, thursday + 3]


@pytest.mark.parametrize(("low", "high", "refused"), [(0.3, 0.3, True), (0.3, 0.30001, False)])
def test_the_bounds_are_in_order(low, high, refused):
    if refused:
        with pytest.raises(ValueError, match="must be below high"):
            Band(low=low, high=high)
    else:
        assert Band(low=low, high=high).high == high
