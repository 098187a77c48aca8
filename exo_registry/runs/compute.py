"""One series computed, and stored in one transaction: points, trades, gaps, state, lineage and what lists show."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from django.db import transaction
from django.utils import timezone

from algorithms.engine.algorithm import Algorithm
from algorithms.engine.history import History, history_column
from algorithms.engine.loop import run
from algorithms.engine.market import Market
from algorithms.engine.rows import PointRow, Result, TradeRow
from exo_registry import market as market_store
from exo_registry.code import loaded_code
from exo_registry.definitions import catalogue
from exo_registry.market.session_lists import Calendar, calendars
from exo_registry.models import CodeVersion, Gap, Point, Product, Run, Series, Status, Step, Trade, bulk
from exo_registry.series import lineage
from exo_registry.series.assessment import State, assess

from .lease import Lease
from .plan import span_of
from .stages import Stages

SPARKLINE = 60
WARNINGS_KEPT = 100
# The tables' columns are named as the engine's rows.
POINT_COLUMNS = PointRow._fields
TRADE_COLUMNS = TradeRow._fields
GAP_COLUMNS = ("date", "reason")


class CannotCompute(Exception):
    """The step fails for a reason that an operator can understand and fix; the message says it."""


class Retired(Exception):
    """The series is not in calculation any more; the message says why."""


class CodeChanged(Exception):
    """The algorithm's code on disk is no longer what the step was computed with; the message says it."""


class Markets:
    """One product's market for the steps of one task, loaded at most once from the beginning."""

    def __init__(self, product: Product, stages: Stages | None = None) -> None:
        self.product = product
        self.stages = stages or Stages()
        self._whole: Market | None = None
        self._recent: tuple[dt.date, set[str], Market] | None = None
        self._held: set[str] = set()

    @cached_property
    def calendar(self) -> Calendar:
        return calendars([self.product])[self.product.pk]

    def whole(self) -> Market:
        if self._whole is None:
            with self.stages.time("load"):
                self._whole = market_store.load_market(self.product)
        return self._whole

    def since(self, date: dt.date, held: set[str]) -> Market:
        """A market good for the sessions from `date` on, with the contracts `held`."""
        if self._whole is not None:
            return self._whole
        if self._recent is None or not (self._recent[0] <= date and held <= self._recent[1]):
            self._held |= held  # those past their expiry are not loaded unless they are named
            first = min(date, self._recent[0]) if self._recent else date
            with self.stages.time("load"):
                market = market_store.load_market(self.product, since=first, also=sorted(self._held))
            self._recent = (first, set(market.names), market)
        return self._recent[2]


@dataclass(frozen=True)
class Computed:
    """A series' new rows and what they were computed from, not stored yet."""

    series: Series
    rebuilt: bool
    start: dt.date
    last_session: dt.date
    result: Result
    algorithm: str
    algorithm_hash: str
    modules: dict[str, str]
    parameters: dict
    rules: dict
    revision: int
    dependencies: dict[str, int]


@dataclass(frozen=True)
class Written:
    """Points and trades added, changed or removed, and the gaps among the sessions computed."""

    points: int
    trades: int
    gaps: int


def compute(step: Step, markets: Markets, on_session: Callable[[int, int], None]) -> Computed:
    """Compute the sessions that the step is for. Raises CannotCompute, CodeChanged, Retired, or what
    `on_session` raises.

    Looks again at what the plan found, since time has passed: a series that has gone stale is rebuilt.
    """
    series = Series.objects.select_related("definition").get(pk=step.series_id)
    series.product = markets.product
    assessment = assess([series], code_hash=catalogue.loaded_hash)[series.pk]
    if assessment.state == State.RETIRED:
        raise Retired(assessment.why)
    try:
        algorithm = lineage.algorithm_of(series)
        code = catalogue.loaded_hash(series.definition.algorithm)
    except catalogue.CatalogueError as error:
        raise CannotCompute(str(error)) from error
    _require_loadable(series.definition.algorithm, code)
    if not markets.calendar:
        raise CannotCompute(f"{markets.product} has no complete session of market data. Import some with importmarket.")
    reads = _dependencies(series, algorithm)
    rebuild = step.from_start or series.last_session is None or bool(assessment.causes)
    request = step.run
    if series.last_session is None and request.start is None:
        raise CannotCompute("never backfilled: say from which date (From; in the shell -B)")
    span = span_of(
        series,
        markets.calendar,
        start=request.start,
        until=request.until,
        reset=request.mode == Run.Mode.RESET and step.from_start,
        limits=[row.last_session for row in reads.values()],
    )
    state = None if rebuild else series.state
    first = span.first if rebuild else series.last_session + dt.timedelta(days=1)
    sessions = markets.calendar.between(first, span.last)
    on_session(0, len(sessions))
    result = run(
        algorithm,
        _market(markets, sessions, state, rebuild),
        first=first,
        last=span.last,
        state=state,
        histories=_histories(algorithm, reads, state),
        costs=lineage.costs_of(series),
        on_session=on_session,
    )
    return Computed(
        series=series,
        rebuilt=rebuild,
        start=span.first,
        last_session=sessions[-1].item() if len(sessions) else series.last_session or span.last,
        result=result,
        algorithm=series.definition.algorithm,
        algorithm_hash=code,
        modules=catalogue.loaded_modules(series.definition.algorithm),
        parameters=lineage.parameters_record(algorithm),
        rules=lineage.Rules().of(series),
        revision=markets.calendar.revision,
        dependencies={row.name: row.generation for row in reads.values()},
    )


def _market(markets: Markets, sessions: np.ndarray, state: dict | None, rebuild: bool) -> Market:
    if rebuild or not len(sessions):
        return markets.whole()
    return markets.since(sessions[0].item(), {name for name, *_ in state["holdings"]})


def _dependencies(series: Series, algorithm: Algorithm) -> dict[str, Series]:
    """The series read, by label. Their generation is noted before their points are read, so that a change in
    between leaves this series stale rather than wrong."""
    names = dict(zip(algorithm.needs(), lineage.needed_names(series, algorithm), strict=True))
    known = {row.name: row for row in Series.objects.filter(name__in=names.values()).select_related("product")}
    for name in names.values():
        if name not in known or known[name].last_session is None:
            raise CannotCompute(f"it reads {name}, which has not been computed: backfill that series first")
    return {label: known[name] for label, name in names.items()}


def _histories(algorithm: Algorithm, reads: dict[str, Series], state: dict | None) -> dict[str, History]:
    """Points of the series read; with a state, those after it, so that a day costs the same however long they are."""
    histories = {}
    for label, read in reads.items():
        points = Point.objects.filter(series=read)
        if state is not None and label not in algorithm.reads:
            points = points.filter(date__gt=state["session"])
        column = history_column(market_store.rules(read.product))
        rows = list(points.order_by("date").values_list("date", column))
        histories[label] = History(
            np.array([date for date, _ in rows], "datetime64[D]"), np.array([value for _, value in rows], np.float64)
        )
    return histories


def store(computed: Computed, lease: Lease) -> Written:
    """Store all of it in one transaction, or nothing.

    Raises LeaseGone if the step is no longer held, CodeChanged if the code has changed since it was loaded.
    """
    result = computed.result
    with transaction.atomic():
        lease.end(
            Status.DONE,
            sessions_done=len(result.points) + len(result.gaps),
            sessions_total=len(result.points) + len(result.gaps),
            gaps=len(result.gaps),
            warnings=[f"{date}: {message}" for date, message in result.warnings[:WARNINGS_KEPT]],
        )
        series = Series.objects.select_for_update().get(pk=computed.series.pk)
        points, trades = _stored_rows(result.points), _stored_rows(result.trades)
        rows = (
            (Point, POINT_COLUMNS, 1, points),
            (Trade, TRADE_COLUMNS, 2, trades),
            (Gap, GAP_COLUMNS, 1, result.gaps),
        )
        write = _replace if computed.rebuilt else _insert
        changed, traded, _ = [write(model, series, columns, key, new) for model, columns, key, new in rows]
        if series.last_date is not None and any(date <= series.last_date for date, *_ in changed):
            series.generation += 1
        _describe(series, computed, points)
        series.save()
        Step.objects.filter(pk=lease.step.pk).update(rows_written=len(changed))
        CodeVersion.objects.bulk_create(
            [CodeVersion(hash=computed.algorithm_hash, modules=computed.modules)], ignore_conflicts=True
        )
        _require_same_code(computed)
    return Written(len(changed), len(traded), len(result.gaps))


def _stored_rows(rows: list[tuple]) -> list[tuple]:
    """Rows as both databases keep them. Adding 0.0 turns -0.0 into 0.0, which SQLite does by itself."""
    return [tuple([value + 0.0 if type(value) is float else value for value in row]) for row in rows]


def _require_loadable(path: str, loaded: str) -> None:
    """Raise CodeChanged if the code on disk is not what is loaded, and CannotCompute if no process could load it."""
    try:
        if catalogue.source_hash(path) == loaded:
            return
    except catalogue.CatalogueError as error:
        raise CannotCompute(str(error)) from error
    if unusable := loaded_code.unusable():
        raise CannotCompute(f"{', '.join(unusable)}: the file is gone or is not Python; put it right, then try again")
    raise CodeChanged(f"the code of {path} changed while it was loaded")


def _require_same_code(computed: Computed) -> None:
    """Raise CodeChanged unless what ran is what is on disk: modules that came to be imported while it ran, too."""
    path = computed.series.definition.algorithm
    try:
        hashes = {computed.algorithm_hash, catalogue.loaded_hash(path), catalogue.source_hash(path)}
    except catalogue.CatalogueError as error:
        raise CodeChanged(str(error)) from error
    if len(hashes) > 1:
        raise CodeChanged(f"the code of {path} changed while it was computed")


def _insert(model: type, series: Series, columns: tuple[str, ...], key: int, rows: list[tuple]) -> list[tuple]:
    """Add rows. Returns their keys: the first `key` columns, which identify a row."""
    if rows:
        bulk.insert(model, ("series_id", *columns), ((series.pk, *row) for row in rows))
    return [tuple(row[:key]) for row in rows]


def _replace(model: type, series: Series, columns: tuple[str, ...], key: int, rows: list[tuple]) -> list[tuple]:
    """Make `rows` the stored ones, writing only those that differ. Returns the keys added, changed and removed."""
    stored = {row[:key]: row for row in model.objects.filter(series=series).order_by().values_list(*columns)}
    fresh = {tuple(row[:key]): tuple(row) for row in rows}
    gone = [place for place, row in stored.items() if fresh.get(place) != row]
    new = [row for place, row in fresh.items() if stored.get(place) != row]
    if gone and len(gone) == len(stored):
        model.objects.filter(series=series).delete()
    elif gone:
        bulk.delete(model, ("series_id", *columns[:key]), ((series.pk, *place) for place in gone))
    return sorted({*gone, *_insert(model, series, columns, key, new)})


def _sessions_between(series: Series, before: dt.date, last: dt.date) -> int:
    """The sessions that the change between two points is over: one, and one more for each gap, which is stored."""
    return 1 + series.gaps.filter(date__gt=before, date__lt=last).count()


def _describe(series: Series, computed: Computed, points: list[tuple]) -> None:
    """Fill in the series row: what lists show, the state to go on from, and the lineage."""
    result = computed.result
    values = [row[1] for row in points]
    if computed.rebuilt:
        series.start = computed.start
        series.first_date = points[0][0] if points else None
        series.last_date = None
        series.points_count, series.gaps_count, series.sparkline = 0, 0, []
        series.last_exo = series.previous_exo = series.change_sessions = series.last_delta = None
    recent = [*series.sparkline, *values][-SPARKLINE:]
    if points:
        series.first_date = series.first_date or points[0][0]
        before = points[-2][0] if len(points) > 1 else series.last_date
        series.change_sessions = _sessions_between(series, before, points[-1][0]) if before else None
        series.last_date, series.last_exo, series.last_delta = points[-1][:3]
        series.previous_exo = recent[-2] if len(recent) > 1 else None
    series.sparkline = recent
    series.points_count += len(points)
    series.gaps_count += len(result.gaps)
    series.last_session = computed.last_session
    series.state = result.state
    series.algorithm = computed.algorithm
    series.algorithm_hash = computed.algorithm_hash
    series.parameters = computed.parameters
    series.product_rules = computed.rules
    series.market_revision = computed.revision
    series.dependencies = computed.dependencies
    series.computed_at = timezone.now()
