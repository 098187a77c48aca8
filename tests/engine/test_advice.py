"""What the data say of a product's rules."""

import pytest

from algorithms.engine.advice import advice, late_rolls
from tests.engine.markets import standard, weekdays

CLOSED = ("2020-04-10", "2020-05-25")


def quarterly(ends_before: int, **rules):
    """Futures of March, June and September 2020 whose bars end so many weekdays before their expirations."""
    draft = standard(**({"calendar": "CMES"} | rules)).trading_days("2019-12-02", "2020-12-31", *CLOSED)
    days = weekdays("2020-01-02", 200)
    for name, expiry in (("H", "2020-03-20"), ("M", "2020-06-19"), ("U", "2020-09-18")):
        draft.future(name, expiry)
        until = [date for date in days if str(date) <= expiry and str(date) not in CLOSED]
        draft.bars(name, dict.fromkeys(until[: len(until) - ends_before], 100.0))
    draft.future("Z", "2020-12-18").bars("Z", {date: 100.0 for date in days if str(date) not in CLOSED})
    return draft


@pytest.mark.parametrize(("days_before", "ends_before"), [(2, 2), (2, 1), (0, 0), (7, 5)])
def test_contracts_that_last_to_their_roll_need_no_advice(days_before, ends_before):
    assert advice(quarterly(ends_before, days_before_expiration=days_before).market()) == []


def test_the_smallest_value_that_serves_is_named():
    market = quarterly(5, days_before_expiration=2).market()
    (text,) = advice(market)
    assert text == (
        "U has no bar in the 5 days before its roll; so it is with 3 of 3 rolls of XX, which then wait for the expiry: "
        "raise days_before_expiration from 2 to 7."
    )
    assert len(late_rolls(market, 6)) == 3
    assert late_rolls(market, 7) == []


def test_a_rule_that_no_value_helps_is_told_so():
    (text,) = advice(quarterly(45, days_before_expiration=2).market())
    assert text.endswith("No days_before_expiration up to 60 would serve: its bars have gaps.")


def test_expirations_that_are_no_sessions_are_named():
    draft = quarterly(0, days_before_expiration=0).option("C", "M", "2020-05-25", 100, "C")
    assert advice(draft.market()) == [
        "1 contract expires on days that are no sessions of XX, such as C: the session before, 2020-05-22, is its "
        "effective expiry."
    ]


@pytest.mark.parametrize(("time", "named"), [("14:45", True), ("15:15", True), ("15:16", False), (None, True)])
def test_bars_at_decision_time_on_days_that_are_not_expected_are_named(time, named):
    texts = advice(quarterly(0, days_before_expiration=0).bar("Z", "2020-05-25", 100.0, time).market())
    expected = (
        "XX has bars at its decision time on a day that the calendar CMES does not expect, such as 2020-05-25: they "
        "make no session. Correct the calendar if the exchange was open."
    )
    assert texts == ([expected] if named else [])


def test_legacy_conventions_need_no_advice():
    assert advice(quarterly(45, conventions="legacy").bar("Z", "2020-05-25", 1.0).market()) == []
