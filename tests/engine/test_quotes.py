"""What a session knows: bars up to the decision time, volatilities and rates strictly before the day."""

import datetime as dt

import numpy as np
import pytest

from algorithms.engine import AlgorithmError, EngineError, QuoteMissing
from algorithms.engine.market import Market
from algorithms.engine.pricing import greeks, price_and_delta
from algorithms.engine.tables import Bars, Futures
from tests.engine.markets import Draft, buy, day, play

MON, TUE, WED, THU, FRI = (f"2020-01-{d:02}" for d in range(6, 11))
SAT, SUN = "2020-01-11", "2020-01-12"
EXPIRY = "2020-03-20"


def draft(**rules) -> Draft:
    return Draft(**rules).future("F", EXPIRY)


def quote(market: Market, name: str, date: str) -> float:
    return market.quote(market.number(name), market.dates.index(day(date)))[0]


def test_sessions_are_the_weekdays_with_a_bar_of_any_future():
    market = (
        draft()
        .future("G", "2020-06-19")
        .bars("F", {FRI: 1.0, MON: 1.0, SAT: 1.0})
        .bars("G", {WED: 1.0, SUN: 1.0})
        .market()
    )
    assert market.dates == [day(MON), day(WED), day(FRI)]
    assert market.sessions.tolist() == market.dates


def test_a_future_costs_its_last_bar_at_or_before_the_decision_time():
    market = (
        draft()
        .bar("F", MON, 100.0, "14:44:59")
        .bar("F", MON, 101.0, "14:45")
        .bar("F", MON, 102.0, "14:45:01")
        .bar("F", TUE, 103.0, "09:00")
        .bar("F", WED, 104.0, "15:00")
        .market()
    )
    assert [quote(market, "F", date) for date in (MON, TUE, WED)] == [101.0, 103.0, 103.0]


def test_a_bar_that_is_a_date_counts_at_the_decision_time():
    """It comes after an intraday bar of the same instant, and before one a second later."""
    market = draft().bar("F", MON, 100.0).bar("F", MON, 99.0, "14:45").bar("F", MON, 98.0, "14:45:01").market()
    assert quote(market, "F", MON) == 100.0


def test_an_evening_bar_counts_from_the_next_session():
    market = draft().bar("F", MON, 100.0).bar("F", MON, 105.0, "20:00").bar("F", TUE, 110.0, "15:00").market()
    assert quote(market, "F", MON) == 100.0
    assert quote(market, "F", TUE) == 105.0


def test_the_order_of_bars_in_the_data_does_not_matter():
    rows = [("F", MON, 100.0, None), ("F", MON, 101.0, "10:00"), ("F", TUE, 102.0, None), ("F", WED, 103.0, "14:00")]
    quotes = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        written = draft()
        for at in order:
            written.bar(*rows[at])
        market = written.market()
        quotes.append([quote(market, "F", date) for date in (MON, TUE, WED)])
    assert quotes == [[100.0, 102.0, 103.0]] * 3


def test_a_future_without_a_bar_so_far_has_no_quote():
    market = draft().future("G", "2020-06-19").bars("F", {MON: 1.0, TUE: 1.0}).bar("G", TUE, 2.0).market()
    with pytest.raises(QuoteMissing, match=f"G has no bar at or before the decision time of {MON}"):
        quote(market, "G", MON)
    assert quote(market, "G", TUE) == 2.0


def test_an_old_bar_still_counts_and_its_age_is_told():
    market = (
        draft().future("G", "2020-06-19").bar("F", TUE, 100.0).bars("G", dict.fromkeys((TUE, WED, FRI), 1.0)).market()
    )
    result = play(market, {TUE: buy("F")})
    assert [(str(p.date), p.stale_days) for p in result.points] == [(TUE, 0), (WED, 1), (FRI, 3)]
    assert result.points[-1].exo == 0.0


def test_the_oldest_bar_under_anything_held_is_the_age_that_is_told():
    """An option's is that of its future; a series that holds nothing has no age."""
    market = (
        draft()
        .future("G", "2020-06-19")
        .bars("F", {MON: 100.0, TUE: 100.0})
        .bars("G", dict.fromkeys((MON, TUE, WED, FRI), 1.0))
        .option("C", "F", "2020-02-21", 100, "C", vol=0.2)
        .market()
    )
    result = play(market, {TUE: lambda s: (buy("C")(s), buy("G")(s))})
    assert [(str(p.date), p.stale_days) for p in result.points] == [(MON, 0), (TUE, 0), (WED, 1), (FRI, 3)]


def test_a_weekend_bar_is_no_session_but_a_price():
    market = draft().bars("F", {FRI: 100.0, SUN: 105.0}).bar("F", "2020-01-13", 110.0, "15:00").market()
    assert market.dates == [day(FRI), dt.date(2020, 1, 13)]
    assert quote(market, "F", "2020-01-13") == 105.0


def option_draft(**rules) -> Draft:
    closes = dict.fromkeys((MON, TUE, WED, THU, FRI), 100.0)
    return draft(**rules).bars("F", closes).option("C", "F", "2020-02-21", 100, "C")


def model_price(date: str, vol: float, rate: float, model: str = "black76", price: float = 100.0) -> float:
    days = (dt.date(2020, 2, 21) - day(date)).days
    return price_and_delta(model, True, price, 100.0, vol, rate, days)[0].item()


@pytest.mark.parametrize("model", ["black76", "black_scholes"])
def test_volatility_and_rate_are_those_dated_before_the_day(model):
    market = (
        option_draft(rate=None, pricing_model=model)
        .rate("2020-01-05", 0.01)
        .rate(TUE, 0.05)
        .vol("C", "2020-01-05", 0.20)
        .vol("C", WED, 0.30)
        .vol("C", THU, 0.40)
        .market()
    )
    known = {MON: (0.20, 0.01), TUE: (0.20, 0.01), WED: (0.20, 0.05), THU: (0.30, 0.05), FRI: (0.40, 0.05)}
    assert {date: quote(market, "C", date) for date in known} == {
        date: model_price(date, *terms, model=model) for date, terms in known.items()
    }


@pytest.mark.parametrize("model", ["black76", "black_scholes"])
def test_the_greeks_are_of_the_same_quotes(model):
    market = option_draft(rate=None, pricing_model=model).rate(MON, 0.03).vol("C", MON, 0.2).vol("C", TUE, 0.9).market()
    sensitivities = market.greeks(market.number("C"), market.dates.index(day(TUE)))
    days = (dt.date(2020, 2, 21) - day(TUE)).days
    assert sensitivities == tuple(value.item() for value in greeks(model, True, 100.0, 100.0, 0.2, 0.03, days))
    assert (sensitivities.price, sensitivities.delta) == market.quote(market.number("C"), market.dates.index(day(TUE)))
    with pytest.raises(QuoteMissing, match=f"C has no implied volatility dated before {MON}"):
        market.greeks(market.number("C"), market.dates.index(day(MON)))


def test_a_session_tells_the_volatility_that_an_option_is_valued_with():
    market = option_draft().vol("C", MON, 0.2).vol("C", TUE, 0.9).market()
    seen = []
    result = play(
        market,
        {
            MON: lambda session: seen.append(session.volatility(market.number("C"))),
            TUE: lambda session: seen.append(session.volatility(market.number("C"))),
        },
    )
    assert seen == [0.2]
    assert result.gaps == [(day(MON), f"C has no implied volatility dated before {MON}")]


def test_a_future_has_no_volatility():
    market = option_draft().market()
    with pytest.raises(AlgorithmError, match="is a future and has no volatility"):
        play(market, {MON: lambda session: session.volatility(session.future)})


def test_an_option_without_an_earlier_volatility_has_no_quote():
    market = option_draft().vol("C", TUE, 0.2).market()
    with pytest.raises(QuoteMissing, match=f"C has no implied volatility dated before {TUE}"):
        quote(market, "C", TUE)
    assert quote(market, "C", WED) == model_price(WED, 0.2, 0.0)


def test_the_volatility_of_a_neighbour_is_never_taken():
    """Records of all options lie in one table; before an option's first one there is another option's last."""
    market = option_draft().option("P", "F", "2020-02-21", 100, "P").vol("C", MON, 0.2).vol("P", THU, 0.9).market()
    with pytest.raises(QuoteMissing, match="P has no implied volatility"):
        quote(market, "P", WED)
    assert quote(market, "C", FRI) == model_price(FRI, 0.2, 0.0)


def test_an_option_without_an_earlier_rate_has_no_quote():
    market = option_draft(rate=None).rate(TUE, 0.02).vol("C", "2020-01-01", 0.2).market()
    with pytest.raises(QuoteMissing, match=f"C cannot be valued on {TUE}: no risk-free rate dated before it"):
        quote(market, "C", TUE)
    assert quote(market, "C", WED) == model_price(WED, 0.2, 0.02)


def test_an_option_on_a_future_without_a_bar_has_no_quote():
    market = option_draft().future("G", "2020-06-19").option("D", "G", "2020-02-21", 100, "C", vol=0.2).market()
    with pytest.raises(QuoteMissing, match=f"D cannot be valued on {WED}: G has no bar at or before"):
        quote(market, "D", WED)


@pytest.mark.parametrize("model", ["black76", "black_scholes"])
@pytest.mark.parametrize("close", [-37.63, 0.0])
def test_an_option_on_a_future_not_above_zero_has_no_quote_and_says_why(model, close):
    """April 2020 in crude oil: neither model knows such a price."""
    market = option_draft(pricing_model=model).bar("F", WED, close).vol("C", MON, 0.2).market()
    reason = rf"C cannot be valued on {WED}: F is at {close:g}, not above zero, and {model} takes logarithms"
    with pytest.raises(QuoteMissing, match=reason):
        quote(market, "C", WED)
    assert quote(market, "F", WED) == close
    assert quote(market, "C", THU) > 0


@pytest.mark.parametrize("strike", [-5, 0])
def test_an_option_with_a_strike_not_above_zero_has_no_quote_and_says_why(strike):
    market = option_draft().option("D", "F", "2020-02-21", strike, "C", vol=0.2).market()
    with pytest.raises(QuoteMissing, match=f"D cannot be valued on {WED}: its strike is {strike}, not above zero"):
        quote(market, "D", WED)
    chain = market.chains(0)[0].at(market.dates.index(day(WED)))
    assert [deltas[0] != deltas[0] for deltas in chain.chain.deltas(slice(0, 2), chain.session).values()] == [
        True,
        True,
    ]


def test_bachelier_values_prices_and_strikes_of_any_sign():
    market = option_draft(pricing_model="bachelier", rate=0.01).bar("F", WED, -37.63).vol("C", MON, 30.0)
    market = market.option("D", "F", "2020-02-21", -40, "P", vol=25.0).market()
    for name, strike, vol, call in (("C", 100.0, 30.0, True), ("D", -40.0, 25.0, False)):
        days = (dt.date(2020, 2, 21) - day(WED)).days
        value, delta = price_and_delta("bachelier", call, -37.63, strike, vol, 0.01, days)
        assert market.quote(market.number(name), market.dates.index(day(WED))) == (value, delta)
    greeks = market.greeks(market.number("D"), market.dates.index(day(WED)))
    assert (greeks.price, greeks.delta) == (value, delta)
    assert greeks.vega > 0


def test_a_dividend_yield_is_part_of_every_value():
    plain, paying = (
        option_draft(pricing_model="black_scholes", rate=0.03, dividend_yield=q).vol("C", MON, 0.2).market()
        for q in (0.0, 0.05)
    )
    session = plain.dates.index(day(WED))
    value, delta = price_and_delta("black_scholes", True, 100.0, 100.0, 0.2, 0.03, 44, 0.05)
    assert paying.quote(1, session) == (value, delta)
    assert plain.quote(1, session)[0] > value
    chain = paying.chains(0)[0]
    assert chain.deltas(slice(0, 1), session)["C"] == [delta]
    assert paying.greeks(1, session).delta == delta


def test_at_expiry_the_payoff_takes_no_logarithm():
    market = draft().bars("F", {MON: 1.0, TUE: -37.63})
    market.option("C", "F", TUE, -50, "C", vol=0.2).option("P", "F", TUE, 10, "P", vol=0.2)
    assert [quote(market.market(), name, TUE) for name in "CP"] == [-37.63 + 50, 10 + 37.63]


def test_at_and_after_expiry_an_option_is_worth_its_payoff():
    closes = {MON: 103.0, TUE: 104.0, WED: 98.0, THU: 107.0}
    market = draft().bars("F", closes).option("C", "F", TUE, 100, "C", vol=0.2).market()
    assert [quote(market, "C", date) for date in (TUE, WED, THU)] == [4.0, 0.0, 7.0]


def test_futures_must_come_by_expiry():
    names, ints = np.array(["A", "B"], object), np.array([1, 2], np.int32)
    bars = Bars(np.array([0]), np.array([18000]), np.array([-1]), np.array([1.0]))
    with pytest.raises(EngineError, match="XX: futures must come sorted by expiry"):
        Market(Draft().rules, Futures(names, ints, ints, np.array([18010, 18000], np.int32)), bars)


def test_a_contract_that_is_not_in_the_data_is_named():
    with pytest.raises(EngineError, match="XX: contract Z is held but is not in the market data"):
        draft().bar("F", MON, 1.0).market().number("Z")
