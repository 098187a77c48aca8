"""Why a series is stale: each input that is no longer what its points were computed from, with old and new value."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial, reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Q

from algorithms.engine.text import shorten
from exo_registry.code import loaded_code, source_code
from exo_registry.definitions import catalogue
from exo_registry.formats.json_differences import ABSENT, differences
from exo_registry.formats.text import listed
from exo_registry.market.session_lists import DataEnd
from exo_registry.models import CodeVersion, Definition, Product, Revision, Series

from . import lineage

SHOWN = 60  # letters of a value
PRODUCTS_A_QUERY = 300  # SQLite takes expressions 1,000 deep
COSTS = ("cost_future", "cost_option")


class Category(StrEnum):
    """The kind of input that has changed."""

    DEFINITION = "definition"
    PARAMETERS = "parameters"
    RULES = "product rules"
    CODE = "code"
    ENGINE = "engine"
    MARKET_DATA = "market data"
    INPUT_SERIES = "input series"


@dataclass(frozen=True)
class Cause:
    """One input that has changed.

    `name`: which one, such as `cost_future`, `legs[0].qty` or `ES_ContFut`. `old` and `new` are JSON values; None:
    there is none, or it is not recorded. `since`: when the new one came into force; None: not recorded. `change` says
    in plain English what changed.
    """

    category: Category
    name: str
    change: str
    old: Any = None
    new: Any = None
    since: dt.datetime | None = None

    def __str__(self) -> str:
        return f"{self.change} since {self.since:%Y-%m-%d}" if self.since else self.change


class MarketChange(NamedTuple):
    """A revision of a product's market data: its number, its earliest changed date, and when it was imported."""

    number: int
    earliest: dt.date
    imported: dt.datetime


MarketChanges = dict[int, list[MarketChange]]  # by series, in the order of the imports


def market_changes(series: Iterable[Series], ends: dict[int, DataEnd]) -> MarketChanges:
    """The revisions that changed what each series was computed from, by series. No query while there is no newer
    revision than theirs; `ends` are the ends of their products' data."""
    behind = [row for row in series if (row.market_revision or 0) < ends[row.product_id].number]
    floors: dict[int, int] = {}
    tops: dict[int, dt.date] = {}
    for row in behind:
        floors[row.product_id] = min(row.market_revision or 0, floors.get(row.product_id, row.market_revision or 0))
        tops[row.product_id] = max(row.last_session, tops.get(row.product_id, row.last_session))
    changes: dict[int, list[MarketChange]] = defaultdict(list)
    products = list(floors)
    for at in range(0, len(products), PRODUCTS_A_QUERY):
        newer = [
            Q(product=pk, number__gt=floors[pk], earliest_change__lte=tops[pk])
            for pk in products[at : at + PRODUCTS_A_QUERY]
        ]
        rows = Revision.objects.filter(reduce(or_, newer)).order_by("product", "number")
        for pk, *change in rows.values_list("product_id", "number", "earliest_change", "created"):
            changes[pk].append(MarketChange(*change))
    return {
        row.id: [
            change
            for change in changes[row.product_id]
            if change.number > (row.market_revision or 0) and change.earliest <= row.last_session
        ]
        for row in behind
    }


def stale_causes(
    series: Iterable[Series], recipes: lineage.Recipes, changes: MarketChanges
) -> dict[int, tuple[Cause, ...]]:
    """Why each series' points are not what computing them now would give; by id, () for a current one.

    The series have points. A constant number of queries, however many they are (definition and product should come
    with them: select_related).
    """
    series = list(series)
    inputs = _inputs(series)
    rules = lineage.Rules()
    causes: dict[int, list[Cause]] = {}
    for row in series:
        causes[row.id] = [
            *_recipe_causes(row, recipes.of(row)),
            *_rules_causes(row, rules.of(row)),
            *_market_causes(row, changes.get(row.id, [])),
            *_input_causes(row, inputs),
        ]
    _name_modules({row.id: row for row in series if causes[row.id]}, causes)
    return _Dates(row for row in series if causes[row.id]).dated(causes)


def _recipe_causes(series: Series, recipe: lineage.Recipe) -> Iterator[Cause]:
    if recipe.error:
        yield Cause(Category.DEFINITION, str(series.definition), f"its definition cannot be used: {recipe.error}")
        return
    path = series.definition.algorithm
    if series.algorithm and series.algorithm != path:
        yield Cause(
            Category.DEFINITION, "algorithm", _arrow("algorithm", series.algorithm, path), series.algorithm, path
        )
    if recipe.code != series.algorithm_hash:
        yield Cause(Category.CODE, "", "algorithm code changed", series.algorithm_hash, recipe.code)
    if series.parameters != recipe.parameters:
        yield from _changed_values(Category.PARAMETERS, series.parameters or {}, recipe.parameters)


def _name_modules(series: dict[int, Series], causes: dict[int, list[Cause]]) -> None:
    """Put the modules that changed in place of changed code, where they are recorded."""
    changed = {pk for pk in series if any(cause.category == Category.CODE for cause in causes[pk])}
    if not changed:
        return
    hashes = {series[pk].algorithm_hash for pk in changed} - {""}
    recorded = CodeVersion.objects.in_bulk(hashes) if hashes else {}
    named = cache(partial(_code_causes, recorded))
    for pk in changed:
        known = {cause.category: cause for cause in causes[pk]}[Category.CODE]
        at = causes[pk].index(known)
        causes[pk][at : at + 1] = named(series[pk].definition.algorithm, known)


def _code_causes(recorded: dict[str, CodeVersion], path: str, code: Cause) -> list[Cause]:
    if code.old not in recorded:
        return [replace(code, change=f"{code.change} (modules not recorded)")]
    old, new = recorded[code.old].modules, catalogue.source_modules(path)
    modules = sorted(name for name in {**old, **new} if old.get(name) != new.get(name))
    engine = [name for name in modules if source_code.inside(name, [loaded_code.ENGINE])]
    own = [name for name in modules if name not in engine]
    causes = []
    if own or not engine:
        change = f"{code.change} ({listed(own)})" if own else code.change
        causes.append(replace(code, name=", ".join(own), change=change))
    if engine:
        change = f"engine code changed ({listed(engine)})"
        causes.append(replace(code, category=Category.ENGINE, name=", ".join(engine), change=change))
    return causes


def _rules_causes(series: Series, current: dict) -> Iterator[Cause]:
    stored = series.product_rules or {}
    if stored == current:
        return
    for name in {**current, **stored}:
        old, new = stored.get(name), current.get(name)
        if (name in stored) != (name in current) or old != new:
            own = name in COSTS and getattr(series.definition, name) is not None
            yield Cause(Category.DEFINITION if own else Category.RULES, name, _arrow(name, old, new), old, new)


def _market_causes(series: Series, changes: list[MarketChange]) -> Iterator[Cause]:
    if changes:
        first = min(change.earliest for change in changes)
        text = f"market data corrected from {first}"
        revision = series.market_revision
        yield Cause(Category.MARKET_DATA, str(series.product), text, revision, changes[-1].number, changes[0].imported)


def _inputs(series: list[Series]) -> dict[str, tuple[int, dt.datetime | None]]:
    """Generation and time of computation of the series that some read, by name."""
    names = {name for row in series for name in row.dependencies}
    rows = Series.objects.filter(name__in=names).order_by().values_list("name", "generation", "computed_at")
    return {name: (generation, computed_at) for name, generation, computed_at in rows}


def _input_causes(series: Series, inputs: dict[str, tuple[int, dt.datetime | None]]) -> Iterator[Cause]:
    for name, old in series.dependencies.items():
        if name not in inputs:
            yield Cause(Category.INPUT_SERIES, name, f"{name}, which it reads, is gone", old)
        elif inputs[name][0] != old:
            new, since = inputs[name]
            yield Cause(Category.INPUT_SERIES, name, f"{name}, which it reads, was recomputed", old, new, since)


def _changed_values(category: Category, stored: dict, current: dict) -> Iterator[Cause]:
    for name, *values in differences(stored, current):
        old, new = (None if value is ABSENT else value for value in values)
        yield Cause(category, name, _arrow(name, old, new), old, new)


def _arrow(name: str, old: Any, new: Any) -> str:
    return f"{name} {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), SHOWN)


class _Dates:
    """When values of definitions and products came into force: from their histories, since the series were computed.

    Two queries at most, and none while there is nothing to date.
    """

    def __init__(self, stale: Iterable[Series]) -> None:
        self.series = {row.pk: row for row in stale}
        self._records: dict[tuple[type, int], list[Any]] = {}
        self._rules: dict[int, dict] = {}

    def dated(self, causes: dict[int, list[Cause]]) -> dict[int, tuple[Cause, ...]]:
        """The causes with the moments that are known."""
        by_definition = {Category.DEFINITION, Category.PARAMETERS}
        definitions = {pk for pk in self.series if any(cause.category in by_definition for cause in causes[pk])}
        products = {pk for pk in self.series if any(cause.category == Category.RULES for cause in causes[pk])}
        self._read(Definition, definitions, lambda row: row.definition_id)
        self._read(Product, products, lambda row: row.product_id)
        return {
            pk: tuple(replace(cause, since=cause.since or self._since(self.series[pk], cause)) for cause in listed)
            if listed
            else ()
            for pk, listed in causes.items()
        }

    def _read(self, model: type, series: Iterable[int], key: Callable[[Series], int]) -> None:
        """The records of those that the series are of, newest first, since the first of the series was computed."""
        rows = [self.series[pk] for pk in series]
        if moments := [row.computed_at for row in rows if row.computed_at]:
            records = model.history.filter(id__in={key(row) for row in rows}, history_date__gt=min(moments))
            for record in records.order_by("-history_date", "-history_id"):
                self._records.setdefault((model, record.id), []).append(record)

    def _since(self, series: Series, cause: Cause) -> dt.datetime | None:
        if series.computed_at is None:
            return None
        if cause.category == Category.RULES:
            records, value = self._records.get((Product, series.product_id), []), self._rule(cause.name)
            current = value(series.product)
        elif cause.category in (Category.DEFINITION, Category.PARAMETERS):
            records, value = self._records.get((Definition, series.definition_id), []), _setting(cause)
            current = value(series.definition)
        else:
            return None
        since = None
        for record in records:
            if record.history_date <= series.computed_at or value(record) != current:
                break
            since = record.history_date
        return since

    def _rule(self, name: str) -> Callable[[Any], Any]:
        """A rule of a product, or of a record of its history."""

        def value(product: Any) -> Any:
            if isinstance(product, Product):
                return lineage.product_record(product).get(name)
            if product.history_id not in self._rules:
                self._rules[product.history_id] = lineage.product_record(product.instance)
            return self._rules[product.history_id].get(name)

        return value


def _setting(cause: Cause) -> Callable[[Any], Any]:
    """What of a definition, or of a record of its history, a cause is about."""
    if cause.category == Category.DEFINITION:
        return lambda definition: getattr(definition, cause.name, None)
    name = cause.name.partition(".")[0].partition("[")[0]
    return lambda definition: (definition.parameters or {}).get(name)
