"""Position accounting, against a ledger that is written differently and reckons in fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.engine.position import Position

quantities = st.integers(-12, 12).filter(bool)
# Quarters and halves are exact in binary, so that the ledger and the position disagree by rounding alone.
prices = st.integers(-400, 4000).map(lambda ticks: ticks / 4)
trades = st.lists(st.tuples(st.integers(0, 2), quantities, prices), max_size=60)
POINT_VALUES = (50.0, 100.0, 12.5)


class Ledger:
    """Profit and loss by cash: every trade pays its value, and what is held is worth its price now.

    The average price of what is held is kept apart, unit by unit: units of one sign are alike, a trade against
    them takes units away at their average, and what is left over starts a new pile.
    """

    def __init__(self):
        self.cash = Fraction(0)
        self.units: dict[int, int] = {}
        self.average: dict[int, Fraction] = {}

    def trade(self, contract: int, qty: int, price: Fraction) -> None:
        self.cash -= qty * price * Fraction(POINT_VALUES[contract])
        step = 1 if qty > 0 else -1
        for _ in range(abs(qty)):
            held = self.units.get(contract, 0)
            if held * step >= 0:
                total = self.average.get(contract, Fraction(0)) * abs(held) + price
                self.average[contract] = total / (abs(held) + 1)
            self.units[contract] = held + step
            if self.units[contract] == 0:
                self.average[contract] = Fraction(0)

    def cost(self, contract: int) -> Fraction:
        return self.average[contract] * self.units[contract] * Fraction(POINT_VALUES[contract])

    def worth(self, marks) -> Fraction:
        """Cash and market value: what the account would hold if all were sold at `marks`."""
        held = (n * Fraction(marks[c]) * Fraction(POINT_VALUES[c]) for c, n in self.units.items())
        return self.cash + sum(held, Fraction(0))


def book(rows) -> tuple[Position, Ledger]:
    position, ledger = Position(), Ledger()
    for contract, qty, price in rows:
        position.trade(contract, float(qty), price * qty * POINT_VALUES[contract])
        ledger.trade(contract, qty, Fraction(price))
    return position, ledger


@given(trades)
def test_quantities_and_average_costs_are_the_ledgers(rows):
    position, ledger = book(rows)
    assert {c: h.qty for c, h in position.holdings.items()} == {c: n for c, n in ledger.units.items() if n}
    for contract, held in position.holdings.items():
        assert held.cost == pytest.approx(float(ledger.cost(contract)), rel=1e-12, abs=1e-6)


@given(trades, st.tuples(prices, prices, prices))
def test_realised_and_open_profit_add_up_to_cash_and_market_value(rows, marks):
    """The identity behind `exo`, after every number of trades and at any prices."""
    position, ledger = book(rows)
    value = sum(marks[c] * h.qty * POINT_VALUES[c] - h.cost for c, h in position.holdings.items())
    assert position.realised + value == pytest.approx(float(ledger.worth(marks)), rel=1e-12, abs=1e-6)


@given(trades)
def test_profit_is_realised_by_reducing_alone(rows):
    """Adding to a holding realises nothing; what closing realises is average cost against price."""
    position, ledger = Position(), Ledger()
    for contract, qty, price in rows:
        held, before = ledger.units.get(contract, 0), position.realised
        average = ledger.average.get(contract, Fraction(0))
        position.trade(contract, float(qty), price * qty * POINT_VALUES[contract])
        ledger.trade(contract, qty, Fraction(price))
        closed = min(abs(qty), abs(held)) if held * qty < 0 else 0
        sign = 1 if held > 0 else -1
        gain = sign * closed * (Fraction(price) - average) * Fraction(POINT_VALUES[contract])
        if not closed:
            assert position.realised == before
        assert position.realised - before == pytest.approx(float(gain), rel=1e-9, abs=1e-6)


@given(trades)
def test_closing_everything_leaves_nothing_but_cash(rows):
    position, ledger = book(rows)
    for contract, held in list(position.holdings.items()):
        value = 100.0 * -held.qty * POINT_VALUES[contract]
        ledger.trade(contract, int(-held.qty), Fraction(100))
        position.trade(contract, -held.qty, value)
    assert not position
    assert position.holdings == {}
    assert position.realised == pytest.approx(float(ledger.cash), rel=1e-12, abs=1e-6)


def test_the_rule_in_numbers():
    """Two at 100 and 110 cost 210; one sold at 120 realises 15; three more sold go short two at 120."""
    position = Position()
    position.trade(0, 1.0, 100.0)
    position.trade(0, 1.0, 110.0)
    assert (position.holdings[0].qty, position.holdings[0].cost, position.realised) == (2.0, 210.0, 0.0)
    position.trade(0, -1.0, -120.0)
    assert (position.holdings[0].qty, position.holdings[0].cost, position.realised) == (1.0, 105.0, 15.0)
    position.trade(0, -3.0, -360.0)
    assert (position.holdings[0].qty, position.realised) == (-2.0, 30.0)
    assert position.holdings[0].cost == pytest.approx(-240.0, rel=1e-12)
    position.trade(0, 2.0, 200.0)
    assert position.holdings == {}
    assert position.realised == pytest.approx(70.0, rel=1e-12)


def test_contracts_keep_the_order_in_which_they_were_opened():
    position = Position()
    for contract in (3, 1, 2):
        position.trade(contract, 1.0, 100.0)
    position.trade(3, 1.0, 100.0)
    position.trade(1, -2.0, -200.0)
    assert list(position.holdings) == [3, 2, 1], "one that went through zero was opened anew"


def test_a_copy_does_not_follow():
    position = Position()
    position.trade(0, 2.0, 200.0, "F")
    copy = position.copy()
    position.trade(0, -1.0, -120.0)
    position.trade(1, 1.0, 5.0)
    assert (copy.holdings[0].qty, copy.holdings[0].cost, copy.holdings[0].leg) == (2.0, 200.0, "F")
    assert (list(copy.holdings), copy.realised) == ([0], 0.0)
