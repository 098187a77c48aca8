"""No strategy that ships looks ahead; the proof catches those that do."""

import datetime as dt
import random
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import Algorithm, EngineError, History, Market, QuoteMissing
from algorithms.engine.lookahead import AGAIN, CUT, NOISE, RESUMED, market_until, market_with_noise_after, prove
from algorithms.engine.tables import day_number
from algorithms.regime_spread import RegimeSpread, SwingpointSpread
from tests.engine.markets import Draft, day, random_market, random_markets, weekdays
from tests.engine.parameters import shipped, strategies

READS = {"ContFut": lambda market, histories: ContinuousFuture()}


def proof(algorithm, market: Market, known, reads=READS):
    return prove(lambda market, histories: algorithm(), market, known, reads=reads)


# -- markets with another future ----------------------------------------------------------------------------


def known_rows(market: Market, date: dt.date) -> list[list[tuple]]:
    """Bars, volatilities and rates that a valuation on `date` or before may use, each as plain rows."""
    _, bars, _, vols, rates, _ = market.tables()
    decision, today = 14 * 3600 + 45 * 60, day_number(date)
    quoted = zip(bars.future.tolist(), bars.day.tolist(), bars.second.tolist(), bars.close.tolist(), strict=True)
    by_option = zip(vols.option.tolist(), vols.day.tolist(), vols.vol.tolist(), strict=True)
    return [
        [row for row in quoted if row[1] < today or (row[1] == today and row[2] <= decision)],
        [row for row in by_option if row[1] < today],
        [row for row in zip(rates.day.tolist(), rates.rate.tolist(), strict=True) if row[0] < today],
    ]


def all_rows(market: Market) -> list[list[tuple]]:
    return known_rows(market, dt.date(2100, 1, 1))


@given(market=random_markets(), where=st.floats(0, 1, exclude_max=True))
def test_a_cut_market_holds_what_was_known_and_nothing_else(market, where):
    date = market.dates[int(where * len(market.dates))]
    assert all_rows(market_until(market, date)) == known_rows(market, date)


@given(market=random_markets(), where=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 99))
def test_a_noisy_market_differs_in_every_quote_that_was_not_known_and_in_no_other(market, where, seed):
    date = market.dates[int(where * len(market.dates))]
    noisy = market_with_noise_after(market, date, np.random.default_rng(seed))
    known = known_rows(market, date)
    assert known_rows(noisy, date) == known
    assert noisy.dates == market.dates
    for before, after, kept in zip(all_rows(market), all_rows(noisy), known, strict=True):
        assert [row[:-1] for row in before] == [row[:-1] for row in after]
        changed = [old for old, new in zip(before, after, strict=True) if old != new]
        assert sorted(changed) == sorted(set(before) - set(kept))


# -- what ships ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", shipped(), ids=lambda a: a.__name__)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data(), market=random_markets())
def test_no_strategy_that_ships_looks_ahead(algorithm, data, market):
    made = data.draw(strategies(algorithm), label="parameters and direction")
    known = data.draw(st.sets(st.sampled_from(market.dates), min_size=1, max_size=4), label="known")
    assert proof(lambda: algorithm(*made), market, known) == []


# -- what peeks ---------------------------------------------------------------------------------------------


class Trader(Algorithm):
    """Holds one active future, long or short as it sees fit each day."""

    def wants(self, session) -> float:
        raise NotImplementedError

    def open(self, session):
        session.close()
        session.trade(session.future, self.wants(session))

    manage = open


class TomorrowsPrice(Trader):
    """Buys what will rise."""

    def wants(self, session):
        market, index = session.market, session.index
        if index + 1 == len(market.dates):
            return 1.0
        return 1.0 if market.quote(session.future, index + 1)[0] > session.price(session.future) else -1.0


class TodaysEveningBar(Trader):
    """Reads the bars themselves, and takes the day's last one, which comes after the decision time."""

    def wants(self, session):
        _, bars, _, _, _, _ = session.market.tables()
        mine = (bars.future == session.future) & (bars.day == day_number(session.date))
        last = bars.close[mine][np.argmax(bars.second[mine])]
        return 1.0 if last > session.price(session.future) else -1.0


class TodaysVolatility(Trader):
    """Goes long when an option's volatility rises today: a record that is known tomorrow."""

    def wants(self, session):
        _, _, _, vols, _, _ = session.market.tables()
        upto = vols.day <= day_number(session.date)
        return 1.0 if upto.any() and vols.vol[upto][vols.day[upto].argmax()] > 0.25 else -1.0


class FutureVolatility(Trader):
    """Sizes by the mean of all volatilities there will ever be."""

    def wants(self, session):
        _, _, _, vols, _, _ = session.market.tables()
        return round(float(vols.vol.mean()), 6)


class TomorrowsRate(Trader):
    def wants(self, session):
        rates = session.market.rates
        return 1.0 + float(rates[min(session.index + 1, len(rates) - 1)])


class WholeSample(Trader):
    """The commonest mistake: today's price against the mean of the whole sample."""

    def wants(self, session):
        prices = np.array(session.market.track(session.future, session.index).prices)
        return 1.0 if session.price(session.future) < np.nanmean(prices) else -1.0


class LastDayKnown(Trader):
    """Is out of the market when the data end: knows where they end."""

    def wants(self, session):
        return 1.0 if session.date < session.market.dates[-1] else 2.0


class Oracle:
    """A signal that was given the whole series, and tells whether the next point is higher."""

    def __init__(self, history: History | None):
        self.values = history.values.tolist() if history else []
        self.at, self.value = 0, None

    def update(self, value):
        self.at += 1
        self.value = 1 if self.at < len(self.values) and self.values[self.at] > value else -1

    def dump(self):
        return [self.at, self.value]

    def load(self, state):
        self.at, self.value = state


class NonCausalSignal(RegimeSpread):
    """Takes the history that it will be fed at its construction."""

    history: History | None = None

    def make_signal(self):
        return Oracle(self.history)


class ArrayAtConstruction(Trader):
    """Looks at the whole history array when it is made, and sizes by its mean."""

    def __init__(self, history: History | None):
        super().__init__()
        self.size = 1.0 if history is None else round(float(history.values.mean()), 6)

    def needs(self):
        return ("ContFut",)

    def wants(self, session):
        return self.size


LEGS = {
    "bullish": {"legs": [{"right": "F", "qty": 1}]},
    "bearish": {"legs": [{"right": "F", "qty": -1}]},
}


def non_causal(market, histories):
    made = NonCausalSignal(NonCausalSignal.Parameters.model_validate(LEGS))
    made.history = histories.get("ContFut")
    return made


PEEKING = {
    "tomorrow's price": lambda market, histories: TomorrowsPrice(),
    "a bar after the decision time": lambda market, histories: TodaysEveningBar(),
    "today's volatility": lambda market, histories: TodaysVolatility(),
    "future volatility": lambda market, histories: FutureVolatility(),
    "tomorrow's rate": lambda market, histories: TomorrowsRate(),
    "mean of the whole sample": lambda market, histories: WholeSample(),
    "where the data end": lambda market, histories: LastDayKnown(),
    "a signal that is not causal": non_causal,
    "the whole history at construction": lambda market, histories: ArrayAtConstruction(histories.get("ContFut")),
}


@pytest.mark.parametrize("name", PEEKING)
def test_peeking_is_caught(name):
    """On every one of some markets; the dates tried are few, and the last one has no future to look at."""
    for seed in range(5):
        market = random_market(seed, sessions=50, holes=0.0)
        findings = prove(PEEKING[name], market, market.dates[20::2], reads=READS)
        assert findings, f"{name} was not noticed on market {seed}"
        assert {f.experiment for f in findings} <= {CUT, NOISE}
        assert all(f.date is None or f.date <= f.known for f in findings)


@pytest.mark.parametrize(("name", "experiment"), [("future volatility", NOISE), ("where the data end", CUT)])
def test_the_experiments_are_each_needed(name, experiment):
    """Noise alone would miss where the data end; both see the rest. A finding says what differs, when, and how."""
    market = random_market(7, sessions=50, holes=0.0)
    findings = prove(PEEKING[name], market, market.dates[20:22], reads=READS)
    mine = [finding for finding in findings if finding.experiment == experiment]
    assert [finding.known for finding in mine] == market.dates[20:22]
    assert "not known on" in str(mine[0])
    assert str(mine[0].date) in str(mine[0])
    assert "trade 0" in mine[0].difference or "point" in mine[0].difference


def test_a_peek_in_a_series_that_is_read_is_caught():
    """The spread itself is innocent: the ContFut that it follows knows the whole sample."""
    market = random_market(3, sessions=50, holes=0.0)
    spread = SwingpointSpread.Parameters.model_validate(LEGS | {"high_threshold": 0, "low_threshold": 0})
    factory = lambda market, histories: SwingpointSpread(spread)  # noqa: E731
    assert prove(factory, market, market.dates[10:50:5], reads=READS) == []
    peeking = {"ContFut": lambda market, histories: WholeSample()}
    assert prove(factory, market, market.dates[10:50:5], reads=peeking)


def test_a_strategy_that_fails_without_the_future_is_a_finding():
    class Reckless(Trader):
        def wants(self, session):
            session.market.quote(session.future, session.index + 1)
            return 1.0

    dates = weekdays("2020-01-06", 10)
    market = Draft().future("F", "2020-06-19").bars("F", dict.fromkeys(dates, 100.0)).market()
    findings = proof(Reckless, market, [day("2020-01-10")])
    assert [(f.experiment, f.date) for f in findings] == [(CUT, None)]
    assert "the strategy fails (Reckless failed on 2020-01-10 (" in str(findings[0])
    assert "IndexError" in str(findings[0])


@pytest.mark.parametrize("kind", ["chance", "left behind"])
def test_a_strategy_that_depends_on_something_else_is_told_apart(kind):
    chance, times = random.Random(1), count()

    class Chance(Trader):
        def wants(self, session):
            return chance.uniform(1, 2) if kind == "chance" else 1.0 + next(times)

    market = random_market(1, sessions=20, holes=0.0)
    findings = proof(Chance, market, [market.dates[10]])
    assert findings[0].experiment == AGAIN
    assert "a second time on the same data" in str(findings[0])


def test_a_strategy_that_keeps_what_a_state_cannot_carry_is_told():
    """A run that goes on from the stored state would otherwise differ from one that was never interrupted."""

    class Counter(Trader):
        count = 0

        def wants(self, session):
            self.count += 1
            return float(self.count)

    market = random_market(1, sessions=20, holes=0.0)
    findings = proof(Counter, market, [market.dates[10], market.dates[15]])
    assert [f.experiment for f in findings] == [RESUMED]
    assert f"when interrupted after {market.dates[8]} and resumed from the stored state" in str(findings[0])
    assert findings[0].date == market.dates[9]


def test_a_gap_or_a_trade_that_comes_and_goes_is_a_difference_in_words():
    class GapIfItEnds(Trader):
        def wants(self, session):
            if session.index + 1 == len(session.market.dates):
                raise QuoteMissing("the end")
            return 1.0

    market = Draft().future("F", "2020-06-19").bars("F", dict.fromkeys(weekdays("2020-01-06", 5), 100.0)).market()
    findings = proof(GapIfItEnds, market, [day("2020-01-08")])
    assert [str(f) for f in findings] == [
        "2020-01-08: point exo (0.0) is not there without what was not known on 2020-01-08"
    ]


def test_a_day_that_begins_after_its_decision_time_is_no_reproach():
    """All bars of the Tuesday come in the evening: at its decision time there is no such session yet."""
    dates = weekdays("2020-01-06", 5)
    written = Draft().future("F", "2020-06-19").bars("F", dict.fromkeys([dates[0], *dates[2:]], 100.0))
    market = written.bar("F", dates[1], 101.0, "16:00").market()
    assert dates[1] in market.dates
    assert proof(ContinuousFuture, market, dates) == []


def test_nothing_to_try_and_nothing_to_read():
    market = random_market(1, sessions=20)
    assert proof(ContinuousFuture, market, []) == []
    with pytest.raises(EngineError, match="SwingpointSpread reads XX_ContFut, which was not given"):
        proof(SwingpointSpread, market, market.dates[5:6], reads={})


def test_series_that_need_each_other_are_refused():
    class Reader(SwingpointSpread):
        pass

    circle = {"ContFut": lambda market, histories: Reader()}
    market = random_market(1, sessions=20)
    with pytest.raises(EngineError, match="ContFut needs itself"):
        proof(SwingpointSpread, market, market.dates[5:6], reads=circle)
