"""What a series is computed from now, in the form in which it is stored with its points and compared later."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial

from algorithms.engine.algorithm import Algorithm
from algorithms.engine.rows import Costs
from algorithms.engine.tables import ProductRules
from exo_registry import market
from exo_registry.code import loaded_code
from exo_registry.definitions import catalogue
from exo_registry.models import Product, Series

NOT_RULES = ("symbol",)  # the product's name, not one of its rules


def algorithm_of(series: Series) -> Algorithm:
    """The series' algorithm, ready to run. CatalogueError if its definition does not allow that."""
    definition = series.definition
    return catalogue.build(definition.algorithm, definition.parameters, series.direction)


def parameters_record(algorithm: Algorithm) -> dict:
    """All parameters with their values, defaults included, as they are stored and compared."""
    return algorithm.parameters.model_dump(mode="json")


def costs_of(series: Series) -> Costs:
    """Costs per contract and side: the definition's where it has its own, else the product's."""
    definition, product = series.definition, series.product
    return Costs(
        product.cost_future if definition.cost_future is None else definition.cost_future,
        product.cost_option if definition.cost_option is None else definition.cost_option,
    )


def product_record(product: Product) -> dict:
    """The rules of the product itself, as they are stored and compared."""
    return {name: _plain(value) for name, value in _rules(product).items() if name not in NOT_RULES}


def costs_record(series: Series) -> dict:
    """The costs that the series is computed with, which come before the product's own."""
    costs = costs_of(series)
    return {"cost_future": costs.future, "cost_option": costs.option}


class Rules:
    """The rules that series are computed by, as they are stored and compared, each made once a product and costs."""

    def __init__(self) -> None:
        self._products: dict[int, dict] = {}
        self._known: dict[tuple[int, float | None, float | None], dict] = {}

    def of(self, series: Series) -> dict:
        definition, product = series.definition, series.product
        key = (product.id, definition.cost_future, definition.cost_option)
        if key not in self._known:
            if product.id not in self._products:
                self._products[product.id] = product_record(product)
            self._known[key] = self._products[product.id] | costs_record(series)
        return self._known[key]


def _rules(product: Product) -> dict:
    rules: ProductRules = market.rules(product)
    return dataclasses.asdict(rules)


def _plain(value: object) -> object:
    if isinstance(value, dt.time):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def needed_names(series: Series, algorithm: Algorithm) -> list[str]:
    """Names of the series that must be computed before this one."""
    return [f"{series.product.exchangesymbol}_{label}" for label in algorithm.needs()]


@dataclass(frozen=True)
class Recipe:
    """What a definition computes a direction's series by now; `error` says why it cannot be used at all.

    `parameters` as they are stored and compared, `needs` labels of the series read, `code` the hash of its code.
    """

    parameters: dict = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    code: str = ""
    error: str = ""


class Recipes:
    """The recipes of definitions, each made once. `code_hash`: of an algorithm's path; None: of the code on disk."""

    def __init__(self, code_hash: Callable[[str], str] | None = None) -> None:
        self._code_hash = cache(code_hash or partial(catalogue.source_hash, disk=loaded_code.Disk()))
        self._known: dict[tuple[int, str], Recipe] = {}

    def of(self, series: Series) -> Recipe:
        key = (series.definition_id, series.direction)
        if key not in self._known:
            self._known[key] = self._made(series)
        return self._known[key]

    def _made(self, series: Series) -> Recipe:
        try:
            algorithm = algorithm_of(series)
            code = self._code_hash(series.definition.algorithm)
        except catalogue.CatalogueError as error:
            return Recipe(error=str(error))
        return Recipe(parameters_record(algorithm), tuple(algorithm.needs()), code)
