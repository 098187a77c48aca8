"""The strategy indexes on markets small enough to check by hand."""

import pytest

from algorithms import indexes
from algorithms.engine import run
from tests.engine.markets import Draft, random_market

PRICE = 100.0
STRIKES = range(80, 121)


def draft(strikes=STRIKES):
    """Two months: F1 with a chain that is left on 2020-02-19 (two days before its expiry), then F2."""
    market = Draft(strikes_limit=40).future("F1", "2020-02-21").future("F2", "2020-03-20")
    for name, expiry in (("F1", "2020-02-21"), ("F2", "2020-03-20")):
        market.chain(name, expiry, strikes, vol=0.2)
        market.bars(name, {"2020-01-20": PRICE, "2020-01-21": PRICE + 2, "2020-02-19": PRICE})
    return market


def opened(algorithm, market=None):
    """(contract, qty) of the first session's trades, in order."""
    result = run(algorithm(), market or draft().market())
    first = result.trades[0].date
    return [(trade.contract, trade.qty) for trade in result.trades if trade.date == first]


def test_buy_write_is_long_the_future_and_short_the_call_at_the_money():
    assert opened(indexes.BuyWrite) == [("F1", 1), ("C.F1.100", -1)]


def test_put_write_is_short_the_put_at_the_money():
    assert opened(indexes.PutWrite) == [("P.F1.100", -1)]


def test_collar_has_its_put_at_95_and_its_call_at_110():
    assert opened(indexes.Collar95110) == [("F1", 1), ("P.F1.95", 1), ("C.F1.110", -1)]


def test_iron_butterfly_has_wings_five_percent_away():
    assert opened(indexes.IronButterfly) == [("P.F1.95", 1), ("P.F1.100", -1), ("C.F1.100", -1), ("C.F1.105", 1)]


def test_iron_condor_takes_the_first_strike_whose_delta_is_small_enough():
    # T = 32 / 365 and v sqrt T = 0.05922, rate 0: the delta of a call is N(ln(100 / K) / 0.05922 + 0.02961).
    # C 105: N(-0.794) = 0.214, C 106: N(-0.954) = 0.170. C 110: N(-1.580) = 0.057, C 111: N(-1.733) = 0.042.
    # P 95: N(-0.896) = 0.185, P 96: N(-0.719) = 0.236. P 91: N(-1.622) = 0.052, P 90: N(-1.809) = 0.035.
    assert opened(indexes.IronCondor) == [("P.F1.90", 1), ("P.F1.95", -1), ("C.F1.106", -1), ("C.F1.111", 1)]


def test_buy_write_and_put_write_are_one_strategy_by_parity():
    # Rate 0: future - call = strike - put, so both earn the same between two sessions.
    buy, sell = (run(algorithm(), draft().market()).points for algorithm in (indexes.BuyWrite, indexes.PutWrite))
    option_value, point_value = 100.0, 50.0
    future_part = 2.0 * point_value  # the future earned 2 points, at its own point value
    call_part = buy[1].exo - future_part
    assert sell[1].exo == pytest.approx(call_part + 2.0 * option_value, abs=1e-9)


def test_they_roll_before_expiry_into_the_next_month():
    result = run(indexes.PutWrite(), draft().market())
    rolled = [(trade.contract, trade.qty, trade.reason) for trade in result.trades if trade.date.month == 2]
    assert rolled == [("P.F1.100", 1, "roll"), ("P.F2.100", -1, "roll")]
    assert [point.is_rollover for point in result.points] == [0, 0, 1]


def test_without_a_chain_they_stay_flat_and_record_points():
    market = Draft().future("F1", "2020-02-21").bars("F1", {"2020-01-20": 1.0, "2020-01-21": 1.0}).market()
    for algorithm in (indexes.BuyWrite, indexes.Collar95110, indexes.IronButterfly):
        result = run(algorithm(), market)
        assert [point.exo for point in result.points] == [0.0, 0.0]
        assert not result.trades


@pytest.mark.parametrize("name", ["BuyWrite", "PutWrite", "Collar95110", "IronCondor", "IronButterfly"])
def test_every_one_says_which_index_it_is_after(name):
    assert "Cboe S&P 500" in getattr(indexes, name).__doc__
    assert run(getattr(indexes, name)(), random_market(3)).points
