"""Statistics against an implementation of their definitions in plain Python, on random series with gaps."""

import dataclasses
import datetime as dt

import numpy as np
import pytest

from algorithms.analysis.capital import yearly_notional
from algorithms.analysis.statistics import performance
from tests.engine import statistics_oracle
from tests.engine.markets import weekdays

SESSIONS = weekdays("2017-10-02", 900)
POINT_VALUE = 50.0
CONTRACTS = ("F1", "F2", "C1")
DATED = {"best", "worst"}
LEFT_OUT = {"capital", "capital_basis", "months", "average_holding", "peak", "trough", "recovery"}


@dataclasses.dataclass
class Case:
    """A series by rows, with the prices of its future; some sessions are gaps, some have no price."""

    points: list
    trades: list
    gaps: list
    prices: dict

    @classmethod
    def random(cls, seed):
        rng = np.random.default_rng(seed)
        begin, count = int(rng.integers(0, 300)), int(rng.integers(2, 600))
        share, quiet = rng.choice([0.0, 0.05, 0.4]), rng.random() < 0.3
        points, trades, gaps, prices, exo = [], [], [], {}, 0.0
        held = dict.fromkeys(CONTRACTS, 0)
        for at, date in enumerate(SESSIONS[begin : begin + count]):
            if rng.random() < 0.95:
                prices[date] = float(rng.uniform(50, 300))
            if at and rng.random() < share:
                gaps.append(date)
                continue
            if any(held.values()):
                exo += float(rng.normal(5, 400))
            if not (quiet and date.year == 2018) and rng.random() < 0.1:
                contract, qty = str(rng.choice(CONTRACTS)), int(rng.integers(-2, 3))
                if rng.random() < 0.4:
                    qty = -held[contract]
                if qty:
                    held[contract] += qty
                    value = qty * float(rng.uniform(50, 300)) * POINT_VALUE
                    trades.append({"date": date, "contract": contract, "qty": float(qty), "value": value})
            opened = float(sum(map(abs, held.values())))
            points.append(
                {
                    "date": date,
                    "exo": exo,
                    "nfutures_opened": opened,
                    "noptions_opened": 0.0,
                    "costs": float(rng.integers(0, 3)),
                    "stale_days": int(rng.choice([0, 0, 0, 1, 3])),
                }
            )
        return cls(points, trades, gaps, prices)

    def tables(self):
        return columns(self.points, "exo"), columns(self.trades, "contract", "qty", "value")


def columns(rows, *names):
    names = rows[0].keys() if rows else ("date", *names)
    return {name: [row[name] for row in rows] for name in names}


def compare(figures, wanted):
    by_year = wanted.pop("by_year", {})
    for field in dataclasses.fields(figures):
        if field.name in LEFT_OUT:
            continue
        ours, theirs = getattr(figures, field.name), wanted.get(field.name, field.default)
        if field.name in DATED and ours is not None:
            assert ours[0::2] == theirs[0::2], field.name
            ours, theirs = ours[1], theirs[1]
        assert equal(ours, theirs), field.name
    for row in figures.months:
        assert equal(row.total_return, by_year.get(row.year))


def equal(ours, theirs):
    """Dates, counts and what is absent exactly; numbers but for rounding."""
    exact = theirs is None or isinstance(theirs, dt.date | int)
    return ours == (theirs if exact else pytest.approx(theirs, rel=1e-9, abs=1e-12))


@pytest.mark.parametrize("seed", range(60))
def test_every_figure_is_that_of_the_definitions(seed):
    case = Case.random(seed)
    points, trades = case.tables()
    prices = case.prices if seed % 10 else {}
    notional = yearly_notional(points, trades, prices, POINT_VALUE)
    assert notional == pytest.approx(
        statistics_oracle.notional_by_year(case.points, case.trades, prices, POINT_VALUE), rel=1e-12
    )
    for capital in (None, 75_000.0, notional):
        for start in (None, case.points[len(case.points) // 3]["date"] + dt.timedelta(1)):
            figures = performance(points, trades, gaps=case.gaps, capital=capital, start=start)
            compare(figures, statistics_oracle.statistics(case.points, case.trades, case.gaps, capital, start))


@pytest.mark.parametrize("seed", range(0, 60, 7))
def test_sharpe_times_volatility_is_the_annual_return_by_sessions(seed):
    case = Case.random(seed)
    points, trades = case.tables()
    capital = yearly_notional(points, trades, case.prices, POINT_VALUE)
    figures = performance(points, trades, gaps=case.gaps, capital=capital)
    assert figures.sharpe * figures.volatility == pytest.approx(figures.mean_return, rel=1e-12)
    # And the mean over all sessions is the whole change: on one capital, profit / sessions x 252.
    declared = performance(points, trades, gaps=case.gaps, capital=1000.0)
    whole = case.points[-1]["exo"] - case.points[0]["exo"]
    sessions = len(case.points) + len([gap for gap in case.gaps if gap < case.points[-1]["date"]]) - 1
    assert declared.mean_return == pytest.approx(whole / sessions * 252 / 1000.0, rel=1e-9)
