"""Series computed outside of exoweb: the same rows as the session loop's, as tables, and their statistics."""

import datetime as dt

import pandas as pd
import pytest

from algorithms import engine
from algorithms.analysis.statistics import performance
from algorithms.collar import BullishCollar
from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import Algorithm, AlgorithmError, EngineError, History, Parameters, future
from algorithms.fixed_legs import FixedLegs
from algorithms.notebook import Market, run
from algorithms.regime_spread import RegimeSpread, SwingpointSpread
from tests.engine.markets import Draft, random_market
from tests.paths import PACKS

ZONES = {"bullish": {"legs": [{"right": "F", "qty": 1}]}, "bearish": {"legs": [{"right": "F", "qty": -1}]}}


@pytest.fixture(scope="module")
def market() -> Market:
    """With gaps, rolls, and option trades."""
    return random_market(7, sessions=60, holes=0.05)


@pytest.fixture(scope="module")
def collar(market):
    return run(BullishCollar, market)


def test_the_rows_are_those_of_the_session_loop(market, collar):
    assert collar.result == engine.run(BullishCollar(), market)
    assert collar.result.trades
    assert collar.result.gaps


def test_a_path_parameters_direction_and_dates_are_as_in_a_definition(market):
    first, last = market.dates[10], market.dates[30]
    path = "algorithms.collar.BrokenWingCollar"
    series = run(path, market, {"bullish": [future(2)]}, direction="bullish", first=str(first), last=last)
    direct = run(FixedLegs, market, {"legs": [future(2)]}, first=first, last=str(last))
    assert series.result.points == direct.result.points
    assert (series.result.points[0].date, series.result.points[-1].date) == (first, last)


def test_tables_have_a_row_a_point_trade_gap_and_contract_held(market, collar):
    assert collar.points.index.tolist() == [pd.Timestamp(point.date) for point in collar.result.points]
    assert collar.points["exo"].tolist() == [point.exo for point in collar.result.points]
    assert list(zip(collar.trades.contract, collar.trades.qty, strict=True)) == [
        (trade.contract, trade.qty) for trade in collar.result.trades
    ]
    assert list(zip(collar.gaps.index.date, collar.gaps.reason, strict=True)) == collar.result.gaps
    held = collar.positions.qty.abs().groupby(level="date").sum().reindex(collar.points.index, fill_value=0.0)
    opened = collar.points.nfutures_opened + collar.points.noptions_opened
    assert held.tolist() == opened.tolist()
    last = collar.positions.loc[[collar.points.index[-1]]]
    assert last[["contract", "qty", "cost", "leg"]].to_numpy().tolist() == collar.result.state["holdings"]


def test_what_an_algorithm_records_is_among_the_columns(market):
    series = run(SwingpointSpread, market, ZONES)
    assert series.points.columns[-1] == "regime"
    assert set(series.points.regime.dropna()) <= {-1, 0, 1}


def test_tables_of_nothing_have_their_columns():
    series = run(ContinuousFuture, Draft().future("FH", "2020-03-20").bar("FH", "2020-03-19", 100.0).market())
    assert series.trades.empty
    assert {"contract", "qty", "price", "value"} <= set(series.trades.columns)
    assert series.positions.columns.tolist() == ["contract", "qty", "cost", "leg"]
    assert series.gaps.columns.tolist() == ["reason"]


def test_signals_follow_the_continuous_future_unless_another_is_named(market):
    followed = run(ContinuousFuture, market).points["exo"]
    history = History(followed.index.to_numpy("datetime64[D]"), followed.to_numpy())
    algorithm = SwingpointSpread(SwingpointSpread.Parameters.model_validate(ZONES))
    expected = engine.run(algorithm, market, histories={"ContFut": history})
    assert run(SwingpointSpread, market, ZONES).result == expected
    assert run(SwingpointSpread, market, ZONES, reads={"ContFut": BullishCollar}).result != expected
    with pytest.raises(EngineError, match="XX_ContFut, which was not given"):
        run(SwingpointSpread, market, ZONES, reads={})


def test_statistics_are_those_of_the_rows(market, collar):
    by_tables = performance(
        collar.points.reset_index(), collar.trades.reset_index(), gaps=collar.gaps.index.date, capital=10_000.0
    )
    assert run(BullishCollar, market, capital=10_000.0).statistics == by_tables
    prices = [market.future_price(market.active(session)[0], session) for session in range(len(market.dates))]
    assert 0 < collar.statistics.capital <= max(prices) * market.rules.point_value
    assert collar.statistics.capital_basis == "notional"
    with pytest.raises(ValueError, match="capital must be above zero"):
        _ = run(BullishCollar, market, capital=0.0).statistics


def test_costs_take_the_place_of_the_products(market):
    free = run(BullishCollar, market, costs=engine.Costs(0.0, 0.0))
    assert free.points.costs.sum() == 0.0
    dear = run(BullishCollar, market, costs=engine.Costs(10.0, 10.0))
    assert dear.statistics.costs == 10.0 * dear.statistics.contracts_traded


@pytest.mark.parametrize(
    ("algorithm", "named", "message"),
    [
        ("algorithms.collar.Nothing", {}, "algorithms.collar.Nothing cannot be imported"),
        ("algorithms.nowhere.Thing", {}, "algorithms.nowhere.Thing cannot be imported"),
        ("collar", {}, "collar cannot be imported"),
        ("algorithms.engine.Leg", {}, "algorithms.engine.Leg is no algorithm"),
        (Algorithm, {}, "Algorithm is a base"),
        (RegimeSpread, {}, "RegimeSpread is a base"),
        (BullishCollar, {"parameters": {"lags": []}}, "lags"),
        (FixedLegs, {}, "legs"),
        ("algorithms.collar.BrokenWingCollar", {}, "no direction ''"),
        (BullishCollar, {"first": "yesterday"}, "yesterday"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(market, algorithm, named, message):
    with pytest.raises(ValueError, match=message):
        run(algorithm, market, **named)


def test_a_market_without_sessions_is_refused():
    with pytest.raises(EngineError, match="XX has no session"):
        run(ContinuousFuture, Draft().future("FH", "2020-03-20").market())


class Mistaken(Algorithm[Parameters]):
    def open(self, session):
        raise ZeroDivisionError


def test_a_mistake_in_the_algorithm_is_told_with_its_place(market):
    with pytest.raises(AlgorithmError, match=r"Mistaken failed on .*test_notebook.py, line \d+"):
        run(Mistaken, market)


def test_a_pack_is_enough():
    series = run("algorithms.collar.BullishCollar", Market.from_pack(PACKS / "spx_2018", "SPX"))
    assert series.statistics.first >= dt.date(2018, 1, 1)
    assert "BullishCollar on SPX" in repr(series)
