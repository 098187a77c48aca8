"""The capital that returns are on: the notional at the start of each year, or a declared one."""

import datetime as dt
import itertools

import numpy as np
import pytest

from algorithms.analysis.capital import yearly_notional
from algorithms.analysis.statistics import performance
from tests.engine.test_statistics import NO_TRADES, points, trades

NEW_YEAR = [dt.date(2019, 12, 30), dt.date(2019, 12, 31), dt.date(2020, 1, 2), dt.date(2020, 1, 3)]
PRICES = dict(zip(NEW_YEAR, (100.0, 110.0, 120.0, 130.0), strict=True))


def notional(made, prices=PRICES, dates=NEW_YEAR):
    return yearly_notional({"date": dates}, made, prices, 50.0)


def test_a_year_begins_with_what_was_held_at_the_last_point_before_it():
    made = trades((NEW_YEAR[0], "F1", 1, 0), (NEW_YEAR[1], "F1", 1, 0), (NEW_YEAR[2], "F1", 3, 0))
    assert notional(made) == {2019: 1 * 100 * 50, 2020: 2 * 110 * 50}


@pytest.mark.parametrize(("opened", "capital"), [(1, 110.0), (2, 120.0), (3, 130.0)])
def test_a_year_that_begins_flat_is_on_its_first_position(opened, capital):
    """Opened on the last session of the year before, on the first of the year, on the next."""
    made = trades((NEW_YEAR[opened], "F1", 1, 0))
    assert notional(made)[2020] == capital * 50


def test_what_was_closed_in_the_year_before_does_not_count():
    made = trades((NEW_YEAR[0], "F1", 4, 0), (NEW_YEAR[1], "F1", -4, 0), (NEW_YEAR[3], "F2", -1, 0))
    assert notional(made) == {2019: 4 * 100 * 50, 2020: 1 * 130 * 50}


def test_a_year_without_a_position_has_none():
    assert notional(trades((NEW_YEAR[0], "F1", 1, 0), (NEW_YEAR[1], "F1", -1, 0))) == {2019: 5000.0}
    assert notional(NO_TRADES) == {}
    assert yearly_notional({"date": []}, NO_TRADES, PRICES, 50.0) == {}


def test_size_is_the_largest_of_one_contract_on_either_side():
    made = trades((NEW_YEAR[0], "F1", 1, 0), (NEW_YEAR[0], "C", -2, 0), (NEW_YEAR[0], "P", 1, 0))
    assert notional(made)[2019] == 2 * 100 * 50


def test_a_missing_price_is_the_newest_before_and_never_one_after():
    made = trades((NEW_YEAR[0], "F1", 1, 0))
    assert notional(made, {NEW_YEAR[0]: 100.0, NEW_YEAR[2]: 120.0})[2020] == 100 * 50
    assert notional(made, {NEW_YEAR[1]: 110.0, NEW_YEAR[2]: 120.0}) == {2019: 110 * 50, 2020: 110 * 50}
    assert notional(made, {NEW_YEAR[2]: 120.0}) == {2020: 120 * 50}
    assert notional(made, {}) == {}


def test_a_price_below_zero_counts_by_its_size_and_one_of_zero_not_at_all():
    made = trades((NEW_YEAR[0], "F1", 1, 0))
    assert notional(made, {NEW_YEAR[0]: -37.0})[2019] == 37 * 50
    assert notional(made, {NEW_YEAR[0]: 0.0, NEW_YEAR[1]: 10.0})[2019] == 10 * 50


@pytest.mark.parametrize("seed", range(30))
def test_it_does_not_look_ahead(seed):
    """Whatever comes after a session changes neither the capital of the years up to it, nor its returns up to it: a
    year without a capital by then has no change by then."""
    rng = np.random.default_rng(seed)
    dates = [dt.date(2018, 11, 1) + dt.timedelta(int(days)) for days in np.cumsum(rng.integers(1, 9, 160))]
    prices = {date: float(rng.uniform(50, 150)) for date in dates}
    held, rows, exo = 0.0, [], [0.0]
    for date, after in itertools.pairwise(dates):
        qty = float(rng.integers(-1, 2)) if rng.random() < 0.1 else 0.0
        held += qty
        if qty:
            rows.append((date, "F1", qty, qty * prices[date]))
        exo.append(exo[-1] + held * (prices[after] - prices[date]))
    cut = int(rng.integers(20, 150))
    whole = yearly_notional({"date": dates}, trades(*rows), prices, 1.0)
    known = yearly_notional({"date": dates[:cut]}, trades(*[row for row in rows if row[0] <= dates[cut - 1]]),
                            {date: prices[date] for date in dates[:cut]}, 1.0)  # fmt: skip
    table = points(exo[:cut], dates[:cut])
    assert known.items() <= whole.items()
    then, now = (performance(table, NO_TRADES, capital=capital) for capital in (known, whole))
    assert (then.total_return, then.volatility, then.months[0]) == (now.total_return, now.volatility, now.months[0])


def test_a_change_is_on_the_capital_of_the_year_in_which_it_ends():
    table = points([0.0, 100.0, 150.0, 130.0], NEW_YEAR)
    figures = performance(table, NO_TRADES, capital={2019: 1000.0, 2020: 2000.0})
    rates = [0.1, 0.025, -0.01]
    assert figures.total_return == pytest.approx(sum(rates))
    assert figures.annual_return == pytest.approx(sum(rates) / (4 / 365.25))
    assert figures.volatility == pytest.approx(np.std(rates, ddof=1) * np.sqrt(252))
    assert figures.sharpe == pytest.approx(np.mean(rates) / np.std(rates, ddof=1) * np.sqrt(252))
    assert (figures.max_drawdown, figures.drawdown_return) == (20.0, pytest.approx(0.01))
    assert figures.calmar == pytest.approx(figures.annual_return / 0.01)
    assert (figures.capital, figures.capital_basis) == (2000.0, "notional")
    assert [(row.year, row.total, row.capital) for row in figures.months] == [(2019, 100, 1000), (2020, 30, 2000)]
    assert [row.total_return for row in figures.months] == pytest.approx([0.1, 0.015])


def test_a_fall_over_new_year_adds_returns_on_two_capitals():
    table = points([500.0, 400.0, 300.0, 310.0], NEW_YEAR)
    figures = performance(table, NO_TRADES, capital={2019: 1000.0, 2020: 200.0})
    assert (figures.max_drawdown, figures.drawdown_return) == (200.0, pytest.approx(0.1 + 0.5))


def test_turnover_is_on_the_capital_of_the_trades_year():
    made = trades((NEW_YEAR[1], "F1", 1, 5000.0), (NEW_YEAR[2], "F1", -1, -6000.0))
    figures = performance(points([0, 1, 2, 3], NEW_YEAR), made, capital={2019: 1000.0, 2020: 2000.0})
    assert figures.turnover == pytest.approx((5 + 3) / 2 / (4 / 365.25))


def test_a_year_without_a_capital_is_fine_while_nothing_changes_in_it():
    capital = {2020: 2000.0}
    flat = performance(points([0.0, 0.0, 50.0, 30.0], NEW_YEAR), NO_TRADES, capital=capital)
    assert flat.total_return == pytest.approx(0.015)
    assert [(row.capital, row.total_return) for row in flat.months] == [(None, 0.0), (2000.0, pytest.approx(0.015))]
    moved = performance(points([0.0, 1.0, 50.0, 30.0], NEW_YEAR), NO_TRADES, capital=capital)
    assert (moved.capital, moved.capital_basis, moved.total_return, moved.volatility) == (None, "unknown", None, None)
    assert moved.sharpe == performance(points([0.0, 1.0, 50.0, 30.0], NEW_YEAR), NO_TRADES).sharpe
    # It is asked for in the period only.
    later = performance(points([0.0, 1.0, 50.0, 30.0], NEW_YEAR), NO_TRADES, capital=capital, start=NEW_YEAR[2])
    assert later.total_return == pytest.approx(29 / 2000)


def test_the_capital_of_a_year_is_above_zero():
    with pytest.raises(ValueError, match="the capital of 2020 must be above zero, not 0"):
        performance(points([0, 1]), NO_TRADES, capital={2019: 1.0, 2020: 0.0})


def test_a_declared_capital_is_the_same_throughout():
    figures = performance(points([0.0, 100.0, 150.0, 130.0], NEW_YEAR), NO_TRADES, capital=1000.0)
    assert (figures.capital, figures.capital_basis, figures.total_return) == (1000.0, "declared", 0.13)
    assert [row.total_return for row in figures.months] == pytest.approx([0.1, 0.03])


@pytest.mark.parametrize(
    ("stale", "sessions", "oldest"), [([0, 0, 0, 0], 0, 0), ([0, 1, 0, 0], 1, 1), ([0, 3, 0, 5], 2, 5)]
)
def test_points_on_a_bar_of_an_earlier_date_are_counted(stale, sessions, oldest):
    figures = performance(points([0, 1, 2, 3], NEW_YEAR, stale=stale), NO_TRADES)
    assert (figures.stale_sessions, figures.oldest_bar) == (sessions, oldest)
    period = performance(points([0, 1, 2, 3], NEW_YEAR, stale=stale), NO_TRADES, start=NEW_YEAR[2])
    assert (period.stale_sessions, period.oldest_bar) == (sum(days > 0 for days in stale[2:]), max(stale[2:]))
