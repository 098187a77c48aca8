"""How series are, and why: the one judgement that plans, workers, online work, pages, metrics and the API share.

A series is, the first that holds:
- retired: nothing computes it, since its definition or its product no longer ask for it;
- failed: its newest ended step failed, or its product's market data cannot be read;
- never run: it has no first backfill;
- stale: an input is no longer what its points were computed from (`causes`);
- late: sessions are missing, or no bar of the session expected has come (DELAY after its decision time);
- history: it has all there is, and its product's data ended long ago;
- fresh.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef
from django.utils import timezone

from exo_registry.definitions import catalogue
from exo_registry.formats.text import counted
from exo_registry.market import MarketStoreError
from exo_registry.models import Definition, Gap, Point, Series, Status, Step
from exo_registry.models.exo import meant_products
from exo_registry.models.run import ENDED

from .causes import Cause, MarketChange, MarketChanges, market_changes, stale_causes
from .lineage import Recipe, Recipes
from .product_data import NO_SESSIONS, ProductData, Sessions, product_data

FEW = 100  # series that a query names one by one


class State(StrEnum):
    FRESH = "fresh"
    LATE = "late"
    STALE = "stale"
    NEVER_RUN = "never run"
    FAILED = "failed"
    RETIRED = "retired"
    HISTORY = "history"


class Due(StrEnum):
    """Why online work computes a series now."""

    MISSING = "missing"  # it lacks sessions, the newest ones or earlier ones
    CORRECTED = "corrected"  # bars of its newest session came or changed after it was computed


@dataclass(frozen=True)
class Hole:
    """Sessions that a series should have up to its last one, and how many it has, as points or gaps."""

    expected: int
    stored: int
    last: dt.date

    def __str__(self) -> str:
        return f"a hole: {self.stored} of {self.expected} sessions up to {self.last} are stored"


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """One series at one moment.

    `why` says why it is in its state, in plain English; empty for a fresh one and one that was never run. `causes`: why
    it is stale. `missing`: complete sessions after its last one. `hole`: that it lacks earlier ones. `due`: that, and
    why, online work computes it now. `failure`: its newest ended step, if that failed. `recipe`: what it would be
    computed by (None: retired). `data`: its product's market data, and `problem`: why that cannot be read.
    """

    series: Series
    state: State
    why: str = ""
    causes: tuple[Cause, ...] = ()
    missing: Sessions = NO_SESSIONS
    hole: Hole | None = None
    due: Due | None = None
    failure: Step | None = None
    recipe: Recipe | None = None
    data: ProductData
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.why}" if self.why else str(self.state)

    @property
    def needs(self) -> list[str]:
        """Names of the series that must be computed before this one."""
        return [] if self.recipe is None else [f"{self.data.product}_{label}" for label in self.recipe.needs]


def assess(
    series: Iterable[Series],
    now: dt.datetime | None = None,
    *,
    code_hash: Callable[[str], str] | None = None,
    data: dict[int, ProductData] | None = None,
) -> dict[int, Assessment]:
    """How each series is at a moment (aware; None: now), by id.

    A constant number of queries, however many series; definition and product should come with them (select_related;
    `light` for many). `code_hash`: of an algorithm's path; None: of the code on disk. `data`: of their products at that
    moment, if the caller has it.
    """
    series = list(series)
    if data is None:
        data = product_data({row.product_id: row.product for row in series}.values(), now or timezone.now())
    retired = _retired(series)
    current = [row for row in series if row.id not in retired]
    computed = [row for row in current if row.last_session is not None]
    recipes = Recipes(code_hash)
    changes = market_changes(computed, {pk: end_data.end for pk, end_data in data.items()})
    causes = stale_causes(computed, recipes, changes)
    failures = _failures(data, current)
    lacks, problems = _all_lacks(current, data, changes)
    assessments = {}
    for row in series:
        pk, product = row.id, row.product_id
        known = data[product]
        if pk in retired:
            assessments[pk] = Assessment(series=row, state=State.RETIRED, why=retired[pk], data=known)
            continue
        lack, problem = lacks.get(pk, NOTHING), problems.get(product, "")
        state, why = _state(row, lack, causes.get(pk, ()), failures.get(pk), problem)
        assessments[pk] = Assessment(
            series=row,
            state=state,
            why=why,
            causes=causes.get(pk, ()),
            missing=lack.missing,
            hole=lack.hole,
            due=lack.due,
            failure=failures.get(pk),
            recipe=recipes.of(row),
            data=known,
            problem=problem,
        )
    return assessments


def assess_series(series: Series, now: dt.datetime | None = None) -> Assessment:
    """How one series is at a moment."""
    return assess([series], now)[series.pk]


def recounted(assessments: Iterable[Assessment]) -> list[Assessment]:
    """The same, with holes found by counting the rows, not by the counts kept with the series. Slower, two queries: a
    plan so fixes what somebody deleted."""
    assessments = list(assessments)
    counts: Counter[int] = Counter()
    for model in (Point, Gap):
        rows = model.objects.filter(series__in=[row.series.pk for row in assessments]).order_by()
        counts.update(dict(rows.values_list("series").annotate(Count("date"))))
    return [_recounted(row, counts[row.series.pk]) for row in assessments]


def _recounted(assessment: Assessment, stored: int) -> Assessment:
    series = assessment.series
    if assessment.problem or series.last_session is None or stored == series.points_count + series.gaps_count:
        return assessment
    try:
        return replace(assessment, hole=_hole(series, assessment.data, stored))
    except MarketStoreError:
        return assessment


class _Lack(NamedTuple):
    """What a series lacks. `late`: why it is late, if it is."""

    missing: Sessions = NO_SESSIONS
    hole: Hole | None = None
    due: Due | None = None
    late: str = ""
    is_history: bool = False


NOTHING = _Lack()


def _all_lacks(
    series: list[Series], data: dict[int, ProductData], changes: MarketChanges
) -> tuple[dict[int, _Lack], dict[int, str]]:
    """What series lack, by id; and why the market data of products cannot be read, by theirs."""
    lacks: dict[int, _Lack] = {}
    problems: dict[int, str] = {}
    unchanged: dict[tuple[int, dt.date | None], _Lack] = {}  # what all lack that reach a session and have no changes
    for row in series:
        product, own_changes = row.product_id, changes.get(row.id, [])
        if product in problems:
            continue
        key = (product, row.last_session)
        if not own_changes and key in unchanged:
            lacks[row.id] = unchanged[key]
            continue
        try:
            lacks[row.id] = _lack(row, data[product], own_changes)
        except MarketStoreError as error:
            problems[product] = str(error)
            continue
        if not own_changes:
            unchanged[key] = lacks[row.id]
    return lacks, problems


def _lack(series: Series, data: ProductData, changes: list[MarketChange]) -> _Lack:
    """Compare what a series has with what its product's data has. Raises MarketStoreError."""
    last = series.last_session
    if last is None or data.newest is None:
        return NOTHING
    # Earlier sessions come, or go, only by an import that changed what the series was computed from.
    hole = _hole(series, data, series.points_count + series.gaps_count) if changes else None
    return _Lack(
        missing=data.between(last, data.newest),
        hole=hole,
        due=_due(last, data, changes, hole),
        late=_late(last, data),
        is_history=data.is_history,
    )


def _hole(series: Series, data: ProductData, stored: int) -> Hole | None:
    expected = len(data.calendar.between(series.start, series.last_session))
    return Hole(expected, stored, series.last_session) if stored != expected else None


def _due(last: dt.date, data: ProductData, changes: list[MarketChange], hole: Hole | None) -> Due | None:
    if not data.is_live:
        return None
    if last < data.computable:
        return Due.MISSING
    earliest = min((change.earliest for change in changes), default=None)
    if last == data.computable == earliest:
        return Due.CORRECTED
    return Due.MISSING if hole else None


def _late(last: dt.date, data: ProductData) -> str:
    newest, expected = data.punctual.newest, data.punctual.expected
    if newest is None:
        return ""
    if last < newest:
        behind = data.punctual.between(last, newest).count
        return f"{counted(behind, 'session')} behind {newest}"
    if expected is not None and newest < expected and not data.is_history:
        return f"market data ends on {newest}; a session was expected on {expected}"
    return ""


def _state(
    series: Series, lack: _Lack, causes: tuple[Cause, ...], failure: Step | None, problem: str
) -> tuple[State, str]:
    if problem:
        return State.FAILED, problem
    if failure is not None:
        return State.FAILED, f"run {failure.run_id}: {failure.error}"
    if series.last_session is None:
        return State.NEVER_RUN, ""
    if causes:
        return State.STALE, "; ".join(map(str, (*causes, lack.hole) if lack.hole else causes))
    if lack.late:
        return State.LATE, lack.late
    return (State.HISTORY, f"market data ended on {series.last_session}") if lack.is_history else (State.FRESH, "")


def _failures(products: Iterable[int], series: list[Series]) -> dict[int, Step]:
    """The newest ended steps of the series, of those whose newest one failed."""
    newer = Step.objects.filter(series=OuterRef("series"), run__gt=OuterRef("run"), status__in=ENDED)
    failed = Step.objects.filter(~Exists(newer), status=Status.FAILED).select_related("run").defer("warnings")
    few = len(series) < FEW
    failed = failed.filter(series__in=[row.id for row in series]) if few else failed.filter(product__in=products)
    return {step.series_id: step for step in failed}


def _retired(series: list[Series]) -> dict[int, str]:
    """Why each retired series is retired, by id."""
    named: dict[int, list[int]] = defaultdict(list)
    pairs = Definition.products.through.objects.filter(definition__in={row.definition_id for row in series})
    for definition, product in pairs.values_list("definition_id", "product_id"):
        named[definition].append(product)
    has_direction = cache(_has_direction)
    reasons = {}
    for row in series:
        definition, product = row.definition, row.product
        if not definition.enabled:
            reasons[row.id] = "its definition is not enabled"
        elif not product.active:
            reasons[row.id] = "its product is not active"
        elif product.id not in meant_products(named.get(definition.id, ()), (product.id,)):
            reasons[row.id] = f"its definition no longer means {product}"
        elif not has_direction(definition.algorithm, row.direction):
            reasons[row.id] = f"its algorithm no longer has the direction {row.direction!r}"
    return reasons


def _has_direction(algorithm: str, direction: str) -> bool:
    """Whether the algorithm at a dotted path still has the direction. One that cannot be loaded is taken to have it:
    that is an error of its own."""
    try:
        return direction in catalogue.load(algorithm).directions
    except catalogue.CatalogueError:
        return True
