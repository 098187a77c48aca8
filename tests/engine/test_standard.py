"""The rules of standard conventions, each on the smallest market that shows it."""

import datetime as dt

import pytest

from algorithms.engine import Leg, QuoteMissing, call, future, put, run
from algorithms.engine.algorithm import Algorithm
from algorithms.engine.opening import can_open, open_legs
from algorithms.engine.text import counted_days as counted
from tests.engine.markets import Draft, buy, day, play, standard

MON, TUE, WED, THU, FRI = (f"2020-01-{d:02}" for d in range(6, 11))
NEXT_MON, NEXT_TUE = "2020-01-13", "2020-01-14"
EXPIRY = "2020-03-20"


class Holder(Algorithm):
    """Opens its legs when flat."""

    def __init__(self, *legs: Leg) -> None:
        super().__init__()
        self.legs = legs

    def open(self, session) -> None:
        if can_open(session, self.legs):
            open_legs(session, self.legs, "roll" if session.rolled else "open")


def trades(result) -> list[tuple[str, str, float, float, str]]:
    return [(str(t.date), t.contract, t.qty, t.price, t.reason) for t in result.trades]


def gaps(result) -> dict[str, str]:
    return {str(date): reason for date, reason in result.gaps}


def warnings(result) -> dict[str, str]:
    return {str(date): text for date, text in result.warnings}


def two_futures(**rules) -> Draft:
    """F, and G that trades on every day, so that F's bars may be missing."""
    draft = standard(**rules).trading_days("2019-12-02", "2020-06-30").future("F", EXPIRY).future("G", "2020-06-19")
    return draft.bars("G", dict.fromkeys((MON, TUE, WED, THU, FRI, NEXT_MON, NEXT_TUE), 50.0))


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_are_the_calendars_within_the_data():
    draft = standard().trading_days("2019-12-02", "2020-02-28", TUE).future("F", EXPIRY)
    draft.bars("F", {MON: 1.0, TUE: 1.0, THU: 1.0})
    market = draft.market()
    assert [str(date) for date in market.dates] == [MON, WED, THU]
    assert market.has_data == [True, False, True]
    assert gaps(play(market)) == {WED: "no market data"}


def test_a_bar_after_the_decision_time_is_no_data_of_its_session():
    draft = standard().trading_days("2019-12-02", "2020-02-28").future("F", EXPIRY)
    draft.bar("F", MON, 1.0).bar("F", TUE, 2.0, "14:45:01").bar("F", WED, 3.0, "14:45")
    assert gaps(play(draft.market())) == {TUE: "no market data"}


def test_an_evening_bar_of_a_holiday_is_the_price_of_the_next_session():
    draft = standard().trading_days("2019-12-02", "2020-02-28", TUE).future("F", EXPIRY).future("G", EXPIRY)
    draft.bar("F", MON, 1.0).bar("F", TUE, 2.0, "18:00").bars("G", {MON: 9.0, WED: 9.0})
    result = play(draft.market(), {WED: buy("F")})
    assert trades(result) == [(WED, "F", 1.0, 2.0, "open")]
    assert [str(point.date) for point in result.points] == [MON, WED]


def test_without_a_calendar_sessions_are_weekdays_with_a_bar_in_time():
    draft = standard().future("F", EXPIRY).bars("F", {MON: 1.0, "2020-01-11": 1.0}).bar("F", TUE, 2.0, "20:00")
    assert [str(date) for date in draft.market().dates] == [MON]


# -- fresh quotes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "valued"), [(3, [MON, TUE, WED, THU]), (2, [MON, TUE, WED]), (0, [MON])])
def test_a_bar_gives_a_value_for_so_many_days(limit, valued):
    result = play(two_futures(max_bar_age_days=limit).bar("F", MON, 100.0).market(), {MON: buy("F")})
    assert [str(point.date) for point in result.points] == valued
    assert [point.stale_days for point in result.points] == list(range(len(valued)))
    first = next(iter(gaps(result).values()))
    assert first.startswith("F has no bar on ")
    assert first.endswith(f"that is at most {counted(limit)} old: its last one is {counted(limit + 1)} old")


def test_a_trade_needs_a_bar_of_the_session():
    """Monday's evening bar is one of Tuesday; Monday's own is not."""
    draft = two_futures().bar("F", MON, 100.0)
    result = play(draft.market(), {TUE: buy("F")})
    assert trades(result) == []
    reason = f"F has no bar of the session {TUE} to trade on: its last one is 1 day old"
    assert warnings(result) == {TUE: f"could not open: {reason}"}
    draft.bar("F", MON, 101.0, "14:45:01")
    assert trades(play(draft.market(), {TUE: buy("F")})) == [(TUE, "F", 1.0, 101.0, "open")]


def test_an_option_is_traded_on_a_bar_of_its_future():
    draft = two_futures().bar("F", MON, 100.0).option("C", "F", "2020-02-21", 100, "C", vol=0.2)
    market = draft.market()
    assert market.quote(market.number("C"), 1)[0] > 0
    with pytest.raises(QuoteMissing, match=f"F has no bar of the session {TUE} to trade on"):
        market.trade_price(market.number("C"), 1)


# -- effective expiry and settlement ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expiration", "closed", "effective"),
    [
        ("2020-01-11", (), FRI),  # a Saturday
        (FRI, (FRI,), THU),  # Good Friday
        (NEXT_MON, (NEXT_MON, FRI), THU),
        (FRI, (), FRI),
    ],
)
def test_the_effective_expiry_is_the_last_expected_session(expiration, closed, effective):
    draft = standard().trading_days("2019-12-02", "2020-02-28", *closed).future("F", expiration).bar("F", MON, 1.0)
    market = draft.option("C", "F", expiration, 100, "C").market()
    assert market.dates[0] + dt.timedelta(days=market.expiries[0] - market.day_list[0]) == day(effective)
    assert market.expiries[0] == market.expiries[1] == market.option_terms(1).expiry


def expiring(**rules) -> Draft:
    """A future whose option expires on Saturday, so on Friday; rolled on the day itself."""
    draft = standard(**({"days_before_expiration": 0} | rules)).trading_days("2019-12-02", "2020-06-30")
    draft.future("F", EXPIRY).option("C", "F", "2020-01-11", 100, "C", vol=0.2)
    return draft.future("G", "2020-06-19").bars("G", dict.fromkeys((MON, TUE, WED, THU, FRI, NEXT_MON), 50.0))


def test_what_reaches_its_expiry_is_settled_at_its_payoff_without_costs():
    draft = expiring(cost_option=1.5).bars("F", {MON: 100.0, FRI: 104.0})
    result = play(draft.market(), {MON: buy("C", 2.0)})
    assert trades(result)[1:] == [(FRI, "C", -2.0, 4.0, "expiry")]
    friday = result.points[-2]
    assert (friday.is_rollover, friday.noptions_executed, friday.costs) == (1, 2.0, 0.0)
    assert friday.exo == pytest.approx((4.0 - result.trades[0].price) * 2 * 100 - 3.0)
    assert friday.gross - friday.exo == 3.0


def test_settlement_takes_the_last_price_however_old_and_says_so():
    draft = expiring().bars("F", {MON: 103.0})
    result = play(draft.market(), {MON: buy("C")})
    assert trades(result)[1:] == [(FRI, "C", -1.0, 3.0, "expiry")]
    assert warnings(result)[FRI] == "C is settled on a bar 4 days older than its expiry"


def test_settlement_comes_in_the_first_session_with_data():
    draft = expiring().bars("F", {MON: 100.0, THU: 105.0, NEXT_MON: 90.0})
    draft._bars = [row for row in draft._bars if str(row[1]) != FRI]
    result = play(draft.market(), {MON: buy("C")})
    assert gaps(result)[FRI] == "no market data"
    assert trades(result)[1:] == [(NEXT_MON, "C", -1.0, 5.0, "expiry")]


def test_a_gap_does_not_take_settlement_back_and_the_rest_is_rolled():
    """On Friday the future that is held beside the option has no bar: the option is settled all the same."""
    draft = expiring().bars("F", {MON: 100.0, FRI: 104.0}).future("H", "2020-09-18")
    draft.bars("H", {MON: 10.0, NEXT_MON: 12.0})
    result = play(draft.market(), {MON: lambda s: (buy("C")(s), buy("H")(s))})
    assert trades(result)[2:] == [(FRI, "C", -1.0, 4.0, "expiry"), (NEXT_MON, "H", -1.0, 12.0, "roll")]
    assert gaps(result)[FRI] == (
        f"could not roll: H has no bar on {FRI} that is at most 3 days old: its last one is 4 days old"
    )


def test_a_contract_that_has_expired_cannot_be_traded():
    draft = expiring().bars("F", {FRI: 104.0, NEXT_MON: 104.0})
    result = play(draft.market(), {NEXT_MON: buy("C")})
    assert warnings(result) == {NEXT_MON: f"could not open: C expired before {NEXT_MON}"}


# -- a roll is two units of work --------------------------------------------------------------------------------------


def rolling() -> Draft:
    draft = standard(days_before_expiration=2).trading_days("2019-12-02", "2020-06-30")
    draft.future("F", FRI).future("G", EXPIRY).bars("F", dict.fromkeys((MON, TUE, WED), 100.0))
    return draft


def test_the_close_of_a_roll_is_booked_though_the_opening_fails_and_is_tried_again():
    draft = rolling().bars("G", {MON: 101.0, THU: 103.0})
    result = run(Holder(future(1)), draft.market())
    assert trades(result) == [
        (MON, "F", 1.0, 100.0, "open"),
        (WED, "F", -1.0, 100.0, "roll"),
        (THU, "G", 1.0, 103.0, "roll"),
    ]
    wednesday = result.points[2]
    assert (str(wednesday.date), wednesday.nfutures_opened, wednesday.is_rollover) == (WED, 0.0, 1)
    assert warnings(result)[WED].startswith(f"could not open: G has no bar of the session {WED}")
    assert not result.gaps
    assert result.points[3].is_rollover == 0


def test_a_roll_that_cannot_be_traded_is_a_gap_and_due_again():
    draft = rolling().bars("G", dict.fromkeys((MON, TUE, WED, THU, FRI), 101.0))
    draft._bars = [row for row in draft._bars if (row[0], str(row[1])) != ("F", WED)]
    draft.bar("F", THU, 99.0)
    result = run(Holder(future(1)), draft.market())
    assert list(gaps(result)) == [WED]
    assert trades(result)[1:] == [(THU, "F", -1.0, 99.0, "roll"), (THU, "G", 1.0, 101.0, "roll")]


def test_a_failed_opening_keeps_neither_trades_nor_memory():
    def half(session):
        session.memory["tried"] = True
        buy("G")(session)
        buy("F")(session)

    result = play(two_futures().market(), {MON: half})
    assert trades(result) == []
    assert result.state["memory"] == {}
    assert warnings(result)[MON] == f"could not open: F has no bar at or before the decision time of {MON}"


def test_a_hook_that_fails_while_something_is_held_keeps_it():
    draft = two_futures().bar("F", TUE, 100.0)
    result = play(draft.market(), {MON: buy("G"), TUE: lambda s: (s.close(), buy("F")(s)), WED: buy("F")})
    assert warnings(result) == {
        WED: f"could not manage: F has no bar of the session {WED} to trade on: its last one is 1 day old"
    }
    assert result.points[-1].nfutures_opened == 1.0


# -- contracts that are looked at -------------------------------------------------------------------------------------


def test_strikes_exist_once_they_have_a_record():
    """100 is listed from the first day on and quoted on Tuesday: it exists from Wednesday on."""
    draft = standard().trading_days("2019-12-02", "2020-06-30").future("F", EXPIRY)
    draft.bars("F", dict.fromkeys((MON, TUE, WED), 100.0)).chain("F", "2020-02-21", [80, 95, 105])
    for right in "CP":
        draft.option(f"{right}.F.100", "F", "2020-02-21", 100, right).vol(f"{right}.F.100", TUE, 0.2)
    market = draft.market()
    views = [market.active_chain(session) for session in range(3)]
    assert [view.strikes for view in views] == [[80.0, 95.0, 105.0]] * 2 + [[80.0, 95.0, 100.0, 105.0]]
    names = [market.names[view.by_offset("P", -1)] for view in views]
    assert names == ["P.F.80", "P.F.80", "P.F.95"]
    assert market.names[views[2].by_offset("C", 0)] == "C.F.100"


def test_a_chain_without_a_record_is_not_the_active_one():
    draft = standard().trading_days("2019-12-02", "2020-06-30").future("F", EXPIRY).bars("F", {MON: 100.0, TUE: 100.0})
    draft.chain("F", "2020-01-31", [100], vol=None).chain("F", "2020-02-21", [100], code="Z")
    market = draft.vol("C.F.100", MON, 0.2).market()
    assert [str(market.dates[0] + dt.timedelta(days=chain.expiry - market.day_list[0]))
            for chain in (market.active(0)[1], market.active(1)[1])] == ["2020-02-21", "2020-01-31"]  # fmt: skip


def test_option_codes_are_chains_of_their_own():
    """SPX beside SPXW on one day."""
    draft = standard(option_codes=("W",)).trading_days("2019-12-02", "2020-06-30").future("F", EXPIRY)
    draft.bars("F", {MON: 100.0}).chain("F", "2020-02-21", [100]).chain("F", "2020-02-21", [90, 110], code="W")
    market = draft.market()
    assert market.active_chain(0).strikes == [90.0, 110.0]


def test_futures_limit_counts_those_that_the_rule_may_hold():
    draft = standard(rollover_months=(12,), futures_limit=1).trading_days("2019-12-02", "2020-12-31")
    for month in range(1, 13):
        draft.future(f"F{month:02}", f"2020-{month:02}-18")
    market = draft.bar("F12", MON, 100.0).market()
    assert market.names[market.active(0)[0]] == "F12"
    assert [market.names[number] for number in market.nearest_futures(0)] == ["F12"]


def test_nothing_active_while_futures_are_quoted_is_a_gap():
    draft = standard(rollover_months=(12,)).trading_days("2019-12-02", "2020-12-31").future("F", EXPIRY)
    result = run(Holder(future(1)), draft.bar("F", MON, 100.0).market())
    assert gaps(result) == {
        MON: f"no future of XX may be held on {MON}: none has more than 2 days to expiry and a month among [12]"
    }


# -- profit and loss before costs -------------------------------------------------------------------------------------


def test_gross_is_before_costs():
    draft = two_futures(cost_future=2.5).bars("F", {MON: 100.0, TUE: 101.0})
    first, second = play(draft.market(), {MON: buy("F", 2.0)}).points[:2]
    assert (first.gross, first.exo, second.gross, second.exo) == (0.0, -5.0, 100.0, 95.0)


def test_option_strategies_open_flat_points_without_a_chain():
    result = run(
        Holder(future(1), put(offset=0, qty=1), call(offset=0, qty=-1)), two_futures().bar("F", MON, 1.0).market()
    )
    assert not result.trades
    assert not result.warnings
    assert {point.nfutures_opened for point in result.points} == {0.0}
