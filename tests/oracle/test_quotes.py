"""What is known at a session and what contracts are worth, by examples with figures from elsewhere."""

import datetime as dt
from datetime import date

import pytest

from .markets import easter, holidays, last_weekday_of, memorial_day, third_friday
from .quotes import Missing, Quotes, model, weekdays_after
from .regimes import confirmed_high, ichimoku, swing_points
from .tables import Rules, Tables

MON, TUE, WED, THU, FRI, SAT = (date(2020, 1, day) for day in range(6, 12))
WEEK = [MON, TUE, WED, THU, FRI]
EVENING = dt.time(17, 0)


def week(**rules) -> Tables:
    """A future that expires on Saturday, on a calendar of plain weekdays."""
    tables = Tables(Rules(**rules), calendar=[date(2019, 12, 2) + dt.timedelta(days=step) for step in range(120)])
    tables.calendar = [day for day in tables.calendar if day.weekday() < 5]
    tables.future("F", SAT)
    return tables


@pytest.mark.parametrize(
    ("rules", "right", "price", "strike", "years", "vol", "rate", "value"),
    [
        # J. Hull, Options, Futures, and Other Derivatives: example 15.6 (Black-Scholes) and 18.6 (Black)
        ("black_scholes", "C", 42, 40, 0.5, 0.2, 0.10, 4.76),
        ("black_scholes", "P", 42, 40, 0.5, 0.2, 0.10, 0.81),
        ("black76", "P", 20, 20, 4 / 12, 0.25, 0.09, 1.12),
        # At the money, Bachelier's value is the deviation / sqrt(2 pi), discounted: 15 x 0.5 x 0.398942 x e^-0.01
        ("bachelier", "C", -5, -5, 0.25, 15.0, 0.04, 2.962),
    ],
)
def test_model_values_are_those_of_a_textbook(rules, right, price, strike, years, vol, rate, value):
    assert model(Rules(pricing_model=rules), right, price, strike, years, vol, rate)[0] == pytest.approx(
        value, abs=0.005
    )


@pytest.mark.parametrize("pricing_model", ["black76", "black_scholes", "bachelier"])
@pytest.mark.parametrize("right", ["C", "P"])
def test_delta_is_what_a_point_of_the_price_changes(pricing_model, right):
    vol = 25.0 if pricing_model == "bachelier" else 0.25

    def at(price: float) -> tuple[float, float]:
        return model(Rules(pricing_model=pricing_model, dividend_yield=0.01), right, price, 100.0, 0.3, vol, 0.04)

    assert at(103.0)[1] == pytest.approx((at(103.001)[0] - at(102.999)[0]) / 0.002, abs=1e-6)


def test_the_price_is_the_last_bar_at_or_before_the_decision_time():
    tables = week()
    tables.bar("F", MON, 100.0, dt.time(14, 45))
    tables.bar("F", MON, 101.0, dt.time(14, 46))
    tables.bar("F", TUE, 102.0, dt.time(14, 45))
    tables.bar("F", TUE, 103.0)
    quotes = Quotes(tables)
    assert quotes.value("F", MON) == 100.0
    assert quotes.value("F", TUE) == 103.0  # a bar of a date takes precedence
    assert quotes.value("F", WED) == 103.0
    assert quotes.age("F", WED) == 1


def test_a_value_rests_on_a_bar_within_the_limit_and_a_trade_on_one_of_the_session_itself():
    tables = week(max_bar_age_days=2)
    tables.bar("F", MON, 100.0)
    quotes = Quotes(tables)
    assert quotes.trade_price("F", MON) == 100.0
    assert quotes.value("F", WED) == 100.0
    with pytest.raises(Missing):
        quotes.trade_price("F", TUE)
    with pytest.raises(Missing):
        quotes.value("F", THU)


def test_a_bar_after_the_decision_time_belongs_to_the_next_session():
    tables = week()
    tables.bar("F", MON, 100.0)
    tables.bar("F", MON, 105.0, EVENING)
    quotes = Quotes(tables)
    assert quotes.trade_price("F", TUE) == 105.0
    with pytest.raises(Missing):
        quotes.trade_price("F", WED)


def test_a_holiday_is_no_session_and_its_bars_are_prices_of_the_next():
    tables = week()
    tables.calendar.remove(TUE)
    tables.bar("F", MON, 100.0)
    tables.bar("F", TUE, 101.0)
    tables.bar("F", THU, 102.0)
    quotes = Quotes(tables)
    assert quotes.sessions() == [MON, WED, THU]
    assert not quotes.has_data(WED)
    assert quotes.trade_price("F", WED) == 101.0


def test_without_a_calendar_the_weekdays_with_a_bar_in_time_are_the_sessions():
    tables = week()
    tables.calendar = None
    for day, time in ((MON, None), (TUE, EVENING), (THU, None), (SAT, None)):
        tables.bar("F", day, 100.0, time)
    quotes = Quotes(tables)
    assert quotes.sessions() == [MON, THU]
    assert quotes.before(THU) == WED


def test_effective_expiry_is_the_last_expected_session_on_or_before_the_expiration():
    tables = week()
    quotes = Quotes(tables)
    assert quotes.expiry("F") == FRI
    assert quotes.days_left("F", MON) == 4
    tables.calendar.remove(FRI)
    assert Quotes(tables).expiry("F") == THU
    tables.calendar = None
    assert Quotes(tables).expiry("F") == FRI


def test_an_option_needs_records_dated_before_the_session():
    tables = week()
    name = tables.option("F", SAT, 100.0, "C")
    for day in WEEK:
        tables.bar("F", day, 100.0)
    tables.volatility(name, MON, 0.2)
    tables.rate(TUE, 0.05)
    quotes = Quotes(tables)
    assert (quotes.is_recorded(name, MON), quotes.is_recorded(name, TUE)) == (False, True)
    assert [quotes.has_value(name, day) for day in WEEK[:3]] == [False, False, True]
    # Two days to the effective expiry on Friday: 0.4 x 100 x 0.2 x sqrt(2 / 365) x e^(-0.05 x 2 / 365)
    assert quotes.value(name, WED) == pytest.approx(0.398942 * 100 * 0.2 * (2 / 365) ** 0.5 * 0.999726, abs=1e-4)


def test_settlement_is_the_payoff_on_the_last_price_at_or_before_the_effective_expiry():
    tables = week()
    call, put = (tables.option("F", SAT, 101.0, right) for right in "CP")
    tables.bar("F", TUE, 104.5)
    tables.bar("F", FRI, 120.0, EVENING)
    tables.bar("F", SAT, 130.0)
    quotes = Quotes(tables)
    assert [quotes.settlement(contract) for contract in ("F", call, put)] == [104.5, 3.5, 0.0]


def test_weekdays_are_counted_after_the_first_day_until_the_last():
    assert weekdays_after(MON, MON) == 0
    assert weekdays_after(FRI, FRI + dt.timedelta(days=3)) == 1
    assert weekdays_after(MON, MON + dt.timedelta(days=7)) == 5


def test_swing_points_confirm_a_high_that_more_points_than_the_threshold_did_not_exceed():
    assert confirmed_high([5, 9, 8, 7], 2) == 5  # two points since: not yet
    assert confirmed_high([5, 9, 8, 9], 1) == 9  # equal is not exceeding
    assert confirmed_high([5, 9, 8, 7, 6, 6.5], 2) == 9
    assert confirmed_high([5, 9, 8, 7, 6, 2, 1, 1, 1], 2) == 2  # starts anew with the point after the confirmation
    assert swing_points([]) is None
    assert swing_points([10, 11]) == "bullish"
    assert swing_points([10]) is None  # on both levels
    assert swing_points([10, 12, 11, 9], high_threshold=1) == "bearish"


def test_ichimoku_compares_with_the_cloud_that_was_drawn_some_points_ago():
    windows = {"conversion": 1, "base": 2, "displacement": 1, "span_b": 3}
    # After 1, 3, 8: mids are 8, (8 + 3) / 2 and (8 + 1) / 2, so span A is 6.75 and span B 4.5.
    points = [1, 3, 8]
    assert ichimoku(points, **windows) is None
    assert ichimoku([1, 3, 8, 2], **windows | {"displacement": 5}) is None
    assert ichimoku([*points, 6.8], **windows) == "bullish"
    assert ichimoku([*points, 6.75], **windows) == "neutral"
    assert ichimoku([*points, 4.5], **windows) == "neutral"
    assert ichimoku([*points, 4.4], **windows) == "bearish"
    only_a = windows | {"spans": "a"}
    assert ichimoku([*points, 6.7], **only_a) == "bearish"
    assert ichimoku([*points, 6.75], **only_a) is None
    assert ichimoku([1, 3, 2.6], **only_a) == "bullish"  # A alone needs two points: (3 + 2) / 2


def test_days_of_the_random_markets_are_those_of_the_year():
    assert [easter(year) for year in (2014, 2022, 2024)] == [date(2014, 4, 20), date(2022, 4, 17), date(2024, 3, 31)]
    assert third_friday(2022, 4) == date(2022, 4, 15)
    assert memorial_day(2021) == last_weekday_of(2021, 5) == date(2021, 5, 31)
    assert {date(2021, 4, 2), date(2021, 7, 5), date(2021, 12, 25)} <= holidays(2021)
