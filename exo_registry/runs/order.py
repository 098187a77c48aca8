"""Which series a request means, what they read, and the order in which they can be computed."""

import graphlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from exo_registry import catalogue
from exo_registry.models import Definition, Gap, Point, Product, Series
from exo_registry.registry import sync_series

from .lineage import algorithm_of, needed_names


@dataclass(frozen=True)
class Wanted:
    """A series to plan. `chosen`: asked for, not just read by one that is. `stored`: its points and gaps."""

    series: Series
    needs: list[str]
    chosen: bool
    stored: int


def wanted_series(
    *,
    products: Iterable[Product] | None = None,
    exos: Iterable[Definition] | None = None,
    series: Iterable[Series] | None = None,
    sync: bool = True,
) -> tuple[list[Wanted], list[str]]:
    """The series chosen and all that they read, those read first; and what stands in the way, in words.

    Series rows are brought in step with the definitions first (`sync`). A handful of queries whatever the number of
    series.
    """
    broken = sync_series().broken if sync else {}
    choice = _Choice(products, exos, series)
    current = {one.name: one for one in _current(choice.product_ids())}
    problems = choice.problems(current, broken)
    needs: dict[str, list[str]] = {}
    unusable: set[str] = set()
    chosen = {one.name for one in current.values() if choice.includes(one)}
    waiting = sorted(chosen)
    while waiting:
        name = waiting.pop()
        if name in needs or name in unusable:
            continue
        try:
            needs[name] = needed_names(current[name], algorithm_of(current[name]))
        except catalogue.CatalogueError as error:
            problems.append(f"{name}: {error}")
            unusable.add(name)
            continue
        if absent := [needed for needed in needs[name] if needed not in current]:
            problems.append(_absent(current[name], absent[0]))
            unusable.add(name)
            del needs[name]
            continue
        waiting.extend(needs[name])
    order = _in_order(needs, problems)
    stored = _stored([current[name].pk for name in order])
    return [Wanted(current[n], needs[n], n in chosen, stored.get(current[n].pk, 0)) for n in order], problems


class _Choice:
    """What was asked for; None means all."""

    def __init__(
        self,
        products: Iterable[Product] | None,
        exos: Iterable[Definition] | None,
        series: Iterable[Series] | None,
    ) -> None:
        self.products = None if products is None else {one.pk: one for one in products}
        self.exos = None if exos is None else {one.pk: one for one in exos}
        self.series = None if series is None else {one.pk: one for one in series}

    def product_ids(self) -> set[int] | None:
        """Products that hold all that is chosen; a series reads others of its own product only."""
        ids = [set(self.products)] if self.products is not None else []
        if self.series is not None:
            ids.append({one.product_id for one in self.series.values()})
        return set.intersection(*ids) if ids else None

    def includes(self, one: Series) -> bool:
        return (
            (self.products is None or one.product_id in self.products)
            and (self.exos is None or one.definition_id in self.exos)
            and (self.series is None or one.pk in self.series)
        )

    def problems(self, current: dict[str, Series], broken: dict[str, str]) -> list[str]:
        """Things asked for by name that are not in calculation."""
        exos = self.exos or {}
        named = {one.name for one in exos.values()}
        found = [f"{name}: {why}" for name, why in broken.items() if self.exos is None or name in named]
        found += [
            f"{product} is not active: activate it in the admin, or with importmarket --activate."
            for product in (self.products or {}).values()
            if not product.active
        ]
        found += [f"{exo} is not enabled: enable it in the admin." for exo in exos.values() if not exo.enabled]
        known = {one.pk for one in current.values()}
        found += [
            f"{one} is not in calculation: its definition or its product is switched off, or they no longer meet."
            for one in (self.series or {}).values()
            if one.pk not in known
        ]
        return found


def _current(product_ids: set[int] | None) -> list[Series]:
    """The series in calculation: of an active product and an enabled definition that is still meant for it."""
    found: QuerySet[Series] = (
        Series.objects.filter(definition__enabled=True, product__active=True)
        .select_related("definition", "product")
        .prefetch_related("definition__products")
        .order_by("product__exchangesymbol", "name")
    )
    if product_ids is not None:
        found = found.filter(product__in=product_ids)
    return [one for one in found if _is_meant(one)]


def _is_meant(one: Series) -> bool:
    products = one.definition.products.all()
    if products and one.product not in products:
        return False
    try:
        return one.direction in catalogue.load(one.definition.algorithm).directions
    except catalogue.CatalogueError:
        return True  # said by name when its algorithm is built


def _absent(one: Series, needed: str) -> str:
    symbol, _, label = needed.partition("_")
    return (
        f"{one}: {one.definition} reads {needed}, which is not in calculation: "
        f"enable an EXO definition whose series is called {label}, for {symbol}."
    )


def _in_order(needs: dict[str, list[str]], problems: list[str]) -> list[str]:
    """Names, those read first and otherwise by product and name; a circle is a problem, and all in it is left out."""
    needs = dict(needs)
    while True:
        graph = {name: [needed for needed in sorted(needs[name]) if needed in needs] for name in sorted(needs)}
        try:
            order = list(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            circle = error.args[1]
            problems.append(f"{circle[0]}: series read each other in a circle: {' reads '.join(reversed(circle))}.")
            for name in circle:
                needs.pop(name, None)
            continue
        # Stable: of one product together, each still after what it reads.
        return sorted(order, key=lambda name: name.partition("_")[0])


def _stored(ids: list[int]) -> dict[int, int]:
    """Points and gaps stored, by series."""
    counts: dict[int, int] = {}
    for model in (Point, Gap):
        rows = model.objects.filter(series__in=ids).order_by().values_list("series").annotate(Count("date"))
        for series_id, count in rows:
            counts[series_id] = counts.get(series_id, 0) + count
    return counts
