"""What a run will compute: for each series which sessions, from where, and why. The preview is this same plan.

The rules:
- A series is computed for the first time, extended from its stored state, or rebuilt: computed again from its start,
  with only the rows that differ written. Rebuilding fixes holes, staleness and an earlier start.
- A stale series is never extended, since its newest points would not follow from its older ones: if it lacks
  sessions it is rebuilt, in every mode. Mode `missing` leaves a stale series that lacks nothing as it is.
- Series that a chosen one reads are planned before it, and are taken in by themselves when they lag behind it.
  No series goes past the newest session of one that it reads.
- What cannot be planned is a problem, in words, and does not stop the rest.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from exo_registry.code import loaded_code
from exo_registry.formats.text import counted, listed
from exo_registry.market import MarketStoreError
from exo_registry.market.session_lists import Calendar
from exo_registry.models import Definition, Product, Run, Series, Step, event_log
from exo_registry.models.run import ACTIVE
from exo_registry.series.assessment import Assessment

from .retry import retry_transient
from .selection import select

BACKFILL, EXTEND, REBUILD, SKIP = "backfill", "extend", "rebuild", "skip"
FROM_START = (BACKFILL, REBUILD)


class AlreadyActive(Exception):
    """Another run is computing one of the series; `run` is that one."""

    def __init__(self, run: Run, names: list[str]) -> None:
        self.run = run
        super().__init__(f"Run {run.pk} is already computing {listed(names)}: wait for it to end, or cancel it.")


class NothingToDo(Exception):
    """The plan holds nothing to compute; the message says why."""

    def __init__(self, plan: "Plan") -> None:
        self.plan = plan
        super().__init__("Nothing to compute: " + ("; ".join(plan.problems) or "every series is up to date."))


@dataclass(frozen=True)
class PlanItem:
    """One series of a plan. `sessions` counts what is computed; `first` and `last` bound it; `reason` says why;
    `needs` are names of the series that it reads."""

    series: Series
    action: str
    reason: str
    sessions: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    needs: tuple[str, ...] = ()


@dataclass
class Plan:
    """Items in the order in which they are computed, and what could not be planned."""

    kind: str
    mode: str
    start: dt.date | None
    until: dt.date | None
    items: list[PlanItem] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def work(self) -> list[PlanItem]:
        """The items that are computed."""
        return [item for item in self.items if item.action != SKIP]

    @property
    def total_sessions(self) -> int:
        return sum(item.sessions for item in self.items)


def make_plan(
    *,
    products: Iterable[Product] | None = None,
    definitions: Iterable[Definition] | None = None,
    series: Iterable[Series] | None = None,
    start: dt.date | None = None,
    until: dt.date | None = None,
    mode: str = Run.Mode.MISSING,
    kind: str = Run.Kind.BACKFILL,
    now: dt.datetime | None = None,
) -> Plan:
    """The plan for the series chosen by product, definition or name (None: all).

    `start` is the first session wanted of series without points, or of all with mode reset; one earlier than
    what is stored rebuilds from there. `until` is the last one (None: the newest complete session). Nothing is written.
    """
    loaded_code.refresh()
    plan = Plan(kind=kind, mode=mode, start=start, until=until)
    selection = select(products=products, definitions=definitions, series=series, now=now)
    plan.problems = selection.problems
    calendars = _Calendars(plan.problems)
    planned: dict[str, PlanItem] = {}
    for row in selection.series:
        if (calendar := calendars.of(row)) is None:
            continue
        if unplanned := [name for name in row.needs if name not in planned]:
            plan.problems.append(f"{row.series}: it reads {unplanned[0]}, which cannot be computed.")
            continue
        is_chosen = row.series.name in selection.chosen
        try:
            item = _item(plan, row, is_chosen, calendar, planned)
        except _Problem as problem:
            plan.problems.append(str(problem))
            continue
        planned[row.series.name] = item
        if is_chosen or item.action != SKIP:
            plan.items.append(item)
    return plan


class _Calendars:
    """The calendars of products; one that cannot be read is a problem, named once."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self._known: dict[int, Calendar | None] = {}

    def of(self, row: Assessment) -> Calendar | None:
        product = row.series.product_id
        if product not in self._known:
            try:
                self._known[product] = row.data.calendar
            except MarketStoreError as error:
                self._known[product] = None
                self.problems.append(f"{error}.")
        return self._known[product]


class _Problem(Exception):
    pass


def _item(plan: Plan, row: Assessment, is_chosen: bool, calendar: Calendar, planned: dict[str, PlanItem]) -> PlanItem:
    """What to do with one series; `planned` holds the series that it reads."""
    series, needs = row.series, [planned[name] for name in row.needs]
    if not calendar:
        symbol = series.product.exchangesymbol
        raise _Problem(f"{series}: {symbol} has no complete session of market data. Import some with importmarket.")
    if series.last_session is None and plan.start is None:
        raise _Problem(f"{series}: never backfilled: say from which date (From; in the shell -B).")
    reset = plan.mode == Run.Mode.RESET and is_chosen
    span = span_of(
        series, calendar, start=plan.start, until=plan.until, reset=reset, limits=[item.last for item in needs]
    )
    missing = calendar.between(span.first, span.last)
    if series.last_session is not None:
        missing = missing[missing > series.last_session]
    why = _why_rebuild(plan, row, reset, span, calendar, needs)
    fixes_stale = len(missing) or plan.mode == Run.Mode.STALE
    if row.causes and (fixes_stale or why):
        why.append(f"stale: {_listed(row)}")
    if why:
        sessions = calendar.between(span.first, span.last)
        if not len(sessions):
            raise _Problem(f"{series}: there is no session from {span.first} to {span.last}.")
        action, reason = BACKFILL if series.last_session is None else REBUILD, "; ".join(why)
    elif len(missing):
        sessions, action = missing, EXTEND
        reason = counted(len(missing), "newer session")
    else:
        reason = _why_skip(row, span, calendar)
        return PlanItem(series, SKIP, reason, last=series.last_session, needs=tuple(row.needs))
    first, last = sessions[0].item(), sessions[-1].item()
    return PlanItem(series, action, reason, len(sessions), first, last, tuple(row.needs))


def _listed(row: Assessment) -> str:
    return "; ".join(map(str, row.causes))


def _why_rebuild(
    plan: Plan, row: Assessment, reset: bool, span: "Span", calendar: Calendar, needs: list[PlanItem]
) -> list[str]:
    """Reasons, staleness apart, to compute a series again from its start."""
    series = row.series
    if series.last_session is None:
        return ["first backfill"]
    if reset:
        return ["asked for from the start"]
    why = []
    earlier = calendar.between(span.first, series.start - dt.timedelta(days=1)) if span.first < series.start else ()
    if len(earlier):
        why.append(f"{counted(len(earlier), 'earlier session')} asked for")
    if row.hole:
        why.append(str(row.hole))
    lags = series.last_session < span.last or plan.mode == Run.Mode.STALE
    read_again = [item.series.name for item in needs if item.action in FROM_START]
    if read_again and lags:
        why.append(f"{', '.join(read_again)}, which it reads, is computed again")
    return why


def _why_skip(row: Assessment, span: "Span", calendar: Calendar) -> str:
    if row.causes:
        return f"stale, left as it is: {_listed(row)}"
    if span.limited and row.series.last_session < calendar.newest:
        return f"up to date with what it reads, which ends on {span.last}"
    return "up to date"


@dataclass(frozen=True)
class Span:
    """First and last session wanted of a series; `limited`: cut short by a series that it reads."""

    first: dt.date
    last: dt.date
    limited: bool = False


def span_of(
    series: Series,
    calendar: Calendar,
    *,
    start: dt.date | None,
    until: dt.date | None,
    reset: bool,
    limits: Iterable[dt.date | None],
) -> Span:
    """The sessions that a series should have, for the plan and for the worker alike.

    Only a reset moves a start forward or takes newest points away. `limits`: newest sessions of what it reads.
    """
    first = start or series.start
    if series.start is not None and not reset:
        first = min(first, series.start)
    last = min(until, calendar.newest) if until else calendar.newest
    if series.last_session is not None and not reset:
        last = max(last, min(series.last_session, calendar.newest))
    limited = [limit for limit in limits if limit is not None and limit < last]
    return Span(first, min([last, *limited]), bool(limited))


@retry_transient
def start(plan: Plan, *, user=None, source: str) -> Run:
    """Store the plan as a run with its steps, in one transaction.

    Raises NothingToDo for a plan without work, and AlreadyActive if another run has one of its series.
    """
    if not plan.work:
        raise NothingToDo(plan)
    try:
        return _store(plan, user, source)
    except IntegrityError:
        raise_if_active([item.series for item in plan.work])
        return _store(plan, user, source)  # the run that had one of them has ended meanwhile


@transaction.atomic
def _store(plan: Plan, user, source: str) -> Run:
    run = Run.objects.create(
        kind=plan.kind, mode=plan.mode, source=source, user=user, start=plan.start, until=plan.until
    )
    # Inserted in the order of the series: two runs that overlap then wait for each other in one order.
    steps = [_step(run, position, item) for position, item in enumerate(plan.work)]
    Step.objects.bulk_create(sorted(steps, key=lambda step: step.series_id))
    mode = Run.Mode(plan.mode).label.lower()
    message = f"Run {run.pk} planned: {len(steps):,} series, {counted(plan.total_sessions, 'session')} ({mode})."
    event_log.record("run", message, run=run, user=user)
    return run


def raise_if_active(series: Iterable[Series]) -> None:
    """AlreadyActive, with the run, if one of the series is being computed."""
    active = list(
        Step.objects.filter(series__in=list(series), status__in=ACTIVE).select_related("run", "series").order_by("run")
    )
    if active:
        run = active[0].run
        raise AlreadyActive(run, [step.series.name for step in active if step.run_id == run.pk])


def _step(run: Run, position: int, item: PlanItem) -> Step:
    return Step(
        run=run,
        series=item.series,
        product=item.series.product,
        position=position,
        reason=item.reason,
        from_start=item.action in FROM_START,
        sessions_total=item.sessions,
    )
