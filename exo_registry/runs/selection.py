"""Which series a request means, what they read, and the order in which they can be computed."""

import datetime as dt
import graphlib
from collections.abc import Iterable
from dataclasses import dataclass

from exo_registry.definitions import broken_definitions
from exo_registry.models import Definition, Product, Series
from exo_registry.series.assessment import Assessment, State, assess, recounted


@dataclass(frozen=True)
class Selection:
    """The series to plan, those that others read first. `chosen`: names of those asked for, not just read by one that
    is. `problems`: what stands in the way."""

    series: list[Assessment]
    chosen: set[str]
    problems: list[str]


def select(
    *,
    products: Iterable[Product] | None = None,
    definitions: Iterable[Definition] | None = None,
    series: Iterable[Series] | None = None,
    now: dt.datetime | None = None,
) -> Selection:
    """The series chosen by product, definition or name (None: all), and all that they read.

    A handful of queries whatever the number of series; nothing is written.
    """
    choice = _Choice(products, definitions, series)
    assessments = _assessments(choice.product_ids(), now)
    current = {row.series.name: row for row in assessments if row.state != State.RETIRED}
    problems = choice.problems(assessments)
    needs: dict[str, list[str]] = {}
    unusable: set[str] = set()
    chosen = {name for name, row in current.items() if choice.includes(row.series)}
    waiting = sorted(chosen)
    while waiting:
        name = waiting.pop()
        if name in needs or name in unusable:
            continue
        if problem := _problem(current[name], current):
            problems.append(problem)
            unusable.add(name)
            continue
        needs[name] = current[name].needs
        waiting.extend(needs[name])
    order = _in_order(needs, problems)
    return Selection(recounted(current[name] for name in order), chosen, problems)


class _Choice:
    """What was asked for; None means all."""

    def __init__(
        self,
        products: Iterable[Product] | None,
        definitions: Iterable[Definition] | None,
        series: Iterable[Series] | None,
    ) -> None:
        self.products = None if products is None else {product.pk: product for product in products}
        self.definitions = None if definitions is None else {definition.pk: definition for definition in definitions}
        self.series = None if series is None else {row.pk: row for row in series}

    def product_ids(self) -> set[int] | None:
        """Products that hold all that is chosen; a series reads others of its own product only."""
        ids = [set(self.products)] if self.products is not None else []
        if self.series is not None:
            ids.append({row.product_id for row in self.series.values()})
        return set.intersection(*ids) if ids else None

    def includes(self, series: Series) -> bool:
        return (
            (self.products is None or series.product_id in self.products)
            and (self.definitions is None or series.definition_id in self.definitions)
            and (self.series is None or series.pk in self.series)
        )

    def problems(self, assessments: list[Assessment]) -> list[str]:
        """Things asked for by name that are not in calculation, and definitions that cannot be loaded."""
        definitions = (self.definitions or {}).values()
        enabled = Definition.objects.filter(enabled=True).order_by("name")
        broken = broken_definitions(enabled if self.definitions is None else definitions)
        problems = [f"{name}: {reason}" for name, reason in broken.items()]
        problems += [
            f"{product} is not active: activate it in the admin, or with importmarket --activate."
            for product in (self.products or {}).values()
            if not product.active
        ]
        problems += [
            f"{definition} is not enabled: enable it in the admin."
            for definition in definitions
            if not definition.enabled
        ]
        known = {row.series.pk: row for row in assessments}
        return problems + [
            _why_absent(series, known.get(pk))
            for pk, series in (self.series or {}).items()
            if pk not in known or known[pk].state == State.RETIRED
        ]


def _why_absent(series: Series, assessment: Assessment | None) -> str:
    """Why a series that was asked for is not planned: it is retired, or of another product than was asked for."""
    if assessment is not None:
        return f"{series} is not in calculation: {assessment.why}."
    return f"{series} is of none of the products asked for: name {series.product} too, or no product."


def _assessments(product_ids: set[int] | None, now: dt.datetime | None) -> list[Assessment]:
    """All series of some products or (None) of all."""
    rows = Series.objects.select_related("definition", "product").defer("state", "sparkline")
    rows = rows.order_by("product__exchangesymbol", "name")
    return list(assess(rows if product_ids is None else rows.filter(product__in=product_ids), now).values())


def _problem(row: Assessment, current: dict[str, Assessment]) -> str:
    """Why a series cannot be planned; empty if it can."""
    if row.recipe.error:
        return f"{row.series}: {row.recipe.error}"
    if absent := [name for name in row.needs if name not in current]:
        symbol, _, label = absent[0].partition("_")
        return (
            f"{row.series}: {row.series.definition} reads {absent[0]}, which is not in calculation: "
            f"enable an EXO definition whose series is called {label}, for {symbol}."
        )
    return ""


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
