"""The active future and chain."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.engine import Gap
from algorithms.engine.market import Market
from tests.engine.markets import Draft, day, random_markets

MON = "2020-01-06"


def draft(**rules) -> Draft:
    """Three futures: January (4 days to expiry on the Monday), February, March."""
    return (
        Draft(**rules)
        .future("JAN", "2020-01-10")
        .future("FEB", "2020-02-21")
        .future("MAR", "2020-03-20")
        .bar("JAN", MON, 100.0)
    )


def active(written: Draft, date: str = MON) -> tuple[str | None, str | None]:
    """Names of the active future, and the expiry of the active chain."""
    market = written.market()
    future, chain = market.active(market.dates.index(day(date)))
    expiry = chain and str(dt.date(1970, 1, 1) + dt.timedelta(days=chain.expiry))
    return None if future is None else market.names[future], expiry


@pytest.mark.parametrize(("before", "name"), [(0, "JAN"), (3, "JAN"), (4, "FEB"), (45, "FEB"), (46, "MAR"), (74, None)])
def test_the_future_has_more_days_to_expiry_than_the_rule(before, name):
    assert active(draft(days_before_expiration=before)) == (name, None)


@pytest.mark.parametrize(("months", "name"), [((2, 3), "FEB"), ((3,), "MAR"), ((1,), "JAN"), ((12,), None), ((), None)])
def test_the_month_is_one_of_the_rules(months, name):
    assert active(draft(rollover_months=months))[0] == name


def test_the_month_is_the_contracts_not_the_expiry_days():
    """Crude oil for March expires in February."""
    written = Draft(rollover_months=(3,)).future("CLH", "2020-02-20", month=3).future("CLK", "2020-03-20", month=5)
    assert active(written.bar("CLH", MON, 50.0))[0] == "CLH"


def test_only_the_nearest_futures_are_looked_at():
    """Those with an expiration after the day: one that expires today is not among them."""
    months = {"rollover_months": (3,), "days_before_expiration": 0}
    assert active(draft(futures_limit=2, **months))[0] is None
    assert active(draft(futures_limit=3, **months))[0] == "MAR"
    last_day = draft(futures_limit=2, **months).bar("JAN", "2020-01-10", 100.0)
    assert active(last_day, "2020-01-10")[0] == "MAR"


def test_the_chain_is_the_first_with_more_days_to_expiry_than_the_rule():
    written = (
        draft().chain("FEB", "2020-01-08", [100]).chain("FEB", "2020-01-31", [101]).chain("FEB", "2020-02-21", [102])
    )
    assert active(draft(rollover_months=(2,)).chain("FEB", "2020-01-09", [100]))[1] == "2020-01-09"
    assert active(draft(rollover_months=(2,)).chain("FEB", "2020-01-08", [100]))[1] is None
    assert active(written) == ("FEB", "2020-01-31"), "January has no chain, so the next eligible future's"


@pytest.mark.parametrize(
    ("codes", "expiry"),
    [((), "2020-01-17"), (("W1",), "2020-01-17"), (("^W$",), None), (("W",), None), (("W.",), "2020-01-17"),
     (("^$",), "2020-02-14"), (("X", "^$"), "2020-02-14")],
)  # fmt: skip
def test_the_code_matches_a_pattern_in_full(codes, expiry):
    written = draft(option_codes=codes, rollover_months=(2,))
    written.chain("FEB", "2020-01-17", [100], code="W1").chain("FEB", "2020-02-14", [101])
    assert active(written)[1] == expiry


def test_a_future_without_a_chain_gives_way_to_the_next_one_that_has():
    chained = draft().chain("FEB", "2020-02-14", [100])
    assert active(chained) == ("FEB", "2020-02-14")
    assert active(chained.chain("JAN", "2020-01-09", [100])) == ("JAN", "2020-01-09")


def test_only_the_second_one_is_tried():
    assert active(draft().chain("MAR", "2020-03-13", [100])) == ("JAN", None)


def test_the_second_one_must_be_eligible_too():
    written = draft(rollover_months=(1, 3)).chain("FEB", "2020-02-14", [100]).chain("MAR", "2020-03-13", [100])
    assert active(written) == ("MAR", "2020-03-13")


def restated(market: Market, session: int) -> tuple[int | None, tuple[int, int] | None]:
    """The rule in the words of the design, on plain lists; chains by (future, expiry)."""
    rules, today = market.rules, market.dates[session]
    number = (today - dt.date(1970, 1, 1)).days
    coming = [f for f in range(market.futures_count) if market.expiries[f] > number][: rules.futures_limit]
    months = {f: (dt.date(1970, 1, 1) + dt.timedelta(days=market.expiries[f])).month for f in coming}
    late = number + rules.days_before_expiration
    eligible = [f for f in coming if market.expiries[f] > late and months[f] in rules.rollover_months]
    for future in eligible[:2]:
        for chain in sorted(market.chains(future), key=lambda chain: chain.expiry):
            allowed = {"^$": "", "W": "W", "^W$": "W"}
            codes = {allowed[pattern] for pattern in rules.option_codes}
            if chain.expiry > late and (not codes or chain.codes[0] in codes):
                return future, (future, chain.expiry)
    return (eligible[0] if eligible else None), None


@given(market=random_markets(conventions="legacy"), where=st.floats(0, 1, exclude_max=True))
def test_every_session_follows_the_rule(market, where):
    session = int(where * len(market.dates))
    try:
        future, chain = market.active(session)
    except Gap as gap:
        pytest.fail(f"random markets mix no codes: {gap}")
    assert (future, chain and (chain.future, chain.expiry)) == restated(market, session)
