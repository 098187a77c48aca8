"""The current position of a series, and its statistics, from what is stored."""

import datetime as dt
import json
import math

import pytest

from algorithms.analysis import payoff
from algorithms.analysis.valuation import WhatIf
from exo_registry import market
from exo_registry.models import Definition, Gap, Product, Series
from exo_registry.series import performance, position
from exo_registry.series.assessment import assess_series
from tests.market.packs import changed, small_pack, write_pack
from tests.runs import markets

COLLAR = {
    "legs": [{"right": "F", "qty": 1}, {"right": "C", "qty": -1, "offset": 1}, {"right": "P", "qty": 1, "offset": 0}]
}
FIRST, LAST = dt.date(2020, 3, 2), dt.date(2020, 3, 4)


@pytest.fixture
def load(db, tmp_path):
    numbers = iter(range(100))

    def load(tables=None):
        folder = write_pack(tmp_path / f"pack{next(numbers)}", tables or small_pack())
        market.import_pack(folder, activate=True)

    return load


@pytest.fixture
def series(load, make_definition, compute):
    """ES_Cover: long future, short call one strike up, long put at the money. The first session is a gap: no
    volatility is known before it."""
    load()
    Product.objects.update(conventions="legacy")
    make_definition("Cover", "algorithms.fixed_legs.FixedLegs", parameters=COLLAR)
    compute(start=FIRST)
    return Series.objects.get(name="ES_Cover")


def test_rows_add_up_to_the_last_point(series):
    held = position.current(series)
    assert (held.series, held.currency, held.date) == ("ES_Cover", "USD", LAST)
    rows = held.as_dict()["rows"]
    assert [(row["contract"], row["qty"], row["strike"]) for row in rows] == [
        ("F.ESH20", 1.0, None),
        ("C.ESH20.3050", -1.0, 3050.0),
        ("P.ESH20.3000", 1.0, 3000.0),
    ]
    assert rows[0]["price"] == 3002.25
    assert rows[0]["average_price"] == 3001.25  # opened the session before
    assert rows[0]["profit"] == 50.0
    assert (rows[1]["volatility"], rows[1]["days"], rows[1]["expiry"]) == (0.25, 16, "2020-03-20")
    point = series.points.get(date=LAST)
    assert held.exo == pytest.approx(point.exo, abs=1e-9)
    assert held.now.position.delta == pytest.approx(point.delta, abs=1e-12)
    assert held.as_dict()["total"]["profit"] == pytest.approx(sum(row["profit"] for row in rows))


def test_a_collar_is_bounded_and_has_a_payoff(series):
    held = position.current(series)
    assert held.extremes.highest is not None
    assert held.extremes.highest - held.extremes.lowest == pytest.approx(50 * 50.0)  # the strikes are 50 apart
    assert len(held.break_evens) == 1
    assert len(held.payoff.prices) == len(held.payoff.at_expiry) == len(held.payoff.at_day)
    assert held.payoff.at_expiry[0] == pytest.approx(held.extremes.lowest)


def test_a_what_if_moves_the_position_and_leaves_now(series):
    now = position.current(series)
    moved = position.current(series, WhatIf(price=-30.0, vol=0.05, days=3))
    assert moved.now == now.now
    curve = payoff.profit(now.snapshot, now.snapshot.price - 30.0, days=3, vol=0.05)
    assert moved.after.profit == pytest.approx(float(curve))
    assert moved.after.profit != pytest.approx(now.now.profit)


def test_it_is_json(series):
    data = position.current(series).as_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["extremes"]["unbounded"] == []


def test_a_series_never_computed_has_no_position(load, make_definition, es):
    definition = make_definition("Cover")
    assert position.current(Series(definition=definition, product=es, name="ES_Cover")) is None


def test_a_flat_series(series):
    series.state = series.state | {"holdings": []}
    held = position.current(series)
    assert held.is_flat
    assert held.as_dict()["rows"] == []
    assert held.as_dict()["price"] is None


def test_after_an_import_it_is_valued_anew(series, load):
    before = position.current(series).now.lines[0].price
    tables = small_pack()
    row = next(
        at
        for at, bar in enumerate(tables["contracts_bars"])
        if bar["contractname"] == "F.ESH20" and bar["datetime"] == LAST.isoformat()
    )
    load(changed(tables, "contracts_bars", row, close="3010.0"))
    assert (before, position.current(series).now.lines[0].price) == (3002.25, 3010.0)


def test_what_is_gone_from_the_market_data_is_named(series):
    series.state = series.state | {"holdings": [["F.ESX99", 1.0, 0.0, "F"]]}
    with pytest.raises(position.PositionError, match=r"ES_Cover cannot be valued on 2020-03-04: .*F\.ESX99"):
        position.current(series)


# -- statistics -----------------------------------------------------------------------------------------------------


def test_statistics_of_a_stored_series(series):
    figures = performance.series_performance(series)
    assert (figures.points, figures.gaps, figures.first, figures.last) == (2, 1, dt.date(2020, 3, 3), LAST)
    assert (figures.capital, figures.capital_basis) == (3001.25 * 50, "notional")
    assert figures.profit == pytest.approx(series.last_exo)
    assert figures.total_return == pytest.approx(series.last_exo / (3001.25 * 50))
    assert (figures.trades, figures.contracts_traded, figures.in_market) == (3, 3.0, 1.0)
    assert figures.sharpe is None


def test_a_declared_capital_counts(series):
    series.definition.capital = 20_000.0
    figures = performance.series_performance(series)
    assert (figures.capital, figures.capital_basis) == (20_000.0, "declared")
    assert figures.total_return == pytest.approx(series.last_exo / 20_000.0)
    assert performance.series_performance(series, capital=10_000.0).capital == 10_000.0


def test_a_declared_capital_leaves_a_series_fresh(series):
    before = assess_series(series)
    Definition.objects.update(capital=20_000.0)
    after = assess_series(Series.objects.get(pk=series.pk))
    assert (after.state, list(after.causes)) == (before.state, [])


def test_what_comes_after_the_last_date_has_not_happened(series):
    cut = performance.series_performance(series, end=LAST - dt.timedelta(1))
    assert (cut.points, cut.gaps, cut.first, cut.last) == (1, 1, dt.date(2020, 3, 3), dt.date(2020, 3, 3))
    assert performance.series_performance(series, end=LAST) == performance.series_performance(series)
    for rows in (series.points, series.trades, series.gaps):
        rows.filter(date__gte=LAST).delete()
    assert performance.series_performance(series) == cut


def test_gaps_are_those_stored(series):
    Gap.objects.create(series=series, date=dt.date(2020, 3, 5), reason="no bar")
    assert performance.series_performance(series).gaps == 2


def test_a_series_never_computed_has_no_statistics(es, make_definition):
    make_definition("Other")
    series = Series.objects.get(name="ES_Other")
    figures = performance.series_performance(series)
    assert (figures.points, figures.profit, figures.capital, figures.months) == (0, None, None, [])


def test_future_prices_are_the_active_futures(series):
    prices = performance.future_prices(Product.objects.get(exchangesymbol="ES"))
    assert prices[LAST] == 3002.25
    assert all(math.isfinite(price) for price in prices.values())


def test_future_prices_over_many_rolls_are_of_their_day(make_product, tmp_path):
    product = make_product("NQ")
    days = markets.weekdays("2019-01-07", 300)
    markets.import_bars(tmp_path / "pack", "NQ", days)
    prices = performance.future_prices(product)
    assert list(prices) == days
    # A month's price is 3 points above that of the month before it.
    assert all(price in [markets.price(day, month) for month in range(1, 13)] for day, price in prices.items())


def test_without_market_data_there_is_no_default_capital(make_product):
    assert performance.future_prices(make_product("NQ")) == {}
