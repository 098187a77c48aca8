"""Proof that a strategy looks at nothing that was not known at its decision times.

A strategy is computed on all data, and again, for some dates D, on markets that differ from it only in what was
not known at D's decision time: one where all of that is cut off, and one where it is replaced with noise. What the
strategy did up to and including D must be the same, to the last bit. A strategy that peeks does something else on
at least one of them; so does one whose rows depend on anything but its market (chance, the clock, what an earlier
run left behind), which is told apart by computing it twice on the same data. And since the newest session of a series
is computed from a stored state, a run interrupted half-way and resumed must give the same rows, too.

The series that a strategy reads are computed anew on each market, so that a future price cannot come in by them.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .algorithm import Algorithm
from .errors import EngineError
from .history import History
from .loop import run
from .market import Market
from .rows import Costs, Result, State
from .tables import Bars, Rates, Vols, day_number
from .text import describe

# Makes the strategy. It is given the market and the histories that the run will be given, so that a strategy that
# is made from data is made from the cut data; those that ship ignore both.
Factory = Callable[[Market, Mapping[str, History]], Algorithm[Any]]

CUT, NOISE, AGAIN, RESUMED = "cut", "noise", "again", "resumed"
WORDS = {
    CUT: "without what was not known on {known}",
    NOISE: "with noise in place of what was not known on {known}",
    AGAIN: "when computed a second time on the same data",
    RESUMED: "when interrupted after {known} and resumed from the stored state",
}


@dataclass(frozen=True)
class Finding:
    """One difference: the first one of its experiment.

    Attributes:
        experiment: CUT, NOISE, AGAIN or RESUMED.
        known: The date whose knowledge the other market was left with, or of the interruption.
        date: The session that came out otherwise, None if the run failed.
        difference: What differs, in words.
    """

    experiment: str
    known: dt.date
    date: dt.date | None
    difference: str

    def __str__(self) -> str:
        where = f"{self.date}: " if self.date else ""
        return f"{where}{self.difference} {WORDS[self.experiment].format(known=self.known)}"


# -- markets with another future ----------------------------------------------------------------------------


def market_until(market: Market, date: dt.date) -> Market:
    """The market as it was at the decision time of `date`: bars up to it, volatilities and rates of earlier days.

    Contracts are all there: when they expire is known from their listing.
    """
    futures, bars, options, vols, rates, calendar = market.tables()
    known_bars, known_vols, known_rates = _known(market, date)
    return Market(
        market.rules,
        futures,
        Bars(*(column[known_bars] for column in _columns(bars))),
        options,
        Vols(*(column[known_vols] for column in _columns(vols))),
        Rates(*(column[known_rates] for column in _columns(rates))),
        calendar,
    )


def market_with_noise_after(market: Market, date: dt.date, rng: np.random.Generator) -> Market:
    """The market with every quote not known at the decision time of `date` replaced: prices by half to double,
    volatilities by a third to triple, rates by anything from -1 % to 10 %. Sessions and contracts stay."""
    futures, bars, options, vols, rates, calendar = market.tables()
    known_bars, known_vols, known_rates = _known(market, date)

    def scaled(values: np.ndarray, known: np.ndarray, factor: float) -> np.ndarray:
        return np.where(known, values, values * np.exp(rng.uniform(-1, 1, len(values)) * np.log(factor)))

    return Market(
        market.rules,
        futures,
        replace(bars, close=scaled(bars.close, known_bars, 2.0)),
        options,
        replace(vols, vol=scaled(vols.vol, known_vols, 3.0)),
        replace(rates, rate=np.where(known_rates, rates.rate, rng.uniform(-0.01, 0.1, len(rates.rate)))),
        calendar,
    )


def _columns(table: Bars | Vols | Rates) -> tuple[np.ndarray, ...]:
    return tuple(vars(table).values())


def _known(market: Market, date: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which bars, volatilities and rates were known at the decision time of a date."""
    _, bars, _, vols, rates, _ = market.tables()
    day, time = day_number(date), market.rules.decision_time
    decision = time.hour * 3600 + time.minute * 60 + time.second
    of_the_day = (bars.day == day) & (bars.second <= decision)
    return (bars.day < day) | of_the_day, vols.day < day, rates.day < day


# -- the proof ----------------------------------------------------------------------------------------------


def prove(
    factory: Factory,
    market: Market,
    known: Iterable[dt.date],
    *,
    reads: Mapping[str, Factory] | None = None,
    first: dt.date | None = None,
    seed: int = 0,
) -> list[Finding]:
    """What speaks against a strategy: nothing, or the first difference of each experiment.

    Args:
        factory: Makes the strategy.
        market: All data.
        known: The dates D to try; points up to D are to be the same on data cut at D.
        reads: Factories of the series that the strategy needs, by label, and of those that these need in turn.
        first: Where the series begin; sessions before it are not computed.
        seed: Of the noise.

    Raises:
        EngineError: The strategy cannot be computed on all data.
    """
    dates = sorted(set(known))
    if not dates:
        return []
    last = dates[-1]
    series = _Series(factory, reads or {}, first)
    rows = _rows(series.compute(market, last))
    middle = sorted(rows)[len(rows) // 2] if rows else last
    rng = np.random.default_rng(seed)
    findings = [
        _compare(AGAIN, last, rows, market, lambda: series.compute(market, last)),
        _compare(RESUMED, middle, rows, market, lambda: series.compute(market, last, interrupted=middle), until=last),
    ]
    for date in dates:
        for experiment, other in (
            (CUT, market_until(market, date)),
            (NOISE, market_with_noise_after(market, date, rng)),
        ):
            findings.append(_compare(experiment, date, rows, other, partial(series.compute, other, date)))
    return [finding for finding in findings if finding]


def compute(
    factory: Factory,
    market: Market,
    last: dt.date,
    *,
    reads: Mapping[str, Factory] | None = None,
    first: dt.date | None = None,
    costs: Costs | None = None,
) -> Result:
    """The strategy's rows up to `last`, with the series that it reads computed on the same market.

    Args:
        factory: Makes the strategy.
        market: The product's quotes.
        last: The last session.
        reads: As for `prove`.
        first: As for `prove`.
        costs: In place of the product's, in the strategy's own rows.

    Raises:
        EngineError: As `loop.run`; also if a series needs itself.
        AlgorithmError: As `loop.run`.
    """
    return _Series(factory, reads or {}, first, costs).compute(market, last)


Rows = dict[dt.date, dict[str, Any]]


def _compare(
    experiment: str,
    known: dt.date,
    rows: Rows,
    market: Market,
    compute: Callable[[], Result],
    until: dt.date | None = None,
) -> Finding | None:
    """Compute the strategy in another way, and look for the first session up to `until` that is not the same."""
    try:
        others = _rows(compute())
    except EngineError as error:
        return Finding(experiment, known, None, f"the strategy fails ({error})")
    except Exception as error:  # where it is made, or in its state: whatever an author's code may do
        return Finding(experiment, known, None, f"the strategy fails ({describe(error)})")
    # A day that has bars after its decision time alone is no session yet at that time.
    sessions, until = set(market.dates), until or known
    for date in sorted(date for date in rows.keys() | others.keys() if date <= until and date in sessions):
        difference = _difference(rows.get(date, {}), others.get(date, {}))
        if difference:
            return Finding(experiment, known, date, difference)
    return None


@dataclass(frozen=True)
class _Series:
    """How to compute the strategy on any market, with the series that it reads computed on the same market."""

    factory: Factory
    reads: Mapping[str, Factory]
    first: dt.date | None
    costs: Costs | None = None

    def compute(self, market: Market, last: dt.date, interrupted: dt.date | None = None) -> Result:
        histories: dict[str, History] = {}
        self._add_histories(self.factory, market, last, histories, ())

        def part(last: dt.date, state: State | None) -> Result:
            made = self.factory(market, histories)
            return run(made, market, first=self.first, last=last, state=state, histories=histories, costs=self.costs)

        if interrupted is None:
            return part(last, None)
        begun = part(interrupted, None)
        ended = part(last, json.loads(json.dumps(begun.state)))
        for name in ("points", "trades", "gaps", "warnings"):
            getattr(begun, name).extend(getattr(ended, name))
        return begun

    def _add_histories(
        self, factory: Factory, market: Market, last: dt.date, histories: dict[str, History], path: tuple[str, ...]
    ) -> None:
        """Compute what a strategy needs, what that needs first. One that nobody can make is named by `run`."""
        for label in factory(market, histories).needs():
            if label in path:
                raise EngineError(f"{label} needs itself: {' needs '.join((*path, label))}")
            if label in histories or label not in self.reads:
                continue
            make = self.reads[label]
            self._add_histories(make, market, last, histories, (*path, label))
            points = run(make(market, histories), market, first=self.first, last=last, histories=histories).points
            histories[label] = History.of(points, market.rules)


def _rows(result: Result) -> Rows:
    """Everything that a run said of each session."""
    rows: Rows = {}
    for point in result.points:
        rows[point.date] = {f"point {name}": value for name, value in point._asdict().items() if name != "date"}
    for trade in result.trades:
        rows.setdefault(trade.date, {})[f"trade {trade.number}"] = tuple(trade)[2:]
    for date, reason in result.gaps:
        rows.setdefault(date, {})["gap"] = reason
    for date, message in result.warnings:
        rows.setdefault(date, {}).setdefault("warnings", []).append(message)
    return rows


def _difference(row: Mapping[str, object], other: Mapping[str, object]) -> str:
    """The first entry that differs, in words; empty if none does."""
    for name in dict.fromkeys((*row, *other)):
        if name not in other:
            return f"{name} ({row[name]}) is not there"
        if name not in row:
            return f"there is a {name} ({other[name]})"
        if not _same(row[name], other[name]):
            return f"{name} is {other[name]} and not {row[name]}"
    return ""


def _same(value: object, other: object) -> bool:
    """Equal to the last bit; a value that is no number is equal to itself."""
    return value == other or (value != value and other != other)
