"""Changes over several sessions: what they add to mean and variance, and how they are named."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.analysis.statistics import FLAT, performance, session_moments
from tests.engine.markets import weekdays
from tests.engine.test_statistics import NO_TRADES, points, random_series

YEAR = np.sqrt(252)


def with_gaps(exo, gaps):
    """Performance of the values of consecutive sessions, those at the places `gaps` not being known."""
    dates = weekdays("2020-01-01", len(exo))
    kept = [at for at in range(len(exo)) if at not in gaps]
    table = points([exo[at] for at in kept], [dates[at] for at in kept])
    return performance(table, NO_TRADES, gaps=[dates[at] for at in gaps], capital=1000.0), dates


def test_by_hand():
    figures, dates = with_gaps([0.0, 10.0, np.nan, -500.0, -490.0, np.nan, np.nan, -505.0], {2, 5, 6})
    changes, spans = np.array([10.0, -510.0, 10.0, -15.0]), np.array([1, 2, 1, 3])
    mean = -505.0 / 7
    variance = sum((x - k * mean) ** 2 / k for x, k in zip(changes, spans, strict=True)) / 3
    assert (figures.gaps, figures.changes_over_gaps) == (3, 2)
    assert figures.mean_return == pytest.approx(mean * 252 / 1000)
    assert figures.annual_deviation == pytest.approx(np.sqrt(variance) * YEAR)
    assert figures.sharpe == pytest.approx(mean / np.sqrt(variance) * YEAR)
    assert figures.sortino == pytest.approx(mean / np.sqrt((510**2 / 2 + 15**2 / 3) / 4) * YEAR)
    assert figures.hit_rate == 0.5
    assert figures.best == (dates[1], 10.0, 1)
    assert figures.worst == (dates[3], -510.0, 2)


def test_a_loss_over_a_gap_is_the_worst_and_says_so():
    worst = with_gaps([0.0, 1.0, np.nan, np.nan, -900.0, -880.0, -890.0], {2, 3})[0].worst
    assert (worst.change, worst.sessions) == (-901.0, 3)


@pytest.mark.parametrize(
    ("gap", "sessions"),
    [
        (dt.date(2020, 1, 1), 1),  # at the first point or before it
        (dt.date(2020, 1, 2), 2),
        (dt.date(2020, 1, 6), 2),
        (dt.date(2020, 1, 7), 1),  # at the second or after it
    ],
)
def test_a_gap_counts_between_two_points_only(gap, sessions):
    table = points([0.0, 5.0], [dt.date(2020, 1, 1), dt.date(2020, 1, 7)])
    figures = performance(table, NO_TRADES, gaps=[gap, gap])
    assert (figures.best.sessions, figures.changes_over_gaps) == (sessions, sessions - 1)


def test_the_change_that_a_period_begins_with_may_be_over_a_gap_before_it():
    dates = weekdays("2020-01-01", 5)
    table = points([0.0, 5.0, 8.0], [dates[0], dates[3], dates[4]])
    figures = performance(table, NO_TRADES, gaps=dates[1:3], start=dates[3])
    assert (figures.gaps, figures.best) == (0, (dates[3], 5.0, 3))


@pytest.mark.parametrize("seed", range(20))
def test_without_gaps_it_is_the_sample_deviation_to_the_last_bit(seed):
    exo = random_series(np.random.default_rng(seed))
    changes = np.diff(exo)
    mean, deviation = session_moments(changes, np.ones(len(changes), int))
    assert (mean, deviation) == (changes.mean(), changes.std(ddof=1))
    figures = with_gaps(exo, set())[0]
    assert figures.annual_deviation == float(changes.std(ddof=1) * YEAR)
    assert figures.volatility == float(changes.std(ddof=1) * YEAR) / 1000.0
    if figures.sharpe is not None:
        assert figures.sharpe == float(changes.mean() / changes.std(ddof=1) * YEAR)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_the_variance_of_a_random_walk_is_unbiased_whatever_its_gaps(share, drift):
    """Twelve sessions and 4,000 walks: n in place of n - 1, whole squares or the gaps left out would all show."""
    rng = np.random.default_rng(7)
    variances, means = [], []
    for _ in range(4000):
        walk = np.concatenate(([0.0], np.cumsum(rng.normal(drift, 2.0, 12))))
        seen = np.flatnonzero(np.concatenate(([True], rng.random(12) >= share)))
        if len(seen) < 3:
            continue
        mean, deviation = session_moments(np.diff(walk[seen]), np.diff(seen))
        means.append(mean)
        variances.append(deviation**2)
    for values, wanted in ((means, drift), (variances, 4.0)):
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - wanted) < 4 * error


@given(st.integers(2, 40), st.data())
@settings(max_examples=60, deadline=None)
def test_a_steady_gain_has_no_deviation_however_many_gaps(count, data):
    gaps = data.draw(st.sets(st.integers(1, count - 1), max_size=count - 2))
    figures = with_gaps([5.0 * at for at in range(count + 1)], gaps)[0]
    assert figures.mean_return == pytest.approx(5.0 * 252 / 1000)
    assert (figures.annual_deviation, figures.sharpe) == (0.0, None)


@pytest.mark.parametrize(("times", "varies"), [(0.99, False), (1.01, True)])
def test_a_deviation_is_rounding_up_to_a_billionth_of_a_thousandth_of_the_changes(times, varies):
    """Changes of 1 and 1 + d have the deviation d / √2."""
    spread = times * FLAT * np.sqrt(2)
    figures = performance(points([0.0, 1.0, 2.0 + spread]), NO_TRADES)
    assert (figures.annual_deviation > 0.0, figures.sharpe is not None) == (varies, varies)
