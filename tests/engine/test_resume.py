"""A series computed in one go, day by day and interrupted anywhere has the same rows, to the last bit."""

import json
import math

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import History, Market, Result, run
from algorithms.engine.lookahead import market_until
from tests.engine.markets import history, random_markets
from tests.engine.parameters import shipped, strategies

slow = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def fresh(market: Market) -> Market:
    """The same market with nothing valued yet."""
    return Market(market.rules, *market.tables())


def stored(state: dict | None) -> dict | None:
    """A state as it comes back from the database."""
    return json.loads(json.dumps(state, allow_nan=False))


def joined(results: list[Result]) -> Result:
    whole = Result()
    for part in results:
        for name in ("points", "trades", "gaps", "warnings"):
            getattr(whole, name).extend(getattr(part, name))
        whole.state = part.state
    return whole


def bits(result: Result) -> list[str]:
    """Everything said, line by line. `repr` gives every bit of a float, its sign of zero and its type."""
    assert all(math.isfinite(point.exo) and math.isfinite(point.delta) for point in result.points)
    lines = [*result.points, *result.trades, *result.gaps, *result.warnings, stored(result.state)]
    return [repr(line) for line in lines]


def after(read: History, date) -> History:
    """The points that a run from a state of `date` on is given: none that the state has seen."""
    newer = read.dates > date
    return History(read.dates[newer], read.values[newer])


@pytest.mark.parametrize("algorithm", shipped(), ids=lambda a: a.__name__)
@slow
@given(data=st.data(), market=random_markets())
def test_in_one_go_day_by_day_and_cut_anywhere_are_the_same(algorithm, data, market):
    assume(market.dates)
    made = data.draw(strategies(algorithm), label="parameters and direction")
    read = history(run(ContinuousFuture(), market))
    whole = run(algorithm(*made), fresh(market), histories={"ContFut": read})
    expected = bits(whole)

    daily, state = [], None
    for date in market.dates:
        known = market_until(market, date)
        if not known.dates or known.dates[-1] != date:
            continue  # a session without data: it is seen to be one when later bars come
        seen = history(run(ContinuousFuture(), known))
        if state is not None:
            seen = after(seen, seen.dates.dtype.type(state["session"], "D"))
        daily.append(run(algorithm(*made), known, last=date, state=stored(state), histories={"ContFut": seen}))
        state = daily[-1].state
    daily.append(run(algorithm(*made), fresh(market), state=stored(state), histories={"ContFut": read}))
    assert bits(joined(daily)) == expected

    stops = data.draw(st.sets(st.integers(0, len(market.dates) - 1), max_size=4), label="interrupted after")
    parts, state = [], None
    for last in [market.dates[stop] for stop in sorted(stops)] + [None]:
        parts.append(run(algorithm(*made), fresh(market), last=last, state=stored(state), histories={"ContFut": read}))
        state = parts[-1].state
    assert bits(joined(parts)) == expected


@slow
@given(market=random_markets(), start=st.integers(0, 59), order=st.permutations(shipped()))
def test_series_of_one_market_do_not_mind_each_other(market, start, order):
    """They share the values that a market keeps: computing others first, or from another day, changes nothing."""
    read = {"ContFut": history(run(ContinuousFuture(), market))}
    first = market.dates[start % len(market.dates)]
    algorithms = [a for a in order if all(not f.is_required() for f in a.Parameters.model_fields.values())]
    for algorithm in algorithms:
        direction = sorted(algorithm.directions)[0]
        run(algorithm(None, direction), market, first=first, histories=read)
    for algorithm in algorithms:
        direction = sorted(algorithm.directions)[0]
        shared = run(algorithm(None, direction), market, histories=read)
        assert bits(shared) == bits(run(algorithm(None, direction), fresh(market), histories=read))
