"""The tests' market packs, read by the engine, and the golden series that it must compute from them."""

import datetime as dt
from dataclasses import dataclass
from functools import cache

import pandas as pd
import yaml

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import History, Result, run
from algorithms.engine.algorithm import Algorithm
from algorithms.engine.market import Market
from tests.engine.markets import history
from tests.paths import GOLDEN, PACKS

START = dt.date(2011, 6, 1)
POINT_COUNTS = ["is_rollover", "nfutures_executed", "nfutures_opened", "noptions_executed", "noptions_opened"]


@cache
def market(pack: str, symbol: str) -> Market:
    """A product's market from one of the tests' packs, under the rules that the golden series were made by."""
    return Market.from_pack(PACKS / pack, symbol, conventions="legacy")


@cache
def contfut(pack: str, symbol: str) -> tuple[Result, History]:
    result = run(ContinuousFuture(), market(pack, symbol), first=START)
    return result, history(result)


def compute(algorithm: Algorithm, pack: str, symbol: str) -> Result:
    histories = {label: contfut(pack, symbol)[1] for label in algorithm.needs()}
    return run(algorithm, market(pack, symbol), first=START, histories=histories)


def regime_definitions() -> list[dict]:
    """The definitions that the golden regime series were made with: name, algorithm, parameters."""
    return yaml.safe_load((GOLDEN / "es_modelled_regime" / "definitions.yaml").read_text())


@dataclass(frozen=True)
class Golden:
    """A golden series: points by date, trades in order, dates of gaps."""

    points: pd.DataFrame
    trades: pd.DataFrame
    gaps: list[str]

    @classmethod
    def read(cls, pack: str, name: str) -> "Golden":
        """Raises ValueError if there are no points or no trades of that name."""
        (points,), (trades,) = _tables(pack, name), _tables(pack, f"{name}.trades")
        gaps = [*_tables(pack, f"{name}.errors"), *_tables(pack, f"{name}.gaps")]
        return cls(
            points.set_index("date"),
            trades.rename(columns={"usdvalue": "value", "quantity": "qty"}),
            [date for table in gaps for date in table.date],
        )


def _tables(pack: str, name: str) -> list[pd.DataFrame]:
    """The golden table of a name, if there is one; texts that are empty stay empty."""
    return [pd.read_csv(path, keep_default_na=False) for path in (GOLDEN / pack).glob(f"{name}.csv*")]


def difference(result: Result, golden: Golden) -> float:
    """The largest difference of a point's `exo`, after everything that must be equal was found equal."""
    trades = [(str(trade.date), trade.contract, trade.qty) for trade in result.trades]
    assert trades == list(golden.trades[["date", "contract", "qty"]].itertuples(index=False, name=None))
    assert [str(date) for date, _ in result.gaps] == golden.gaps
    points = pd.DataFrame(result.points).assign(date=lambda frame: frame.date.astype(str)).set_index("date")
    assert points.index.tolist() == golden.points.index.tolist()
    assert (points[POINT_COUNTS] == golden.points[POINT_COUNTS]).all(axis=None)
    return float((points.exo - golden.points.exo).abs().max())
