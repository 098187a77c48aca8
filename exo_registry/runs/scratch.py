"""Series computed for their author to look at: over the newest two years, and stored nowhere."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from algorithms.analysis.results import result_performance
from algorithms.analysis.statistics import Performance
from algorithms.engine import EngineError, Result
from algorithms.engine.lookahead import compute
from exo_registry.definitions import catalogue, check
from exo_registry.definitions.check import Depth, Sample, Samples
from exo_registry.models import Definition, Product, Series
from exo_registry.series import lineage

TWO_YEARS = Depth(sessions=2 * 252, cuts=8)


@dataclass(frozen=True)
class Scratch:
    """A series as computed now. `performance` is that of its rows; money in `currency`."""

    name: str
    currency: str
    first: dt.date
    last: dt.date
    result: Result
    performance: Performance


@dataclass(frozen=True)
class Change:
    """What differs between two computations: sessions whose point, trades or gap differ, and the first of them."""

    sessions: int
    first: dt.date | None
    profit: float
    trades: int


def series(definition: Definition, samples: Samples, products: Iterable[Product] = ()) -> Iterator[Scratch | str]:
    """The definition's series on some products (none: its own), each computed or, in words, why it was not.

    Raises CatalogueError if the algorithm cannot be loaded.
    """
    for direction, label in catalogue.labels(definition.algorithm, definition.name).items():
        for product in products or check.products_of(definition):
            name = f"{product.exchangesymbol}_{label}"
            sample = samples.of(product)
            if sample is None:
                yield f"{name}: there is no market data of {product}. Import some with importmarket."
                continue
            try:
                yield _computed(name, definition, direction, sample)
            except EngineError as error:
                yield f"{name}: {error}"
            except Exception as error:  # whatever an algorithm does wrong is its author's to fix
                yield f"{name}: it fails with {error!r}"


def _computed(name: str, definition: Definition, direction: str, sample: Sample) -> Scratch:
    product = sample.product
    result = compute(
        check.factory(definition, direction),
        sample.market,
        sample.dates[-1],
        reads=check.reads_of(product),
        first=sample.first,
        costs=lineage.costs_of(Series(definition=definition, product=product)),
    )
    performance = result_performance(result, sample.market, definition.capital)
    return Scratch(name, product.currency, sample.first, sample.dates[-1], result, performance)


def change(before: Scratch, after: Scratch) -> Change:
    """What the later computation made different."""
    old, new = _rows(before.result), _rows(after.result)
    dates = sorted(date for date in old.keys() | new.keys() if old.get(date) != new.get(date))
    return Change(
        sessions=len(dates),
        first=dates[0] if dates else None,
        profit=(after.performance.profit or 0.0) - (before.performance.profit or 0.0),
        trades=after.performance.trades - before.performance.trades,
    )


def _rows(result: Result) -> dict[dt.date, list[tuple]]:
    rows: dict[dt.date, list[tuple]] = {}
    for table in (result.points, result.trades, result.gaps):
        for row in table:
            rows.setdefault(row[0], []).append(tuple(row))
    return rows
