"""What a series is computed from, and whether that has moved on since its points were stored."""

import dataclasses
import datetime as dt
from collections.abc import Iterable

from django.db.models import Min, OuterRef, Subquery

from algorithms.engine.algorithm import Algorithm
from algorithms.engine.loop import Costs
from algorithms.engine.tables import ProductRules
from exo_registry import catalogue, market_store
from exo_registry.models import Product, Revision, Series

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


def rules_record(series: Series) -> dict:
    """The rules that the series is computed by, as they are stored and compared."""
    return {**_product_record(series.product), **_costs_record(series)}


def _product_record(product: Product) -> dict:
    return {name: _plain(value) for name, value in _rules(product).items() if name not in NOT_RULES}


def _costs_record(series: Series) -> dict:
    costs = costs_of(series)
    return {"cost_future": costs.future, "cost_option": costs.option}


def _rules(product: Product) -> dict:
    rules: ProductRules = market_store.rules(product)
    return dataclasses.asdict(rules)


def _plain(value: object) -> object:
    if isinstance(value, dt.time):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def needed_names(series: Series, algorithm: Algorithm) -> list[str]:
    """Names of the series that must be computed before this one."""
    return [f"{series.product.exchangesymbol}_{label}" for label in algorithm.needs()]


def staleness(series: Iterable[Series]) -> dict[int, list[str]]:
    """Why each series' points are not what computing them now would give; by id, [] for a current one.

    A series without points is never stale. Two queries whatever their number (definition and product should
    come with the series: select_related).
    """
    computed = [one for one in series if one.last_session is not None]
    corrected = _corrections(computed)
    generations = _generations(computed)
    rules = {one.product_id: one.product for one in computed}
    rules = {pk: _product_record(product) for pk, product in rules.items()}
    reasons: dict[int, list[str]] = {one.pk: [] for one in series}
    for one in computed:
        reasons[one.pk] = [
            *_code_and_parameters(one),
            *_named("product rules changed", one.product_rules, rules[one.product_id] | _costs_record(one)),
            *([f"market data corrected from {corrected[one.pk]}"] if corrected.get(one.pk) else []),
            *_recomputed(one, generations),
        ]
    return reasons


def _code_and_parameters(series: Series) -> list[str]:
    try:
        algorithm = algorithm_of(series)
    except catalogue.CatalogueError as error:
        return [f"its definition cannot be used: {error}"]
    changed = _named("parameters changed", series.parameters, parameters_record(algorithm))
    if catalogue.source_hash(series.definition.algorithm) != series.algorithm_hash:
        return ["algorithm code changed", *changed]
    return changed


def _named(what: str, stored: dict | None, current: dict) -> list[str]:
    """`what`, with the names of the entries that differ; nothing if none does."""
    stored = stored or {}
    names = [name for name in {**current, **stored} if stored.get(name, ...) != current.get(name, ...)]
    return [f"{what} ({', '.join(names)})"] if names else []


def corrected_from() -> Subquery:
    """Of a series (in a query of series): the earliest date from which data that it was computed from has changed
    since; NULL if none has."""
    return Subquery(
        Revision.objects.filter(
            product=OuterRef("product"),
            number__gt=OuterRef("market_revision"),
            earliest_change__lte=OuterRef("last_session"),
        )
        .order_by()
        .values("product")
        .annotate(earliest=Min("earliest_change"))
        .values("earliest")
    )


def _corrections(series: list[Series]) -> dict[int, dt.date | None]:
    found = Series.objects.filter(pk__in=[one.pk for one in series]).annotate(corrected=corrected_from())
    return dict(found.values_list("pk", "corrected"))


def _generations(series: list[Series]) -> dict[str, int]:
    names = {name for one in series for name in one.dependencies}
    if not names:
        return {}
    return dict(Series.objects.filter(name__in=names).values_list("name", "generation"))


def _recomputed(series: Series, generations: dict[str, int]) -> list[str]:
    reasons = []
    for name, generation in series.dependencies.items():
        if name not in generations:
            reasons.append(f"{name}, which it reads, is gone")
        elif generations[name] != generation:
            reasons.append(f"{name}, which it reads, was recomputed")
    return reasons
