"""Market packs and golden series read the plain way, for the engine's tests: pandas, one product at a time."""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import History, Result, run
from algorithms.engine.algorithm import Algorithm
from algorithms.engine.market import Market
from algorithms.engine.tables import Bars, Futures, Options, ProductRules, Rates, Vols
from tests.engine.markets import history
from tests.paths import DATA, GOLDEN

START = dt.date(2011, 6, 1)
POINT_COUNTS = ["is_rollover", "nfutures_executed", "nfutures_opened", "noptions_executed", "noptions_opened"]


def read(folder: Path, table: str) -> pd.DataFrame | None:
    """A table in whichever form it is there; texts that are empty stay empty."""
    for suffix in ("csv", "csv.gz", "parquet"):
        path = folder / f"{table}.{suffix}"
        if path.exists():
            return pd.read_parquet(path) if suffix == "parquet" else pd.read_csv(path, keep_default_na=False)
    return None


def days(column: pd.Series) -> np.ndarray:
    return pd.to_datetime(column).to_numpy("datetime64[D]").astype(np.int32)


@cache
def load(pack: str, symbol: str) -> Market:
    """A product's market from a pack of the shared data; its bars are dates."""
    folder = DATA / pack
    product = read(folder, "instruments").set_index("exchangesymbol").loc[symbol].replace("", None)
    contracts = read(folder, "contracts").query("exchangesymbol == @symbol")
    contracts = contracts.assign(day=days(contracts.expirationdate)).sort_values("day", kind="stable")
    future = {name: at for at, name in enumerate(contracts.contractname)}
    bars = read(folder, "contracts_bars").query("contractname in @future")
    tables = [
        Futures(
            contracts.contractname.to_numpy(object),
            contracts.year.to_numpy(np.int32),
            contracts.monthint.to_numpy(np.int32),
            contracts.day.to_numpy(np.int32),
        ),
        Bars(
            bars.contractname.map(future).to_numpy(np.int32),
            days(bars.datetime),
            np.full(len(bars), -1, np.int32),
            bars.close.to_numpy(np.float64),
        ),
    ]
    if (folder / "options.parquet").exists() or (folder / "options.csv.gz").exists():
        tables += _options(folder, future)
    return Market(_rules(product), *tables)


def _rules(product: pd.Series) -> ProductRules:
    return ProductRules(
        symbol=product.name,
        point_value=float(product.tickvalue) / float(product.ticksize),
        option_point_value=float(product.optiontickvalue) / float(product.optionticksize),
        decision_time=dt.time.fromisoformat(product.decision_time),
        pricing_model=product.pricing_model,
        rollover_months=tuple(int(month) for month in str(product.rollover_months).split()),
        days_before_expiration=int(product.days_before_expiration),
        option_codes=tuple((product.option_codes or "").split()),
    )


def _options(folder: Path, future: dict[str, int]) -> tuple[Options, Vols, Rates]:
    options = read(folder, "options").query("contractname in @future").reset_index(drop=True)
    vols = read(folder, "options_data")
    row = pd.Series(options.index, index=options.optionname)
    vols = vols.assign(option=vols.optionname.map(row), day=days(vols.date)).sort_values(["option", "day"])
    rates = read(folder, "riskfreerate").sort_values("date")
    return (
        Options(
            options.optionname.to_numpy(object),
            options.contractname.map(future).to_numpy(np.int32),
            days(options.expirationdate),
            options.strikeprice.to_numpy(np.float64),
            (options.callorput == "C").to_numpy(),
            options.optioncode.fillna("").to_numpy(object),
        ),
        Vols(vols.option.to_numpy(np.int32), vols.day.to_numpy(np.int32), vols.impliedvol.to_numpy(np.float64)),
        Rates(days(rates.date), rates.rate.to_numpy(np.float64)),
    )


@cache
def contfut(pack: str, symbol: str) -> tuple[Result, History]:
    result = run(ContinuousFuture(), load(pack, symbol), first=START)
    return result, history(result)


def compute(algorithm: Algorithm, pack: str, symbol: str) -> Result:
    histories = {label: contfut(pack, symbol)[1] for label in algorithm.needs()}
    return run(algorithm, load(pack, symbol), first=START, histories=histories)


def regime_definitions() -> dict[str, dict]:
    """Parameters by name, from the golden folder's own description."""
    text = (GOLDEN / "README.md").read_text().split("```yaml")[1].split("```")[0]
    return {entry["name"]: entry["parameters"] for entry in yaml.safe_load(text)}


@dataclass(frozen=True)
class Golden:
    """A golden series: points by date, trades in order, dates of gaps."""

    points: pd.DataFrame
    trades: pd.DataFrame
    gaps: list[str]

    @classmethod
    def read(cls, pack: str, name: str) -> "Golden":
        folder = GOLDEN / pack
        gaps = next(
            (found for kind in ("errors", "gaps") if (found := read(folder, f"{name}.{kind}")) is not None), None
        )
        trades = read(folder, f"{name}.trades").rename(columns={"usdvalue": "value"})
        return cls(read(folder, name).set_index("date"), trades, [] if gaps is None else gaps.date.tolist())


def difference(result: Result, golden: Golden) -> float:
    """The largest difference of a point's `exo`, after everything that must be equal was found equal."""
    trades = [(str(trade.date), trade.contract, trade.qty) for trade in result.trades]
    assert trades == list(golden.trades[["date", "contract", "qty"]].itertuples(index=False, name=None))
    assert [str(date) for date, _ in result.gaps] == golden.gaps
    points = pd.DataFrame(result.points).assign(date=lambda frame: frame.date.astype(str)).set_index("date")
    assert points.index.tolist() == golden.points.index.tolist()
    assert (points[POINT_COUNTS] == golden.points[POINT_COUNTS]).all(axis=None)
    return float((points.exo - golden.points.exo).abs().max())
