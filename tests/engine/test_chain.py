"""Strikes of a chain: the money, offsets from it, strikes by delta."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from algorithms.engine import ChainTooShort, Gap, QuoteMissing, Result, call, open_legs, put
from algorithms.engine.market import Market
from tests.engine.markets import Draft, day, play, random_markets

MON, TUE = "2020-01-06", "2020-01-07"
EXPIRY, FUTURE_EXPIRY = "2020-02-21", "2020-03-20"


def draft(price: float = 100.0, strikes=range(80, 121, 5), **rules) -> Draft:
    written = Draft(**rules).future("F", FUTURE_EXPIRY).bar("F", MON, price)
    return written.chain("F", EXPIRY, strikes)


def view(market: Market, date: str = MON):
    return market.active_chain(market.dates.index(day(date)))


def at(market: Market, right: str, offset: int) -> str:
    return market.names[view(market).by_offset(right, offset)]


def by_delta(market: Market, delta: float) -> tuple[str, str]:
    contract, warning = view(market).by_delta(delta)
    return market.names[contract], warning


@pytest.mark.parametrize(
    ("price", "money"),
    [(100.0, 100), (102.4, 100), (102.5, 100), (102.6, 105), (97.5, 95), (80.0, 80), (12.0, 80), (5000.0, 120)],
)
def test_the_money_is_the_nearest_strike_and_the_lower_of_two(price, money):
    assert at(draft(price).market(), "C", 0) == f"C.F.{money}"


@pytest.mark.parametrize(("offset", "strike"), [(0, 100), (1, 105), (4, 120), (-1, 95), (-4, 80)])
@pytest.mark.parametrize("right", ["C", "P"])
def test_offsets_count_strikes_up_and_down(right, offset, strike):
    assert at(draft().market(), right, offset) == f"{right}.F.{strike}"


@pytest.mark.parametrize(
    ("unquoted", "offset", "strike"),
    [
        (["C.F.105"], 1, 110),
        (["P.F.105"], 1, 110),
        (["C.F.105", "P.F.110"], 1, 115),
        (["P.F.95"], -1, 90),
        (["C.F.95", "C.F.90"], -1, 85),
        (["P.F.100"], 0, 105),
        (["C.F.105"], 2, 110),
    ],
)
@pytest.mark.parametrize("right", ["C", "P"])
def test_a_strike_counts_only_if_call_and_put_have_a_quote(right, unquoted, offset, strike):
    """Otherwise the next one away from the money; a skipped one still counts as a step of those beyond it."""
    assert at(draft().unquote(*unquoted).market(), right, offset) == f"{right}.F.{strike}"


def test_a_strike_with_a_call_alone_is_none():
    market = draft().option("C.F.102", "F", EXPIRY, 102, "C", vol=0.2).market()
    assert at(market, "C", 1) == "C.F.105", "the strike 102 is the first above the money, and has no put"


def test_a_volatility_of_the_day_itself_is_no_quote_yet():
    written = draft().unquote("C.F.105").vol("C.F.105", MON, 0.2).bar("F", TUE, 100.0)
    market = written.market()
    assert at(market, "P", 1) == "P.F.110"
    assert market.names[view(market, TUE).by_offset("P", 1)] == "P.F.105"


@pytest.mark.parametrize("offset", [5, -5, 99, -99])
def test_past_the_end_the_error_names_the_range(offset):
    excerpt = rf"no quoted strike at offset {offset:+d} or beyond: strikes 80 to 120 on F at 100, {MON}"
    with pytest.raises(ChainTooShort, match=excerpt.replace("+", r"\+")):
        at(draft().market(), "C", offset)


def test_the_end_is_the_last_quoted_strike_too():
    market = draft().unquote("P.F.115", "P.F.120").market()
    assert at(market, "C", 2) == "C.F.110"
    with pytest.raises(ChainTooShort):
        at(market, "C", 3)


def test_the_strikes_limit_is_where_looking_ends():
    market = draft(strikes_limit=2).unquote("C.F.110").market()
    assert at(market, "C", 1) == "C.F.105"
    assert at(market, "C", -2) == "C.F.90"
    for offset in (2, 3, -3):
        with pytest.raises(ChainTooShort, match="strikes 90 to 110 on F"):
            at(market, "C", offset)
    assert by_delta(market, 0.01)[0] == "C.F.105", "the last quoted one within the limit"


def test_without_a_rate_nothing_is_quoted():
    market = draft(rate=None).market()
    for find in (lambda: at(market, "C", 0), lambda: by_delta(market, 0.3)):
        with pytest.raises(ChainTooShort):
            find()


def test_without_a_price_of_the_future_there_is_no_chain_to_look_at():
    market = Draft().future("F", FUTURE_EXPIRY).future("G", "2020-04-17").bar("G", MON, 1.0).market()
    assert view(market) is None
    market = Draft().future("F", FUTURE_EXPIRY).future("G", "2020-04-17").bar("G", MON, 1.0).chain("F", EXPIRY, [1])
    with pytest.raises(QuoteMissing, match=f"F has no bar at or before the decision time of {MON}"):
        view(market.market())


# -- by delta -----------------------------------------------------------------------------------------------


def deltas(market: Market, right: str, strikes) -> dict[int, float]:
    return {strike: market.quote(market.number(f"{right}.F.{strike}"), 0)[1] for strike in strikes}


@pytest.mark.parametrize(("delta", "name"), [(0.5, "C.F.100"), (-0.5, "P.F.100")])
def test_a_half_is_the_option_at_the_money(delta, name):
    """Whatever its own delta is."""
    assert by_delta(draft(101.9).market(), delta) == (name, "")


@pytest.mark.parametrize(
    ("delta", "right", "walk"),
    [
        (0.2, "C", [105, 110, 115, 120]),
        (0.8, "C", [95, 90, 85, 80]),
        (-0.2, "P", [95, 90, 85, 80]),
        (-0.8, "P", [105, 110, 115, 120]),
    ],
)
def test_the_first_strike_off_the_money_whose_delta_has_reached_it(delta, right, walk):
    """Out of the money for less than a half, into it for more."""
    market = draft().market()
    sizes = deltas(market, right, walk)
    if abs(delta) < 0.5:
        wanted = next(strike for strike in walk if abs(sizes[strike]) <= abs(delta))
    else:
        wanted = next(strike for strike in walk if abs(sizes[strike]) >= abs(delta))
    assert walk.index(wanted) not in (0, len(walk) - 1), "the case must be able to tell one strike from its neighbours"
    assert by_delta(market, delta) == (f"{right}.F.{wanted}", "")


@pytest.mark.parametrize(("right", "sign"), [("C", 1), ("P", -1)])
def test_reached_includes_equal(right, sign):
    market = draft().market()
    for strike, delta in deltas(market, right, [90, 110]).items():
        assert by_delta(market, delta) == (f"{right}.F.{strike}", "")


@pytest.mark.parametrize(
    ("delta", "name"), [(0.49, "C.F.105"), (0.51, "C.F.95"), (-0.49, "P.F.95"), (-0.51, "P.F.105")]
)
def test_the_walk_begins_one_strike_off_the_money(delta, name):
    """Also where the strike at the money would do: the future just below it, or just above."""
    for price in (99.0, 101.0):
        assert by_delta(draft(price).market(), delta) == (name, "")


@pytest.mark.parametrize(
    ("delta", "first", "then"),
    [(0.2, "C.F.110", "C.F.115"), (0.8, "C.F.90", "C.F.85"), (-0.2, "P.F.90", "P.F.85"), (-0.8, "P.F.110", "P.F.115")],
)
def test_strikes_without_quotes_are_passed_over(delta, first, then):
    """A missing quote of the other right counts as well."""
    assert by_delta(draft().market(), delta)[0] == first
    strike = first.split(".")[2]
    for name in (f"C.F.{strike}", f"P.F.{strike}"):
        assert by_delta(draft().unquote(name).market(), delta) == (then, "")


@pytest.mark.parametrize(
    ("delta", "name"), [(0.001, "C.F.110"), (0.9999, "C.F.90"), (-0.001, "P.F.90"), (-0.9999, "P.F.110")]
)
def test_if_none_reaches_it_the_last_quoted_one_with_a_warning(delta, name):
    market = draft(strikes=range(80, 121, 10)).unquote("C.F.120", "P.F.80").market()
    strike = name.split(".")[2]
    nearest = f"no strike reaches delta {delta:+g}; took {strike}"
    assert by_delta(market, delta) == (name, f"{nearest}, the last quoted: strikes 80 to 120 on F at 100, {MON}")


def test_if_nothing_is_quoted_on_the_way_it_is_an_error():
    market = draft(strikes=[90, 100]).market()
    with pytest.raises(ChainTooShort, match=r"no quoted strike off the money towards delta \+0.3: strikes 90 to 100"):
        by_delta(market, 0.3)


def test_the_warning_is_kept_on_the_step():
    result = play(draft().market(), {MON: lambda s: open_legs(s, [call(delta=0.0001, qty=1)], "open")})
    assert [(str(date), excerpt.split(";")[0]) for date, excerpt in result.warnings] == [
        (MON, "no strike reaches delta +0.0001")
    ]
    assert [trade.leg for trade in result.trades] == ["C(0.0001)"]


# -- codes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", [(), ("^W$", "^$")])
def test_a_chain_that_mixes_codes_is_an_error_in_the_data(codes):
    market = draft(option_codes=codes).option("CW.F.100", "F", EXPIRY, 102, "C", vol=0.2, code="W").market()
    with pytest.raises(Gap, match="the chain of F mixes the option codes '', 'W'"):
        market.active(0)
    result: Result = play(market, {MON: lambda s: s.chain})
    assert [str(date) for date, _ in result.gaps] == [MON]


# -- against a plain restatement ----------------------------------------------------------------------------


def quoted_strikes(market: Market, session: int) -> dict[float, dict[str, tuple[str, float]]]:
    """Strike -> right -> (name, delta) of the active chain's options, where both rights have a quote."""
    chain = market.active(session)[1]
    listed: dict[float, dict[str, tuple[str, float]]] = {}
    for contract in range(market.futures_count, len(market.names)):
        terms = market.option_terms(contract)
        if (terms.future, terms.expiry) != (chain.future, chain.expiry):
            continue
        try:
            delta = market.quote(contract, session)[1]
        except QuoteMissing:
            continue
        listed.setdefault(terms.strike, {})["C" if terms.is_call else "P"] = (market.names[contract], delta)
    return {strike: rights for strike, rights in sorted(listed.items()) if len(rights) == 2}


@given(
    market=random_markets(option_codes=("^$",), strikes_limit=20, conventions="legacy"),
    right=st.sampled_from("CP"),
    offset=st.integers(-13, 13),
    size=st.floats(0.01, 0.99),
    where=st.floats(0, 1, exclude_max=True),
)
def test_every_choice_is_that_of_a_plain_search(market, right, offset, size, where):
    assume(len(market.dates))
    session = int(where * len(market.dates))
    try:
        chain_view = market.active_chain(session)
    except QuoteMissing:
        return
    assume(chain_view is not None)
    price, strikes = chain_view.price, chain_view.chain.strikes
    money = min(strikes, key=lambda strike: (abs(strike - price), strike))
    quoted = quoted_strikes(market, session)

    start = strikes.index(money) + offset
    beyond = strikes[max(start, 0) :] if offset >= 0 else strikes[: start + 1][::-1] if start >= 0 else []
    wanted = next((strike for strike in beyond if strike in quoted), None)
    if wanted is None:
        with pytest.raises(ChainTooShort):
            chain_view.by_offset(right, offset)
    else:
        assert market.names[chain_view.by_offset(right, offset)] == quoted[wanted][right][0]

    if size == 0.5:
        return
    up = (size < 0.5) == (right == "C")
    walk = [s for s in quoted if s > money] if up else [s for s in reversed(quoted) if s < money]
    reached = [s for s in walk if (abs(quoted[s][right][1]) < size) == (size < 0.5)]
    delta = size if right == "C" else -size
    if not walk:
        with pytest.raises(ChainTooShort):
            chain_view.by_delta(delta)
    else:
        contract, warning = chain_view.by_delta(delta)
        assert market.names[contract] == quoted[(reached or walk[-1:])[0]][right][0]
        assert bool(warning) == (not reached)


def test_legs_are_found_before_any_is_traded():
    """A leg that cannot be found makes the session a gap, with nothing traded."""
    legs = [put(offset=-1, qty=1), call(offset=50, qty=1)]
    result = play(draft().market(), {MON: lambda s: open_legs(s, legs, "open")})
    assert (result.trades, result.points, len(result.gaps)) == ([], [], 1)
