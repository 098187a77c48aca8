"""DeltaTarget: the band, the limit of days, and what happens after."""

import json

import pytest

from algorithms.delta_target import DeltaTarget
from algorithms.engine import call, future, run
from tests.engine.markets import Draft, random_market, weekdays

DAYS = weekdays("2020-01-06", 8)


def market(closes, strikes=range(80, 121, 5)):
    """F1 at the closes of successive weekdays, with a chain far from expiry."""
    draft = Draft().future("F1", "2020-06-19").chain("F1", "2020-06-19", strikes)
    return draft.bars("F1", dict(zip(DAYS, closes, strict=False))).market()


def target(*legs, **parameters):
    return DeltaTarget(DeltaTarget.Parameters(legs=list(legs), **parameters))


def trades(algorithm, market):
    """(session number, contract, qty, reason)"""
    return [(DAYS.index(t.date), t.contract, t.qty, t.reason) for t in run(algorithm, market).trades]


ATM = call(offset=0, qty=1)
# A call at the money has a delta of about 0.53; at 110 the call with strike 100 has 0.78, at 90 it has 0.22.


def test_held_while_delta_stays_in_the_band():
    assert trades(target(ATM, band={"low": 0.3, "high": 0.7}), market([100, 101, 99])) == [(0, "C.F1.100", 1, "open")]


@pytest.mark.parametrize(("close", "strike"), [(110, 110), (90, 90)])
def test_outside_the_band_it_is_opened_anew_in_the_same_session(close, strike):
    assert trades(target(ATM, band={"low": 0.3, "high": 0.7}), market([100, close, close])) == [
        (0, "C.F1.100", 1, "open"),
        (1, "C.F1.100", -1, "rebalance"),
        (1, f"C.F1.{strike}", 1, "rebalance"),
    ]


def test_one_side_of_the_band_may_be_open():
    assert len(trades(target(ATM, band={"low": 0.3}), market([100, 110]))) == 1
    assert len(trades(target(ATM, band={"high": 0.7}), market([100, 110]))) == 3


def test_reopened_at_the_next_session():
    algorithm = target(ATM, band={"high": 0.7}, reopen="next_session")
    assert trades(algorithm, market([100, 110, 115, 115])) == [
        (0, "C.F1.100", 1, "open"),
        (1, "C.F1.100", -1, "close"),
        (2, "C.F1.115", 1, "open"),
    ]


def test_held_for_more_weekdays_than_allowed():
    # Opened on Monday the 6th; more than 5 weekdays later is Tuesday the 14th, session 6: the weekend does not count.
    assert trades(target(ATM, max_days=5), market([100] * 8)) == [
        (0, "C.F1.100", 1, "open"),
        (6, "C.F1.100", -1, "rebalance"),
        (6, "C.F1.100", 1, "rebalance"),
    ]


def test_stays_flat_until_another_chain_is_active():
    draft = Draft().future("F1", "2020-01-10").future("F2", "2020-02-21")
    for name, expiry in (("F1", "2020-01-10"), ("F2", "2020-02-21")):
        draft.chain(name, expiry, range(80, 121, 5))
        draft.bars(name, dict(zip(DAYS, [100, 110, 100, 100, 100], strict=False)))
    # F1 is the active future while more than two days are left: sessions 0 and 1.
    algorithm = target(ATM, band={"high": 0.7}, reopen="next_roll")
    assert trades(algorithm, draft.market()) == [
        (0, "C.F1.100", 1, "open"),
        (1, "C.F1.100", -1, "close"),
        (2, "C.F2.100", 1, "open"),
    ]
    assert len(trades(algorithm, market([100, 110, 100, 100, 100]))) == 2  # here the chain stays the active one


def test_a_future_alone_waits_for_another_future():
    draft = Draft().future("F1", "2020-01-10").future("F2", "2020-02-21")
    for name in ("F1", "F2"):
        draft.bars(name, dict.fromkeys(DAYS[:4], 100))
    algorithm = target(future(2), band={"high": 1.5}, reopen="next_roll")
    assert trades(algorithm, draft.market()) == [
        (0, "F1", 2, "open"),
        (1, "F1", -2, "close"),
        (2, "F2", 2, "open"),
        (3, "F2", -2, "close"),
    ]


def test_a_future_alone_is_closed_although_the_one_to_wait_for_has_no_price():
    """From Wednesday on F2 is the active future, since F1 has no chain left, and it is not quoted yet."""
    draft = Draft().future("F1", "2020-02-21").bars("F1", dict.fromkeys(DAYS[:4], 100)).future("F2", "2020-06-19")
    draft.chain("F1", "2020-01-10", [100]).chain("F2", "2020-02-21", [100])
    algorithm = target(future(2), max_days=1, reopen="next_roll")
    assert trades(algorithm, draft.market()) == [(0, "F1", 2, "open"), (2, "F1", -2, "close")]


def test_rolled_before_expiry():
    draft = Draft().future("F1", "2020-01-10").future("F2", "2020-02-21")
    for name in ("F1", "F2"):
        draft.bars(name, dict.fromkeys(DAYS[:4], 100))
    assert trades(target(future(1)), draft.market()) == [
        (0, "F1", 1, "open"),
        (2, "F1", -1, "roll"),
        (2, "F2", 1, "roll"),
    ]


@pytest.mark.parametrize("reopen", ["same_session", "next_session", "next_roll"])
@pytest.mark.parametrize("seed", range(5))
def test_resumed_anywhere_it_gives_the_same_rows(reopen, seed):
    data = random_market(seed)
    legs = [call(delta=0.6, qty=1), call(delta=0.15, qty=-1)]
    algorithm = target(*legs, band={"low": 0.2, "high": 0.6}, max_days=3, reopen=reopen)
    whole = run(algorithm, data)
    points, state = [], None
    for date in data.dates:
        part = run(algorithm, data, last=date, state=state)
        points += part.points
        state = json.loads(json.dumps(part.state))
    assert points == whole.points
    assert state == whole.state
