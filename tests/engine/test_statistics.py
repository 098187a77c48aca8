"""Statistics: against an independent library on 1,000 random series, and by hand where it has no word to say."""

import dataclasses
import datetime as dt

import empyrical
import numpy as np
import pandas as pd
import pytest

from algorithms.analysis import statistics
from algorithms.analysis.statistics import performance
from tests.engine.markets import weekdays

CASES = 1000
NO_TRADES = {"date": [], "contract": [], "qty": [], "value": []}
CAPITAL = 50_000.0
DATES = weekdays("2020-01-01", 600)
TOLERANCE = 1e-9  # relative; the two add up in different orders


def points(exo, dates=None, opened=None, costs=None, stale=None):
    dates = DATES[: len(exo)] if dates is None else dates
    return {
        "date": dates,
        "exo": list(exo),
        "nfutures_opened": [1.0] * len(exo) if opened is None else opened,
        "noptions_opened": [0.0] * len(exo),
        "costs": [0.0] * len(exo) if costs is None else costs,
        "stale_days": [0] * len(exo) if stale is None else stale,
    }


def trades(*rows):
    """(date, contract, qty, value)"""
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return dict(zip(("date", "contract", "qty", "value"), map(list, columns), strict=True))


def random_series(rng):
    """A walk that starts at zero: most of two years, some short, some flat at times, some nearly without losses."""
    count = int(rng.integers(5, 600))
    changes = rng.normal(rng.normal(0, 40), rng.uniform(50, 900), count)
    if rng.random() < 0.3:
        changes[rng.random(count) < 0.4] = 0.0
    if rng.random() < 0.2:
        changes = np.abs(changes) * np.where(rng.random(count) < 0.03, -1, 1)
    return np.concatenate(([0.0], np.cumsum(changes)))


def test_agrees_with_an_independent_library():
    """Statistics of simple returns as they are. Totals, drawdown and months, which it compounds, through logarithms:
    a compounded return of exp(change / capital) - 1 a session is an added one of change / capital."""
    rng = np.random.default_rng(2020)
    for case in range(CASES):
        exo = random_series(rng)
        figures = performance(points(exo), NO_TRADES, capital=CAPITAL)
        dates = pd.DatetimeIndex(DATES[1 : len(exo)])
        returns = pd.Series(np.diff(exo) / CAPITAL, dates)
        compounded = np.expm1(returns)
        wanted = {
            "volatility": empyrical.annual_volatility(returns),
            "sharpe": empyrical.sharpe_ratio(returns),
            "sortino": empyrical.sortino_ratio(returns),
            "total_return": np.log1p(empyrical.cum_returns_final(compounded)),
            "drawdown_return": -np.log1p(empyrical.max_drawdown(compounded)),
        }
        for name, value in wanted.items():
            ours = getattr(figures, name)
            if ours is None:
                assert not np.isfinite(value), name
            else:
                assert ours == pytest.approx(value, rel=TOLERANCE, abs=1e-12), name
        if case % 10:  # pandas takes its time over months
            continue
        months = np.log1p(empyrical.aggregate_returns(compounded, "monthly")) * CAPITAL
        listed = [change for row in figures.months for change in row.months if change is not None]
        assert listed == pytest.approx(months.to_list(), rel=TOLERANCE, abs=1e-6)


@pytest.mark.parametrize("seed", range(50))
def test_drawdown_dates_by_brute_force(seed):
    exo = random_series(np.random.default_rng(seed)).round(0)
    table = points(exo)
    figures = performance(table, NO_TRADES)
    falls = [(max(exo[: at + 1]) - value, at) for at, value in enumerate(exo)]
    fall, trough = max(falls, key=lambda pair: (pair[0], -pair[1]))
    assert figures.max_drawdown == fall
    if not fall:
        assert (figures.peak, figures.trough, figures.recovery) == (None, None, None)
        return
    assert figures.trough == table["date"][trough]
    peak = table["date"].index(figures.peak)
    assert exo[peak] == max(exo[: trough + 1])
    assert all(value < exo[peak] for value in exo[peak + 1 : trough + 1])
    after = [date for date, value in zip(table["date"][trough:], exo[trough:], strict=True) if value >= exo[peak]]
    assert figures.recovery == (after[0] if after else None)


def test_by_hand():
    # A year and a day of calendar time between the first and the last point.
    dates = list(map(dt.date.fromisoformat, ("2020-01-31", "2020-02-03", "2020-02-28", "2020-03-31", "2021-01-31")))
    figures = performance(points([0, 300, 100, 400, 500], dates), NO_TRADES, capital=1000.0)
    assert figures.years == pytest.approx(366 / 365.25)
    assert figures.profit == 500
    assert figures.total_return == 0.5
    assert figures.annual_return == pytest.approx(0.5 / (366 / 365.25))
    assert (figures.max_drawdown, figures.drawdown_return) == (200, 0.2)
    assert (figures.peak, figures.trough, figures.recovery) == (dates[1], dates[2], dates[3])
    assert figures.calmar == pytest.approx(figures.annual_return / 0.2)
    assert figures.hit_rate == 0.75
    assert figures.best == (dates[1], 300, 1)
    assert figures.worst == (dates[2], -200, 1)
    changes = [300, -200, 300, 100]
    assert figures.annual_deviation == pytest.approx(np.std(changes, ddof=1) * np.sqrt(252))
    assert figures.sharpe == pytest.approx(125 / np.std(changes, ddof=1) * np.sqrt(252))
    assert figures.sortino == pytest.approx(125 / 100 * np.sqrt(252))  # one loss of 200 in four sessions
    assert [row.year for row in figures.months] == [2020, 2021]
    assert figures.months[0].months == [0, 100, 300] + [None] * 9
    assert figures.months[1] == (2021, [100] + [None] * 11, 100, 1000.0, 0.1)


# -- what is missing ------------------------------------------------------------------------------------------------


def test_no_points():
    figures = performance(points([]), NO_TRADES, capital=1000.0)
    assert figures == statistics.Performance(capital=1000.0, capital_basis="declared")
    assert figures.profit is None
    assert figures.sharpe is None
    assert figures.in_market is None


def test_one_point():
    figures = performance(points([-5.0], costs=[5.0]), NO_TRADES, capital=1000.0)
    assert (figures.points, figures.profit, figures.total_return, figures.costs) == (1, -5.0, -0.005, 5.0)
    kept = {"points", "gaps", "changes_over_gaps", "first", "last", "capital", "profit", "total_return", "months"}
    kept |= {"trades", "contracts_traded", "in_market", "costs", "capital_basis", "stale_sessions", "oldest_bar"}
    for name in {field.name for field in dataclasses.fields(figures)} - kept:
        assert getattr(figures, name) is None, name


def test_two_points_have_one_change_and_no_deviation():
    figures = performance(points([0.0, 10.0]), NO_TRADES)
    assert (figures.profit, figures.hit_rate, figures.max_drawdown) == (10.0, 1.0, 0.0)
    assert (figures.annual_deviation, figures.sharpe, figures.sortino, figures.calmar, figures.worst) == (None,) * 5


def test_a_flat_series_has_no_ratios():
    figures = performance(points([0.0] * 10, opened=[0.0] * 10), NO_TRADES, capital=1000.0)
    assert (figures.profit, figures.volatility, figures.max_drawdown, figures.in_market) == (0.0, 0.0, 0.0, 0.0)
    assert (figures.sharpe, figures.sortino, figures.calmar, figures.hit_rate, figures.best, figures.worst) == (
        None,
    ) * 6


def test_without_capital_the_rest_is_there():
    exo = random_series(np.random.default_rng(1))
    with_it, without = (performance(points(exo), NO_TRADES, capital=capital) for capital in (1000.0, None))
    for name in ("total_return", "annual_return", "mean_return", "volatility", "drawdown_return", "turnover"):
        assert getattr(without, name) is None
    for name in ("profit", "sharpe", "sortino", "calmar", "max_drawdown", "hit_rate", "annual_deviation"):
        assert getattr(without, name) == getattr(with_it, name)


@pytest.mark.parametrize("capital", [0.0, -1.0, float("nan")])
def test_a_capital_is_above_zero(capital):
    with pytest.raises(ValueError, match="above zero"):
        performance(points([0, 1]), NO_TRADES, capital=capital)


def test_a_month_without_points_is_empty_and_the_next_has_what_happened():
    dates = [dt.date(2020, 1, 30), dt.date(2020, 1, 31), dt.date(2020, 3, 2), dt.date(2020, 3, 31)]
    (row,) = performance(points([0, 5, 25, 20], dates), NO_TRADES).months
    assert row.months == [5, None, 15] + [None] * 9
    assert row.total == 20


# -- a part of the series -------------------------------------------------------------------------------------------


def test_from_a_date_on():
    dates = weekdays("2020-01-01", 6)
    table = points([0, 100, 50, 80, 60, 90], dates, opened=[1, 1, 1, 0, 0, 1], costs=[1, 2, 4, 8, 16, 32])
    made = trades((dates[0], "F1", 1, 100.0), (dates[3], "F1", -1, -120.0), (dates[5], "F2", 1, 140.0))
    figures = performance(table, made, start=dates[3], gaps=[dates[0] - dt.timedelta(1)], capital=100.0)
    assert (figures.first, figures.last, figures.points, figures.gaps) == (dates[3], dates[5], 3, 0)
    assert figures.profit == 40  # from 50, the point before
    assert (figures.best, figures.worst) == ((dates[3], 30, 1), (dates[4], -20, 1))
    assert (figures.max_drawdown, figures.peak, figures.trough) == (20, dates[3], dates[4])
    assert figures.costs == 56
    assert figures.in_market == pytest.approx(1 / 3)
    assert (figures.trades, figures.contracts_traded, figures.average_holding) == (2, 2, (dates[3] - dates[0]).days)
    assert figures.months[0].months[0] == 40
    assert figures.years == pytest.approx((dates[5] - dates[2]).days / 365.25)


def test_from_a_date_after_the_last_point():
    figures = performance(points([0, 1]), NO_TRADES, start=dt.date(2030, 1, 1))
    assert figures.points == 0
    assert figures.profit is None


# -- trades ---------------------------------------------------------------------------------------------------------

DAY = [dt.date(2020, 1, 1) + dt.timedelta(days) for days in range(40)]


def test_average_holding_is_first_in_first_out():
    made = trades((DAY[0], "A", 2, 0), (DAY[10], "A", 1, 0), (DAY[20], "A", -2.5, 0), (DAY[30], "B", -1, 0))
    # 2 lots for 20 days, half a lot for 10; half of A and all of B are still open.
    assert statistics.average_holding(made) == pytest.approx((2 * 20 + 0.5 * 10) / 2.5)


def test_average_holding_of_a_trade_through_zero():
    made = trades((DAY[0], "A", 1, 0), (DAY[4], "A", -3, 0), (DAY[10], "A", 2, 0))
    assert statistics.average_holding(made) == pytest.approx((1 * 4 + 2 * 6) / 3)


def test_average_holding_without_a_closed_lot():
    assert statistics.average_holding(trades((DAY[0], "A", 1, 0))) is None
    assert statistics.average_holding(NO_TRADES) is None


def test_turnover_is_half_the_value_traded_by_year_on_the_capital():
    dates = [dt.date(2019, 1, 1), dt.date(2021, 1, 1)]
    made = trades((dates[0], "A", 1, 5000.0), (dates[1], "A", -1, -6000.0))
    figures = performance(points([0, 1000], dates), made, capital=5000.0)
    assert figures.turnover == pytest.approx(5500 / 5000 / (731 / 365.25))


def test_columns_may_be_a_frame():
    exo = random_series(np.random.default_rng(5))
    made = trades((DAY[0], "A", 1, 5.0), (DAY[3], "A", -1, -6.0))
    frames = performance(pd.DataFrame(points(exo)), pd.DataFrame(made), capital=10.0)
    assert frames == performance(points(exo), made, capital=10.0)
    empty = performance(pd.DataFrame(points([])), pd.DataFrame(NO_TRADES))
    assert empty.points == 0


def test_every_statistic_is_defined():
    described = {"points", "gaps", "changes_over_gaps", "first", "last", "years", "capital_basis"}
    fields = {field.name for field in dataclasses.fields(statistics.Performance)}
    assert set(statistics.DEFINITIONS) == fields - described
