"""The engine's series are the oracle's: every strategy on ten random markets, trade by trade and point by point."""

from functools import cache

import pytest

from .definitions import DEFINITIONS, Definition, Desk, gaps_of, trades_of
from .markets import SEEDS, random_market

FIGURES = ("exo", "gross", "delta", "costs", "stale_days")


@cache
def desk(seed: int) -> Desk:
    return Desk(random_market(seed))


@pytest.fixture(params=SEEDS, ids="market {}".format)
def market(request) -> Desk:
    return desk(request.param)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_the_engine_computes_what_the_rules_say(market: Desk, definition: Definition):
    expected, computed = market.by_oracle(definition), market.by_engine(definition)
    assert gaps_of(computed) == gaps_of(expected)
    assert trades_of(computed) == trades_of(expected)
    prices = [trade.price for trade in computed.trades]
    assert prices == pytest.approx([trade.price for trade in expected.trades], abs=1e-9, rel=0)
    assert [point.date for point in computed.points] == [point.date for point in expected.points]
    for figure in FIGURES:
        values = [getattr(point, figure) for point in computed.points]
        assert values == pytest.approx([getattr(point, figure) for point in expected.points], abs=1e-6, rel=0), figure


def test_the_random_markets_are_the_same_every_time():
    again = random_market(3)
    assert vars(again) == vars(random_market(3)) != vars(random_market(7))


def test_every_definition_trades_on_a_random_market():
    for definition in DEFINITIONS:
        assert len(desk(0).by_oracle(definition).trades) > 8, definition.name


def test_the_random_markets_hold_what_the_rules_are_about():
    """Every reason to trade and to leave a gap comes up, and old bars that values rest on, and openings that fail."""
    names = ("ContFut", "BullishCollar", "next session", "band", "swing")
    outcomes = [
        desk(seed).by_oracle(definition) for seed in SEEDS for definition in DEFINITIONS if definition.name in names
    ]
    reasons = {trade.reason for outcome in outcomes for trade in outcome.trades}
    assert reasons == {"open", "roll", "expiry", "rebalance", "regime", "close"}
    gaps = {kind(reason) for outcome in outcomes for _, reason in outcome.gaps}
    assert gaps == set(KINDS)
    assert {point.stale_days for outcome in outcomes for point in outcome.points} == {0, 1, 2, 3, 4, 5}
    assert any(outcome.warnings for outcome in outcomes)


KINDS = ("no market data", "too old", "itself", "no future is eligible", "prices above zero")


def kind(reason: str) -> str:
    """What a gap of the oracle is about."""
    return next(text for text in KINDS if text in reason)
