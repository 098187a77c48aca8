"""A session in order: roll, hook, point; what gaps leave behind; what is recorded."""

import datetime as dt
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import AlgorithmError, EngineError, Gap, History, call, future, put, run
from algorithms.fixed_legs import FixedLegs
from algorithms.regime_spread import SwingpointSpread
from tests.engine.markets import Draft, Script, buy, day, play, random_markets, weekdays

MON, TUE, WED, THU, FRI = (f"2020-01-{d:02}" for d in range(6, 11))


def two_futures(**rules) -> Draft:
    """JAN expires on the Friday, FEB much later; a bar of each on every day, JAN rising by 1, FEB by 2."""
    written = Draft(days_before_expiration=1, **rules).future("JAN", FRI).future("FEB", "2020-02-21")
    for step, date in enumerate((MON, TUE, WED, THU, FRI)):
        written.bar("JAN", date, 100.0 + step).bar("FEB", date, 200.0 + 2 * step)
    return written


def fixed(*legs) -> FixedLegs:
    return FixedLegs(FixedLegs.Parameters(legs=list(legs)))


def columns(result, *names: str) -> list[tuple]:
    return [tuple(getattr(point, name) for name in names) for point in result.points]


def trades(result) -> list[tuple]:
    return [(str(t.date), t.contract, t.qty, t.reason) for t in result.trades]


def test_a_continuous_future_in_full():
    """Bought on Monday, rolled a day before the expiry at that session's prices, costs of 1 a contract and side."""
    result = run(ContinuousFuture(), two_futures(cost_future=1.0).market())
    assert [tuple(t) for t in result.trades] == [
        (day(MON), 0, "JAN", 1.0, 100.0, 5000.0, "F", "open"),
        (day(THU), 0, "JAN", -1.0, 103.0, -5150.0, "F", "roll"),
        (day(THU), 1, "FEB", 1.0, 206.0, 10300.0, "F", "roll"),
    ]
    names = ("date", "exo", "delta", "is_rollover", "nfutures_executed", "nfutures_opened", "costs")
    assert columns(result, *names) == [
        (day(MON), -1.0, 1.0, 0, 1.0, 1.0, 1.0),
        (day(TUE), 49.0, 1.0, 0, 0.0, 1.0, 0.0),
        (day(WED), 99.0, 1.0, 0, 0.0, 1.0, 0.0),
        (day(THU), 147.0, 1.0, 1, 2.0, 1.0, 2.0),
        (day(FRI), 247.0, 1.0, 0, 0.0, 1.0, 0.0),
    ]
    assert columns(result, "noptions_executed", "noptions_opened", "stale_days", "extra") == [(0.0, 0.0, 0, None)] * 5
    assert (result.gaps, result.warnings) == ([], [])


@pytest.mark.parametrize(("before", "rolled"), [(0, FRI), (1, THU), (2, WED), (3, TUE)])
def test_the_position_is_rolled_when_days_to_expiry_come_down_to_the_rule(before, rolled):
    """The session before, it has more days than the rule; at it, the future is no longer eligible either."""
    written = Draft(days_before_expiration=before).future("JAN", FRI).future("FEB", "2020-02-21")
    for date in (MON, TUE, WED, THU, FRI):
        written.bar("JAN", date, 100.0).bar("FEB", date, 200.0)
    result = run(ContinuousFuture(), written.market())
    assert [str(p.date) for p in result.points if p.is_rollover] == [rolled]
    assert trades(result)[1:] == [(rolled, "JAN", -1.0, "roll"), (rolled, "FEB", 1.0, "roll")]


def test_any_contract_near_its_expiry_closes_the_whole_position():
    """An option that expires before its future takes the future along."""
    written = two_futures(rollover_months=(2,)).chain("FEB", THU, [200], code="W").chain("FEB", "2020-02-14", [200])
    result = run(fixed(future(+2), call(offset=0, qty=-1)), written.market())
    assert trades(result) == [
        (MON, "FEB", 2.0, "open"),
        (MON, "CW.FEB.200", -1.0, "open"),
        (WED, "FEB", -2.0, "roll"),
        (WED, "CW.FEB.200", 1.0, "roll"),
        (WED, "FEB", 2.0, "roll"),
        (WED, "C.FEB.200", -1.0, "roll"),
    ]
    assert columns(result, "is_rollover", "nfutures_executed", "noptions_executed", "noptions_opened")[:3] == [
        (0, 2.0, 1.0, 1.0),
        (0, 0.0, 0.0, 1.0),
        (1, 4.0, 2.0, 1.0),
    ]


def test_the_hook_comes_after_the_roll_and_finds_the_series_flat():
    seen = []

    class Watch(Script):
        def open(self, session):
            seen.append(("open", str(session.date), session.rolled))
            session.trade(session.find(future(1)), 1.0)

        def manage(self, session):
            seen.append(("manage", str(session.date), session.rolled))

    run(Watch(), two_futures().market())
    assert seen == [
        ("open", MON, False),
        ("manage", TUE, False),
        ("manage", WED, False),
        ("open", THU, True),
        ("manage", FRI, False),
    ]


def test_executed_and_opened_are_sums_of_absolute_quantities_and_costs_follow():
    written = two_futures(cost_future=2.0, cost_option=0.5).chain("FEB", "2020-02-14", [190, 200, 210])
    both = {
        MON: lambda s: (buy("FEB", -2)(s), buy("JAN", 1)(s), buy("C.FEB.190", 3)(s), buy("P.FEB.210", -4)(s)),
        TUE: lambda s: (buy("FEB", 1)(s), buy("FEB", -1)(s), buy("C.FEB.190", -3)(s)),
    }
    result = play(written.market(), both, last=day(WED))
    names = ("nfutures_executed", "nfutures_opened", "noptions_executed", "noptions_opened", "costs")
    assert columns(result, *names) == [(3.0, 3.0, 7.0, 7.0, 9.5), (2.0, 3.0, 3.0, 4.0, 5.5), (0.0, 3.0, 0.0, 4.0, 0.0)]


def test_delta_is_the_sum_of_contract_deltas_times_quantity():
    market = two_futures().chain("FEB", "2020-02-14", [190]).market()
    result = play(market, {MON: lambda s: (buy("FEB", -2)(s), buy("C.FEB.190", 3)(s))}, last=day(TUE))
    for index, point in enumerate(result.points):
        assert point.delta == 3 * market.quote(market.number("C.FEB.190"), index)[1] - 2


@given(
    market=random_markets(days_before_expiration=0),
    orders=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 400), st.integers(-5, 5)), max_size=40),
)
def test_value_is_cash_and_market_value_less_costs(market, orders):
    """Any trades in any contracts: `exo` is what an account would hold, reckoned from the trade rows alone."""

    class Orders(Script):
        def open(self, session):
            for index, contract, qty in orders:
                if index == session.index:
                    session.trade(contract % len(session.market.names), float(qty))

        manage = open

    result = run(Orders(), market)
    rules, cash, held, rows = market.rules, 0.0, {}, list(result.trades)
    for point in result.points:
        index = market.dates.index(point.date)
        while rows and rows[0].date <= point.date:
            assert rows[0].date == point.date or rows[0].reason == "expiry"
            row = rows.pop(0)
            number = market.number(row.contract)
            is_future, settled = market.is_future(number), row.reason == "expiry"
            assert row.price == (market.settlement(number)[0] if settled else market.quote(number, index)[0])
            assert row.value == row.price * row.qty * (rules.point_value if is_future else rules.option_point_value)
            cash -= row.value
            if not settled:
                cash -= abs(row.qty) * (rules.cost_future if is_future else rules.cost_option)
            held[row.contract] = held.get(row.contract, 0.0) + row.qty
        worth = 0.0
        for name, qty in held.items():
            if qty:
                number = market.number(name)
                worth += market.quote(number, index)[0] * qty * market.point_value(number)
        assert point.exo == pytest.approx(cash + worth, rel=1e-9, abs=1e-6)
        assert point.nfutures_opened + point.noptions_opened == sum(map(abs, held.values()))
    assert all(row.reason == "expiry" for row in rows), "every other trade belongs to a point"
    assert sorted([*(p.date for p in result.points), *(date for date, _ in result.gaps)]) == market.dates


# -- gaps ---------------------------------------------------------------------------------------------------


def test_a_gap_leaves_no_point_no_trade_and_the_position_of_the_day_before():
    def fail(session):
        session.close("close")
        session.trade(session.market.number("FEB"), 5.0)
        session.memory["seen"] = "gap"
        session.warn("never kept")
        session.record(note=1)
        raise Gap("a quote is missing")

    steps = {MON: buy("JAN", 2.0), TUE: fail, WED: lambda s: None}
    result = play(two_futures(cost_future=1.0).market(), steps, last=day(WED))
    assert trades(result) == [(MON, "JAN", 2.0, "open")]
    assert result.gaps == [(day(TUE), "a quote is missing")]
    assert result.warnings == []
    assert columns(result, "date", "exo", "nfutures_executed", "nfutures_opened", "costs", "extra") == [
        (day(MON), -2.0, 2.0, 2.0, 2.0, None),
        (day(WED), 198.0, 0.0, 2.0, 0.0, None),
    ]
    assert result.state["memory"] == {}
    assert result.state["last_trade"] == MON
    assert result.state["holdings"] == [["JAN", 2.0, 10000.0, ""]]
    assert result.state["session"] == WED


@pytest.mark.parametrize("before", [{}, {"zone": "bullish"}])
def test_memory_is_that_of_the_day_before_after_a_gap(before):
    """Also when there was none yet, and also in the state that the caller gave."""

    def fail(session):
        session.memory["zone"] = "bearish"
        raise Gap("a quote is missing")

    steps = {MON: lambda s: s.memory.update(before), TUE: fail}
    market = two_futures().market()
    assert play(market, steps, last=day(WED)).state["memory"] == before
    state = play(market, steps, last=day(MON)).state
    assert play(market, steps, last=day(WED), state=state).state["memory"] == before
    assert state["memory"] == before


def test_a_gap_at_the_roll_keeps_the_position_and_the_roll_comes_at_the_next_session():
    """FEB has no bar on the day of the roll: the close is taken back as well."""
    written = Draft(days_before_expiration=1).future("JAN", FRI).future("FEB", "2020-02-21")
    written.bars("JAN", dict.fromkeys((MON, TUE, WED, THU, FRI), 100.0)).bar("FEB", FRI, 200.0)
    result = run(ContinuousFuture(), written.market())
    assert [str(date) for date, _ in result.gaps] == [THU]
    assert trades(result) == [(MON, "JAN", 1.0, "open"), (FRI, "JAN", -1.0, "roll"), (FRI, "FEB", 1.0, "roll")]
    assert [str(p.date) for p in result.points if p.is_rollover] == [FRI]


def test_an_option_kept_past_its_expiry_by_gaps_is_closed_at_its_payoff():
    """And not by the last price it had, nor by what it would be worth with time left; however long it takes."""
    dates = weekdays(MON, 30)
    written = Draft(days_before_expiration=1).future("F", "2020-06-19").chain("F", dates[3], [100])
    written.bars("F", {date: 110.0 + at for at, date in enumerate(dates)})

    def step(session):
        if dates[1] <= session.date < dates[25]:
            raise Gap("nothing to be had")

    steps = dict.fromkeys(dates, step) | {dates[0]: buy("C.F.100", 2.0)}
    result = play(written.market(), steps)
    assert [tuple(t)[:5] for t in result.trades][1:] == [(dates[25], 0, "C.F.100", -2.0, 35.0)]
    opened = result.trades[0].value
    assert result.points[1].date == dates[25]
    assert result.points[1].exo == pytest.approx(2 * 35.0 * 100.0 - opened, rel=1e-12)


def test_a_held_contract_that_loses_its_quote_makes_a_gap_that_names_it():
    """A quote never vanishes in the data at hand; a position restored onto less data is where it can."""
    full = two_futures().chain("FEB", "2020-02-14", [200])
    state = play(full.market(), {MON: buy("C.FEB.200")}, last=day(MON)).state
    less = two_futures().chain("FEB", "2020-02-14", [200], vol=None).market()
    result = play(less, state=state)
    assert [excerpt for _, excerpt in result.gaps[:1]] == [f"C.FEB.200 has no implied volatility dated before {TUE}"]
    assert result.points == []
    assert result.state["holdings"] == state["holdings"]


def test_without_a_future_or_a_chain_series_stay_flat_and_record_a_point():
    none = Draft(rollover_months=(12,)).future("JAN", FRI).bar("JAN", MON, 100.0).market()
    for algorithm in (ContinuousFuture(), fixed(put(offset=0, qty=1))):
        result = run(algorithm, none)
        assert columns(result, "exo", "delta", "nfutures_opened") == [(0.0, 0.0, 0.0)]
        assert (result.gaps, result.trades) == ([], [])
    assert columns(run(fixed(put(offset=0, qty=1)), two_futures().market()), "exo") == [(0.0,)] * 5


# -- what is given and what is raised -----------------------------------------------------------------------


def test_first_and_last_are_included():
    result = play(two_futures().market(), first=day(TUE), last=day(THU))
    assert [str(p.date) for p in result.points] == [TUE, WED, THU]


def test_nothing_to_compute_gives_the_state_back():
    market = two_futures().market()
    state = play(market).state
    again = play(market, state=state)
    assert (again.points, again.state) == ([], state)
    assert play(market, first=day("2021-01-04")).state is None


def test_a_days_own_columns_and_warnings_are_kept():
    def step(session):
        session.record(regime=1)
        session.warn("look at it")

    result = run(Script({TUE: step}, columns=("regime",)), two_futures().market(), last=day(WED))
    assert columns(result, "extra") == [(None,), ({"regime": 1},), (None,)]
    assert result.warnings == [(day(TUE), "look at it")]


def test_weekdays_since_the_last_trade():
    seen = {}
    dates = weekdays(THU, 4)  # Thursday, Friday, Monday, Tuesday
    written = Draft().future("F", "2020-06-19").bars("F", dict.fromkeys(dates, 100.0))
    steps = dict.fromkeys(dates, lambda s: seen.setdefault(s.date.strftime("%a"), s.weekdays_since_trade()))
    play(written.market(), steps | {dates[0]: buy("F")})
    assert seen == {"Fri": 1, "Mon": 2, "Tue": 3}


def test_a_mistake_in_an_algorithm_is_raised_with_its_name_and_the_date():
    def wrong(session):
        raise ZeroDivisionError("division by zero")

    with pytest.raises(
        AlgorithmError, match=rf"Script failed on {TUE} \(.*\): ZeroDivisionError: division by zero"
    ) as e:
        play(two_futures().market(), {TUE: wrong})
    assert isinstance(e.value.__cause__, ZeroDivisionError)


def test_a_series_that_is_needed_and_not_given_is_named():
    with pytest.raises(EngineError, match="SwingpointSpread reads XX_ContFut, which was not given"):
        run(SwingpointSpread(), two_futures().market())


def test_a_state_of_another_version_is_refused():
    market = two_futures().market()
    state = play(market, last=day(TUE)).state | {"version": 0}
    with pytest.raises(EngineError, match="of another version: compute the series from its start"):
        play(market, state=state)


def test_progress_is_told_and_may_stop_the_run():
    dates = weekdays("2018-01-01", 450)
    market = Draft().future("F", "2020-06-19").bars("F", dict.fromkeys(dates, 100.0)).market()
    reports = []
    play(market, on_session=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (450, 450)
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})
    assert len(reports) >= 3

    class Stop(Exception):
        pass

    def stop(done, total):
        raise Stop

    with pytest.raises(Stop):
        play(market, on_session=stop)


def test_a_signal_is_fed_up_to_and_including_the_session():
    """Points before the first session too, and days on which the series that is read has a gap bring nothing."""

    class Last:
        value = None
        seen = 0

        def update(self, value):
            self.value, self.seen = value, self.seen + 1

        def dump(self):
            return [self.value, self.seen]

        def load(self, state):
            self.value, self.seen = state

    class Reader(Script):
        columns = ("last",)

        def signals(self):
            return {"last": ("ContFut", Last())}

        def open(self, session):
            session.record(last=session.signal("last"))

    dates = ["2020-01-02", MON, WED, THU]
    read = History(np.array(dates, "datetime64[D]"), np.array([1.0, 2.0, 3.0, 4.0]))
    market = two_futures().market()
    assert Reader().needs() == ("ContFut",)
    result = run(Reader(), market, first=day(TUE), histories={"ContFut": read})
    assert [p.extra["last"] for p in result.points] == [2.0, 3.0, 4.0, 4.0]
    assert result.state["signals"]["last"] == {"until": THU, "state": [4.0, 4]}
    state = run(Reader(), market, last=day(TUE), histories={"ContFut": read}).state
    tail = History(read.dates[2:], read.values[2:])
    result = run(Reader(), market, state=state, histories={"ContFut": tail})
    assert [p.extra["last"] for p in result.points] == [3.0, 4.0, 4.0]
    assert result.state["signals"]["last"] == {"until": THU, "state": [4.0, 4]}


def test_the_history_of_a_series_ends_with_the_session():
    class Reader(Script):
        columns = ("seen",)
        reads = ("ContFut",)

        def open(self, session):
            history = session.history("ContFut")
            session.record(seen=history.values.tolist())

    dates = ["2020-01-03", MON, WED]
    read = History(np.array(dates, "datetime64[D]"), np.array([1.0, 2.0, 3.0]))
    assert Reader().needs() == ("ContFut",)
    result = run(Reader(), two_futures().market(), histories={"ContFut": read})
    assert [p.extra["seen"] for p in result.points] == [[1.0, 2.0], [1.0, 2.0], *[[1.0, 2.0, 3.0]] * 3]
    with pytest.raises(EngineError, match="Reader reads XX_ContFut, which was not given"):
        run(Reader(), two_futures().market())


def test_a_history_that_is_not_declared_is_refused():
    with pytest.raises(EngineError, match="series ContFut is not read: name it in the algorithm's `reads`"):
        play(two_futures().market(), {MON: lambda session: session.history("ContFut")})


def test_a_session_knows_the_nearest_futures_and_the_greeks_of_a_contract():
    seen = {}

    def look(session):
        seen["futures"] = [session.market.names[future] for future in session.futures]
        seen["greeks"] = session.greeks(session.futures[0])

    play(two_futures(futures_limit=1).market(), {TUE: look})
    assert seen == {"futures": ["JAN"], "greeks": (101.0, 1.0, 0.0, 0.0, 0.0)}


def test_dates_are_plain_dates_and_states_plain_json():
    result = run(ContinuousFuture(), two_futures().market())
    assert all(type(point.date) is dt.date for point in result.points)
    assert json.loads(json.dumps(result.state)) == result.state
