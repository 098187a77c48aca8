"""Legs found by moneyness: the nearest quoted strike to a share of the future's price."""

import pydantic
import pytest

from algorithms.engine import ChainTooShort, Leg, call, put
from tests.engine.markets import Draft

STRIKES = [90, 95, 100, 105, 110]


def view(price=100.0, strikes=STRIKES, *unquoted, **rules):
    draft = Draft(**rules).future("FH", "2020-03-20").bar("FH", "2020-01-06", price)
    draft.chain("FH", "2020-02-21", strikes).unquote(*unquoted)
    return draft.market().active_chain(0)


def found(chain, right, moneyness):
    contract, warning = chain.by_moneyness(right, moneyness)
    return chain.chain.quotes.names[contract], warning


@pytest.mark.parametrize(
    ("price", "moneyness", "strike"),
    [
        (100.0, 0.95, 95),  # listed to the point
        (100.0, 1.0, 100),
        (101.0, 0.95, 95),  # 95.95
        (103.0, 0.95, 100),  # 97.85
        (100.0, 1.025, 100),  # 102.5 lies between two strikes: the lower
        (100.0, 0.9, 90),  # the first strike of all
        (100.0, 1.1, 110),  # the last one
    ],
)
def test_takes_the_nearest_strike(price, moneyness, strike):
    assert found(view(price), "P", moneyness) == (f"P.FH.{strike}", "")
    assert found(view(price), "C", moneyness) == (f"C.FH.{strike}", "")


def test_passes_over_strikes_without_both_quotes():
    assert found(view(100.0, STRIKES, "C.FH.95"), "P", 0.95) == ("P.FH.90", "")
    assert found(view(100.0, STRIKES, "C.FH.95"), "P", 0.96) == ("P.FH.100", "")


def test_warns_when_the_price_lies_outside_the_quoted_strikes():
    name, warning = found(view(), "P", 0.8)
    assert name == "P.FH.90"
    assert "moneyness 0.8 (80)" in warning
    assert "took 90, the last quoted" in warning
    assert found(view(), "C", 1.3)[0] == "C.FH.110"
    assert "took 105" in found(view(100.0, STRIKES, "P.FH.110"), "C", 1.10)[1]


def test_looks_past_the_strikes_limit():
    assert found(view(100.0, STRIKES, strikes_limit=1), "P", 0.9) == ("P.FH.90", "")


def test_without_any_quote_the_chain_is_too_short():
    unquoted = [f"C.FH.{strike}" for strike in STRIKES]
    with pytest.raises(ChainTooShort, match=r"no quoted strike for moneyness 0\.95: strikes 90 to 110 on FH at 100"):
        view(100.0, STRIKES, *unquoted).by_moneyness("P", 0.95)


def test_labels_name_the_percentage():
    assert put(moneyness=0.95, qty=1).label == "P(95%)"
    assert call(moneyness=1.1, qty=1).label == "C(110%)"
    assert call(moneyness=1.025, qty=1).label == "C(102.5%)"


@pytest.mark.parametrize(
    ("leg", "message"),
    [
        ({"right": "P", "qty": 1}, "one of offset, delta and moneyness; this one has none"),
        ({"right": "P", "qty": 1, "delta": -0.2, "moneyness": 0.9}, "this one has delta and moneyness"),
        ({"right": "F", "qty": 1, "moneyness": 1.0}, "a future has no moneyness"),
        ({"right": "C", "qty": 1, "moneyness": 0.0}, "greater than 0"),
    ],
)
def test_an_option_leg_is_found_in_one_way(leg, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Leg(**leg)
