"""Whether a definition can be trusted: it loads, its parameters hold, it runs, and it looks at nothing ahead.

The look-ahead proof (`algorithms.engine.lookahead`) is made on a sample: the newest sessions of one of the
definition's products, cut at some of its dates, half of them dates on which the strategy traded, since that is where
knowing the future would show.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from algorithms.engine import EngineError, Result
from algorithms.engine.algorithm import Algorithm
from algorithms.engine.lookahead import Factory, compute, prove
from algorithms.engine.market import Market
from algorithms.engine.text import describe
from exo_registry import definitions as registry
from exo_registry import market
from exo_registry.formats.text import counted
from exo_registry.models import Definition, Product
from exo_registry.models.exo import meant_products

from . import catalogue


@dataclass(frozen=True)
class Depth:
    """How much of a check: sessions of the sample, and dates at which its data is cut."""

    sessions: int
    cuts: int


QUICK = Depth(sessions=200, cuts=4)
FULL = Depth(sessions=500, cuts=8)


@dataclass(frozen=True)
class Sample:
    """The newest sessions of a product, from `first` on."""

    product: Product
    market: Market
    first: dt.date
    dates: list[dt.date]


class Samples:
    """Samples of products, each loaded once."""

    def __init__(self, depth: Depth) -> None:
        self.depth = depth
        self._loaded: dict[int, Sample | None] = {}

    def of(self, product: Product) -> Sample | None:
        """None if the product has no market data."""
        if product.pk not in self._loaded:
            self._loaded[product.pk] = self._load(product)
        return self._loaded[product.pk]

    def _load(self, product: Product) -> Sample | None:
        sessions = market.sessions(product)[-self.depth.sessions :]
        if not len(sessions):
            return None
        dates = sessions.tolist()
        return Sample(product, market.load_market(product, since=dates[0]), dates[0], dates)


def check_definition(definition: Definition, quick: bool = True) -> list[str]:
    """What is wrong with a saved definition, as sentences; [] if nothing is.

    quick: a small sample, for checking while a user waits. A definition that is not enabled is checked as well.
    """
    return problems(definition, Samples(QUICK if quick else FULL))


def check_definitions(definitions: Iterable[Definition], quick: bool = False) -> Iterator[tuple[Definition, list[str]]]:
    """Each definition with what is wrong with it, as soon as it is known. Products are loaded once for all of them."""
    samples = Samples(QUICK if quick else FULL)
    for definition in definitions:
        yield definition, problems(definition, samples)


def problems(definition: Definition, samples: Samples) -> list[str]:
    """As `check_definition`, on samples that several checks share."""
    try:
        return _problems_on(samples, definition)
    except market.MarketStoreError as error:
        return [f"it was not run: {error}."]


def _problems_on(samples: Samples, definition: Definition) -> list[str]:
    products = products_of(definition)
    draft = registry.draft_of(definition, [product.exchangesymbol for product in definition.products.all()])
    messages = [
        problem.message for problem in registry.definition_problems(draft) if problem.definition == definition.name
    ]
    if messages:
        return messages
    if not products:
        return ["It has no product and no product is active, so it was not run. Activate one, or name its products."]
    if not any(samples.of(product) for product in products):
        symbols = ", ".join(product.exchangesymbol for product in products)
        return [
            f"There is no market data of {symbols}, so it was not run. Load some with: manage.py importmarket FOLDER"
        ]
    return [
        problem if label == definition.name else f"{label}: {problem}"
        for direction, label in catalogue.labels(definition.algorithm, definition.name).items()
        for problem in _Check(definition, direction, products, samples).problems()
    ]


def products_of(definition: Definition) -> list[Product]:
    """The products that the definition is meant for."""
    return meant_products(definition.products.all(), Product.objects.filter(active=True))


class _Check:
    """One direction of a definition on one of some products: the first on which it trades, or else the first."""

    def __init__(self, definition: Definition, direction: str, products: list[Product], samples: Samples) -> None:
        self.products, self.samples = products, samples
        self.factory = factory(definition, direction)

    def problems(self) -> list[str]:
        first: tuple[Sample, Result] | None = None
        for sample in filter(None, map(self.samples.of, self.products)):
            try:
                result = self._run(sample)
            except EngineError as error:
                return [f"on {sample.product}: {error}"]
            except Exception as error:  # whatever an algorithm does wrong is its author's to mend
                return [f"on {sample.product}: it fails with {describe(error)}"]
            if result.trades:
                return self._looks_ahead(sample, result)
            if first is None or not first[1].points:
                first = sample, result
        return self._impossible(*first) or self._looks_ahead(*first)

    def _run(self, sample: Sample) -> Result:
        return compute(
            self.factory, sample.market, sample.dates[-1], reads=reads_of(sample.product), first=sample.first
        )

    def _impossible(self, sample: Sample, result: Result) -> list[str]:
        """Whether it never got to trade because something was missing in each session."""
        reasons = dict(sorted([*result.warnings, *result.gaps]))
        sessions = len(result.points) + len(result.gaps)
        if not sessions or len(reasons) < sessions:
            return []
        date, reason = max(reasons.items())
        span = f"{counted(sessions, 'session')} of {sample.product} from {sample.first}"
        return [f"none of the last {span} can be computed; on {date}: {reason}"]

    def _looks_ahead(self, sample: Sample, result: Result) -> list[str]:
        known = _dates(sample, result, self.samples.depth.cuts)
        findings = prove(self.factory, sample.market, known, reads=reads_of(sample.product), first=sample.first)
        if not findings:
            return []
        more = f" (and {len(findings) - 1} more like it)" if len(findings) > 1 else ""
        return [f"on {sample.product}, {findings[0]}{more}"]


def _dates(sample: Sample, result: Result, cuts: int) -> list[dt.date]:
    """Half of the dates spread over the last two thirds of the sample, half over the dates of trades."""
    traded = sorted({trade.date for trade in result.trades})
    return [*_spread(sample.dates[len(sample.dates) // 3 :], cuts - cuts // 2), *_spread(traded, cuts // 2)]


def _spread(dates: list[dt.date], count: int) -> list[dt.date]:
    if len(dates) <= count:
        return dates
    return [dates[at] for at in np.linspace(0, len(dates) - 1, count + 2).astype(int)[1:-1]]


def factory(definition: Definition, direction: str) -> Factory:
    """Makes the algorithm of one direction of a definition."""

    def make(market: Market, histories: object) -> Algorithm:
        return catalogue.build(definition.algorithm, definition.parameters, direction)

    return make


def reads_of(product: Product) -> dict[str, Factory]:
    """What makes each series of a product, by label: the enabled definitions that are meant for it."""
    makers: dict[str, Factory] = {}
    for definition in Definition.objects.filter(enabled=True).prefetch_related("products"):
        if product not in meant_products(definition.products.all(), [product]):
            continue
        try:
            labels = catalogue.labels(definition.algorithm, definition.name)
        except catalogue.CatalogueError:
            continue  # said where it is checked itself
        makers |= {label: factory(definition, direction) for direction, label in labels.items()}
    return makers
