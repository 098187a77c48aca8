"""The rules of a session, each by a small market whose figures are worked out by hand, for oracle and engine alike."""

from datetime import date, time, timedelta

import pytest

from .definitions import CONTFUT, FUTURE, Desk, delta_target, fixed, gaps_of, leg, regime_spread, zone
from .definitions import trades_of as all_of
from .tables import Rules, Tables

MON, TUE, WED, THU, FRI = (date(2020, 1, day) for day in range(6, 11))
WEEK = [MON, TUE, WED, THU, FRI]
NEXT = [day + timedelta(days=7) for day in WEEK]
LONG_AGO = date(2019, 12, 2)
CALL = fixed("call", leg("C", 1, offset=0))
COVERED = fixed("covered call", FUTURE, leg("C", -1, offset=0))


@pytest.fixture(params=["oracle", "engine"])
def compute(request):
    """What the oracle or the engine computes of a market and a definition."""
    return lambda tables, definition: getattr(Desk(tables), f"by_{request.param}")(definition)


def market(*expirations: date, bars: list[date] | None = None, **rules) -> Tables:
    """Futures A, B, ... at 100, 200, ... on the first of `bars` (two weeks of weekdays), a point more on each later."""
    tables = Tables(Rules(**{"days_before_expiration": 0} | rules))
    tables.calendar = [day for day in (LONG_AGO + timedelta(days=step) for step in range(400)) if day.weekday() < 5]
    for number, expiration in enumerate(expirations):
        tables.future("ABCDE"[number], expiration)
        for step, day in enumerate(WEEK + NEXT if bars is None else bars):
            tables.bar("ABCDE"[number], day, 100.0 * (number + 1) + step)
    tables.rate(LONG_AGO, 0.0)
    return tables


def without(tables: Tables, future: str, *days: date) -> Tables:
    """The market without a future's bars of some days."""
    tables.bars = [bar for bar in tables.bars if bar.future != future or bar.date not in days]
    return tables


def chain(tables: Tables, future: str, expiration: date, strikes, *, since: date = LONG_AGO, code: str = "") -> None:
    """Calls and puts with a volatility of 20 % from a day on."""
    for strike in strikes:
        for right in "CP":
            tables.volatility(tables.option(future, expiration, strike, right, code), since, 0.2)


def trades(result) -> list[tuple]:
    """(day of January, contract, quantity, reason) of each trade."""
    return [(day.day, contract, qty, reason) for day, contract, qty, reason in all_of(result)]


def points(result, *names: str) -> dict[int, object]:
    """Figures of each point by day of January."""
    values = {point.date.day: tuple(getattr(point, name) for name in names) for point in result.points}
    return {day: figures[0] if len(names) == 1 else figures for day, figures in values.items()}


def days(dates) -> list[int]:
    return [day.day for day in dates]


# Fresh quotes


def test_a_future_whose_bars_pause_is_valued_for_three_days_and_then_a_gap(compute):
    tables = without(market(date(2020, 3, 20), date(2020, 6, 19)), "A", THU, FRI, NEXT[0])
    result = compute(tables, CONTFUT)
    assert trades(result) == [(6, "A", 1, "open")]
    assert points(result, "gross", "stale_days") == {
        6: (0.0, 0), 7: (50.0, 0), 8: (100.0, 0), 9: (100.0, 1), 10: (100.0, 2),
        14: (300.0, 0), 15: (350.0, 0), 16: (400.0, 0), 17: (450.0, 0),
    }  # fmt: skip
    assert days(gaps_of(result)) == [13]


def test_nothing_is_traded_at_a_bar_of_an_earlier_session(compute):
    tables = without(market(date(2020, 3, 20), date(2020, 6, 19)), "A", MON, TUE)
    tables.bar("A", date(2020, 1, 4), 95.0, time(12))  # Saturday: a price of Monday, and an old one on Tuesday
    tables.bar("A", TUE, 99.0, time(17))
    assert trades(compute(tables, CONTFUT)) == [(6, "A", 1, "open")]
    tables.bars = [bar for bar in tables.bars if bar.close != 95.0]
    result = compute(tables, CONTFUT)
    assert [(trade.date, trade.price) for trade in result.trades] == [(WED, 102.0)]
    assert points(result, "gross", "delta")[6] == (0.0, 0.0)
    tables.bars = [bar for bar in tables.bars if (bar.future, bar.date, bar.time) != ("A", WED, None)]
    assert [(trade.date, trade.price) for trade in compute(tables, CONTFUT).trades] == [(WED, 99.0)]


def test_an_expected_session_without_a_bar_in_time_is_a_gap_and_a_holiday_none(compute):
    tables = without(market(date(2020, 3, 20)), "A", TUE, THU)
    tables.bar("A", TUE, 150.0, time(15))
    tables.bar("A", THU, 160.0, time(15))
    tables.calendar.remove(THU)
    tables = without(tables, "A", FRI)
    tables.bar("A", FRI, 104.0, time(9))
    result = compute(tables, CONTFUT)
    assert days(gaps_of(result)) == [7]
    assert list(points(result, "gross").items())[:3] == [(6, 0.0), (8, 100.0), (10, 200.0)]


def test_without_a_calendar_a_day_without_bars_is_no_session(compute):
    tables = without(market(date(2020, 3, 20)), "A", TUE)
    tables.calendar = None
    tables.bar("A", date(2020, 1, 11), 140.0)
    result = compute(tables, CONTFUT)
    assert gaps_of(result) == []
    assert list(points(result, "gross"))[:4] == [6, 8, 9, 10]


# Expiry


def test_a_contract_that_is_held_to_its_expiry_is_settled_without_costs(compute):
    tables = market(FRI, date(2020, 3, 20), cost_future=1.0)
    result = compute(tables, CONTFUT)
    assert trades(result) == [(6, "A", 1, "open"), (10, "A", -1, "expiry"), (10, "B", 1, "roll")]
    assert points(result, "gross", "exo", "costs")[10] == (200.0, 198.0, 1.0)


@pytest.mark.parametrize(("days_before", "rolled"), [(0, 9), (1, 8), (2, 7)])
def test_an_expiration_on_a_holiday_is_rolled_by_the_session_before_it(compute, days_before, rolled):
    tables = without(market(FRI, date(2020, 3, 20), days_before_expiration=days_before), "A", FRI)
    tables.calendar.remove(FRI)
    reason = "expiry" if days_before == 0 else "roll"
    assert trades(compute(tables, CONTFUT))[1:] == [(rolled, "A", -1, reason), (rolled, "B", 1, "roll")]


def test_an_option_that_expired_on_a_saturday_settles_on_fridays_price(compute):
    """The index jumps from 1900 on Friday to 1960 on Monday: the 1900 call is worth nothing."""
    tables = market(date(2020, 12, 31), bars=[])
    for day in WEEK + NEXT:
        tables.bar("A", day, 1900.0 if day <= FRI else 1960.0)
    chain(tables, "A", date(2020, 1, 11), [1850, 1900, 1950])
    result = compute(tables, CALL)
    paid = result.trades[0].price
    assert paid == pytest.approx(0.398942 * 1900 * 0.2 * (4 / 365) ** 0.5, rel=1e-4)
    assert trades(result) == [(6, "C.A.0111.1900", 1, "open"), (10, "C.A.0111.1900", -1, "expiry")]
    assert [trade.price for trade in result.trades] == [paid, 0.0]
    assert points(result, "gross", "delta", "stale_days")[10] == (pytest.approx(-100 * paid), 0.0, 0)
    assert points(result, "gross")[13] == pytest.approx(-100 * paid)


def test_what_is_left_after_a_settlement_is_rolled(compute):
    tables = market(date(2020, 6, 19))
    chain(tables, "A", WED, [95, 100, 105])
    result = compute(tables, COVERED)
    assert trades(result) == [
        (6, "A", 1, "open"),
        (6, "C.A.0108.100", -1, "open"),
        (8, "C.A.0108.100", 1, "expiry"),
        (8, "A", -1, "roll"),
    ]
    assert result.trades[2].price == 2.0
    assert points(result, "delta")[8] == 0.0


def test_a_settlement_stays_in_a_gap_and_the_rest_is_rolled_when_it_can_be(compute):
    tables = without(market(date(2020, 6, 19), date(2020, 9, 18)), "A", WED, THU)
    chain(tables, "A", WED, [95, 100, 105])
    chain(tables, "A", date(2020, 2, 21), [95, 100, 105])
    result = compute(tables, COVERED)
    assert trades(result)[2:] == [
        (8, "C.A.0108.100", 1, "expiry"),
        (10, "A", -1, "roll"),
        (10, "A", 1, "roll"),
        (10, "C.A.0221.105", -1, "roll"),
    ]
    assert result.trades[2].price == 1.0  # Tuesday's 101
    assert days(gaps_of(result)) == [8, 9]


def test_without_market_data_at_the_expiry_it_is_settled_at_the_next_session(compute):
    tables = without(without(market(FRI, date(2020, 6, 19)), "A", *NEXT, FRI), "B", FRI)
    tables.bar("A", NEXT[0], 500.0)
    result = compute(tables, CONTFUT)
    assert [(trade.date.day, trade.price, trade.reason) for trade in result.trades] == [
        (6, 100.0, "open"),
        (13, 103.0, "expiry"),
        (13, 205.0, "roll"),
    ]
    assert days(gaps_of(result)) == [10]


# Roll and opening


def test_a_roll_stays_although_the_opening_fails_and_it_is_tried_again(compute):
    tables = without(market(date(2020, 1, 9), date(2020, 6, 19), days_before_expiration=1), "B", WED)
    result = compute(tables, CONTFUT)
    assert trades(result) == [(6, "A", 1, "open"), (8, "A", -1, "roll"), (9, "B", 1, "roll")]
    assert points(result, "gross", "delta")[8] == (100.0, 0.0)
    assert gaps_of(result) == []


def test_a_roll_that_fails_is_a_gap_and_is_due_again(compute):
    tables = without(market(FRI, date(2020, 6, 19), days_before_expiration=2), "A", WED)
    result = compute(tables, CONTFUT)
    assert trades(result)[1:] == [(9, "A", -1, "roll"), (9, "B", 1, "roll")]
    assert days(gaps_of(result)) == [8]


def test_a_position_that_cannot_be_managed_is_kept_and_valued(compute):
    """Held for more than a weekday on Wednesday, when the future has no bar: closed on Thursday."""
    tables = without(market(date(2020, 6, 19), date(2020, 9, 18)), "A", WED)
    result = compute(tables, delta_target("days", [FUTURE], max_days=1, reopen="next_session"))
    assert trades(result)[:3] == [(6, "A", 1, "open"), (9, "A", -1, "close"), (10, "A", 1, "open")]
    assert points(result, "gross", "delta", "stale_days")[8] == (50.0, 1.0, 1)
    assert gaps_of(result) == []


def test_a_regime_spread_opens_its_zone_again_after_an_opening_that_failed(compute):
    """Bullish all the time; at the roll on Wednesday the next chain has no quoted strike."""
    tables = without(market(date(2020, 1, 9), date(2020, 6, 19), days_before_expiration=1), "B", WED)
    bullish = regime_spread("bullish", "swing", {}, bullish=zone(leg("F", 2)))
    assert trades(compute(tables, bullish)) == [(7, "A", 2, "regime"), (8, "A", -2, "roll"), (9, "B", 2, "roll")]


def test_nothing_eligible_while_futures_are_quoted_is_a_gap_for_a_flat_series(compute):
    tables = market(WED, date(2020, 6, 19), rollover_months=(1,))
    result = compute(tables, CONTFUT)
    assert trades(result) == [(6, "A", 1, "open"), (8, "A", -1, "expiry")]
    assert list(points(result, "gross")) == [6, 7, 8]
    assert days(gaps_of(result)) == days(WEEK[3:] + NEXT)


def test_the_limit_of_futures_counts_those_that_the_rule_may_hold(compute):
    tables = market(date(2020, 1, 17), date(2020, 2, 21), date(2020, 3, 20), rollover_months=(3,), futures_limit=1)
    assert trades(compute(tables, CONTFUT)) == [(6, "C", 1, "open")]


def test_a_future_beyond_the_limit_is_not_held_for_its_chain(compute):
    tables = market(date(2020, 3, 20), date(2020, 6, 19), futures_limit=1)
    chain(tables, "B", date(2020, 2, 21), [200])
    assert trades(compute(tables, COVERED)) == []


def test_a_future_counts_as_quoted_on_the_day_of_its_expiry_and_not_after_it(compute):
    result = compute(market(WED, rollover_months=(3,)), CONTFUT)
    assert days(gaps_of(result)) == [6, 7, 8]
    assert next(iter(points(result, "gross", "delta").items())) == (9, (0.0, 0.0))


# Chains and strikes


def test_the_chain_is_the_first_of_the_rules_by_expiration_and_code(compute):
    def bought(*codes: str) -> str:
        tables = market(date(2020, 6, 19), option_codes=codes, days_before_expiration=4)
        chain(tables, "A", FRI, [100], code="W")
        chain(tables, "A", date(2020, 2, 21), [100], code="Z")
        chain(tables, "A", date(2020, 2, 21), [100], code="X")
        chain(tables, "A", date(2020, 3, 20), [100])
        return compute(tables, CALL).trades[0].contract

    assert bought() == "CX.A.0221.100"
    assert bought("Z", "") == "CZ.A.0221.100"
    assert bought("^$") == "C.A.0320.100"


def test_without_a_chain_of_its_own_the_active_future_is_the_next_one_that_has_one(compute):
    tables = market(date(2020, 3, 20), date(2020, 6, 19), date(2020, 9, 18))
    chain(tables, "C", date(2020, 2, 21), [300])
    assert trades(compute(tables, CONTFUT))[0] == (6, "A", 1, "open")
    assert trades(compute(tables, CALL)) == []
    chain(tables, "B", date(2020, 2, 21), [200])
    assert trades(compute(tables, COVERED)) == [(6, "B", 1, "open"), (6, "C.B.0221.200", -1, "open")]


def test_strikes_and_chains_exist_once_they_have_a_record(compute):
    tables = market(date(2020, 6, 19))
    chain(tables, "A", date(2020, 2, 21), [90, 95, 105, 110])
    chain(tables, "A", date(2020, 2, 21), [100], since=TUE)
    chain(tables, "A", date(2020, 2, 14), [100], since=MON)
    assert trades(compute(tables, CALL)) == [(6, "C.A.0221.95", 1, "open")]  # at 100, the lower of the nearest
    first = fixed("up", leg("C", 1, offset=1))
    assert trades(compute(tables, first)) == [(6, "C.A.0221.105", 1, "open")]
    one_day = delta_target("daily", [leg("C", 1, offset=0)], max_days=1, reopen="next_session")
    assert trades(compute(tables, one_day))[2] == (9, "C.A.0214.100", 1, "open")


@pytest.mark.parametrize(
    ("chosen", "strike"),
    [
        (leg("C", 1, offset=0), 100),
        (leg("C", 1, offset=1), 110),  # 105 is not quoted: the next one up
        (leg("P", 1, offset=-1), 95),
        (leg("C", 1, offset=3), 115),
        (leg("C", 1, offset=4), None),  # beyond the limit of three strikes
        (leg("C", 1, delta=0.5), 100),
        (leg("C", 1, delta=0.49), 110),
        (leg("C", 1, delta=0.15), 110),
        (leg("C", 1, delta=0.001), 115),  # never reached: the last quoted one within the limit
        (leg("C", 1, delta=0.51), 95),
        (leg("P", 1, delta=-0.2), 90),
        (leg("P", 1, delta=-0.6), 110),
        (leg("P", 1, moneyness=0.83), 85),
        (leg("C", 1, moneyness=1.2), 120),  # all strikes count
        (leg("C", 1, moneyness=1.05), 100),  # 105 is not quoted; between 100 and 110 the lower
    ],
)
def test_a_leg_is_the_strike_that_its_offset_delta_or_moneyness_names(compute, chosen, strike):
    """At 100, 46 days before expiry and 20 %: deltas of calls about 0.78 at 95, 0.51 at 100, 0.10 at 110."""
    tables = market(date(2020, 6, 19), strikes_limit=3, bars=[MON])
    chain(tables, "A", date(2020, 2, 21), range(75, 126, 5))
    del tables.volatilities["P.A.0221.105", LONG_AGO]
    bought = [trade.contract for trade in compute(tables, fixed("leg", chosen)).trades]
    assert bought == ([] if strike is None else [f"{chosen['right']}.A.0221.{strike}"])


@pytest.mark.parametrize(("model", "strike"), [("black76", 5), ("black_scholes", 5), ("bachelier", 0)])
def test_a_strike_that_the_model_cannot_value_is_passed_over(compute, model, strike):
    tables = market(date(2020, 6, 19), pricing_model=model, bars=[])
    tables.bar("A", MON, 1.0)
    chain(tables, "A", date(2020, 2, 21), [-5, 0, 5, 10])
    assert trades(compute(tables, CALL)) == [(6, f"C.A.0221.{strike}", 1, "open")]


# Position, costs and signals


def test_adding_averages_and_reducing_realises_average_cost(compute):
    tables = market(date(2020, 6, 19), cost_future=1.0)
    result = compute(tables, fixed("in and out", leg("F", 3), leg("F", -1), leg("F", -4)))
    assert points(result, "gross", "exo", "delta", "costs")[6] == (0.0, -8.0, -2.0, 8.0)
    assert points(result, "gross")[7] == -100.0


def test_a_commission_changes_no_signal(compute):
    """The future gains a point a session; a commission on its roll would look like a fall."""

    def regimes(cost: float) -> list[tuple]:
        tables = market(FRI, date(2020, 6, 19), days_before_expiration=1, cost_future=cost)
        spread = regime_spread("swing", "swing", {}, bullish=zone(leg("F", 1)), bearish=zone(leg("F", -1)))
        return trades(compute(tables, spread))

    assert regimes(0.0) == regimes(500.0) == [(7, "A", 1, "regime"), (9, "A", -1, "roll"), (9, "B", 1, "roll")]


def test_a_band_renews_the_position_once_enough_weekdays_have_passed(compute):
    tables = market(date(2020, 6, 19))
    target = delta_target("band", [FUTURE], band={"high": 0.5, "high_after_days": 2})
    assert [day for day, *_, reason in trades(compute(tables, target)) if reason == "rebalance"][::2] == [9, 14, 17]


def test_next_roll_waits_until_another_future_is_the_active_one(compute):
    tables = market(FRI, date(2020, 6, 19), days_before_expiration=1)
    target = delta_target("next roll", [FUTURE], max_days=1, reopen="next_roll")
    assert trades(compute(tables, target)) == [
        (6, "A", 1, "open"),
        (8, "A", -1, "close"),
        (9, "B", 1, "open"),
        (13, "B", -1, "close"),
    ]


def test_next_roll_waits_for_another_family_of_options_too(compute):
    """The chain X of the same expiration, which comes before Z, has its first record on Wednesday."""
    tables = market(date(2020, 6, 19))
    chain(tables, "A", date(2020, 2, 21), [100], code="Z")
    chain(tables, "A", date(2020, 2, 21), [100], code="X", since=WED)
    target = delta_target("next roll", [leg("C", 1, offset=0)], max_days=1, reopen="next_roll")
    assert trades(compute(tables, target))[:3] == [
        (6, "CZ.A.0221.100", 1, "open"),
        (8, "CZ.A.0221.100", -1, "close"),
        (9, "CX.A.0221.100", 1, "open"),
    ]


def test_a_future_is_closed_although_the_one_to_wait_for_has_no_bar(compute):
    """On Thursday the chain that makes B the active future is B's, which is not quoted yet; A is, and is held."""
    tables = market(date(2020, 1, 31), date(2020, 6, 19), days_before_expiration=1)
    tables.bars = [bar for bar in tables.bars if bar.future == "A"]
    chain(tables, "A", FRI, [100])
    chain(tables, "B", date(2020, 2, 21), [200])
    target = delta_target("next roll", [FUTURE], max_days=2, reopen="next_roll")
    assert trades(compute(tables, target)) == [(6, "A", 1, "open"), (9, "A", -1, "close")]
