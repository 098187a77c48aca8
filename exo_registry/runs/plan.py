"""What a run will compute: for each series which sessions, from where, and why. The preview is this same plan.

The rules:
- A series is extended from its stored state, or rebuilt: computed again from its start, with only the rows that
  differ written. Rebuilding mends holes, staleness and an earlier start.
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
from django.utils import timezone

from exo_registry import events
from exo_registry.models import Definition, Product, Run, Series, Step
from exo_registry.models.run import ACTIVE

from . import lineage
from .order import Wanted, wanted_series
from .retry import when_locked
from .sessions import Calendar, calendars

EXTEND, REBUILD, SKIP = "extend", "rebuild", "skip"


class AlreadyActive(Exception):
    """Another run is computing one of the series; `run` is that one."""

    def __init__(self, run: Run, names: list[str]) -> None:
        self.run = run
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        super().__init__(f"Run {run.pk} is already computing {listed}: wait for it to end, or cancel it.")


class NothingToDo(Exception):
    """The plan holds nothing to compute; the message says why."""


@dataclass(frozen=True)
class PlanItem:
    """One series of a plan. `sessions` counts what is computed; `first` and `last` bound it; `reason` says why."""

    series: Series
    action: str
    reason: str
    sessions: int = 0
    first: dt.date | None = None
    last: dt.date | None = None


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

    def by_product(self) -> dict[Product, list[PlanItem]]:
        grouped: dict[Product, list[PlanItem]] = {}
        for item in self.items:
            grouped.setdefault(item.series.product, []).append(item)
        return grouped


def make_plan(
    *,
    products: Iterable[Product] | None = None,
    exos: Iterable[Definition] | None = None,
    series: Iterable[Series] | None = None,
    start: dt.date | None = None,
    until: dt.date | None = None,
    mode: str = Run.Mode.MISSING,
    kind: str = Run.Kind.BACKFILL,
    now: dt.datetime | None = None,
    sync: bool = True,
) -> Plan:
    """The plan for the series chosen by product, definition or name (None: all).

    `start` is the first session wanted of series without points, or of all with mode reset; one earlier than
    what is stored rebuilds from there. `until` is the last one (None: the newest complete session). `sync=False`: the
    series rows are known to be in step with the definitions.
    """
    plan = Plan(kind=kind, mode=mode, start=start, until=until)
    wanted, plan.problems = wanted_series(products=products, exos=exos, series=series, sync=sync)
    known = calendars({one.series.product for one in wanted}, now or timezone.now())
    stale = lineage.staleness([one.series for one in wanted])
    planned: dict[str, PlanItem] = {}
    for one in wanted:
        if unplanned := [name for name in one.needs if name not in planned]:
            plan.problems.append(f"{one.series}: it reads {unplanned[0]}, which cannot be computed.")
            continue
        try:
            item = _item(plan, one, known[one.series.product_id], stale[one.series.pk], planned)
        except _Problem as problem:
            plan.problems.append(str(problem))
            continue
        planned[one.series.name] = item
        if one.chosen or item.action != SKIP:
            plan.items.append(item)
    return plan


def staleness(series: Series) -> list[str]:
    """Why the series' points are not what computing them now would give; [] if they are."""
    return lineage.staleness([series])[series.pk]


class _Problem(Exception):
    pass


def _item(plan: Plan, one: Wanted, calendar: Calendar, stale: list[str], planned: dict[str, PlanItem]) -> PlanItem:
    """What to do with one series; `planned` holds the series that it reads."""
    series, needs = one.series, [planned[name] for name in one.needs]
    if not calendar:
        symbol = series.product.exchangesymbol
        raise _Problem(f"{series}: {symbol} has no complete session of market data. Import some with importmarket.")
    if series.last_session is None and plan.start is None:
        raise _Problem(f"{series}: never backfilled: say from which date (From; in the shell -B).")
    span = span_of(
        series,
        calendar,
        start=plan.start,
        until=plan.until,
        reset=plan.mode == Run.Mode.RESET and one.chosen,
        limits=[item.last for item in needs],
    )
    missing = calendar.between(span.first, span.last)
    if series.last_session is not None:
        missing = missing[missing > series.last_session]
    why = _why_rebuild(plan, one, span, calendar, needs)
    mends_stale = len(missing) or plan.mode == Run.Mode.STALE
    if stale and (mends_stale or why):
        why.append("stale: " + "; ".join(stale))
    if why:
        whole = calendar.between(span.first, span.last)
        if not len(whole):
            raise _Problem(f"{series}: there is no session from {span.first} to {span.last}.")
        return PlanItem(series, REBUILD, "; ".join(why), len(whole), whole[0].item(), whole[-1].item())
    if len(missing):
        reason = f"{len(missing)} newer session{'s' if len(missing) > 1 else ''}"
        return PlanItem(series, EXTEND, reason, len(missing), missing[0].item(), missing[-1].item())
    return PlanItem(series, SKIP, _why_skip(series, span, calendar, stale), 0, None, series.last_session)


def _why_rebuild(plan: Plan, one: Wanted, span: "Span", calendar: Calendar, needs: list[PlanItem]) -> list[str]:
    """Reasons, staleness apart, to compute a series again from its start."""
    series = one.series
    if series.last_session is None:
        return ["first backfill"]
    if plan.mode == Run.Mode.RESET and one.chosen:
        return ["asked for from the start"]
    why = []
    earlier = calendar.between(span.first, series.start - dt.timedelta(days=1)) if span.first < series.start else ()
    if len(earlier):
        why.append(f"{len(earlier)} earlier session{'s' if len(earlier) > 1 else ''} asked for")
    expected = len(calendar.between(series.start, series.last_session))
    if one.stored != expected:
        why.append(f"a hole: {one.stored} of {expected} sessions up to {series.last_session} are stored")
    lags = series.last_session < span.last or plan.mode == Run.Mode.STALE
    read_again = [item.series.name for item in needs if item.action == REBUILD]
    if read_again and lags:
        why.append(f"{', '.join(read_again)}, which it reads, is computed again")
    return why


def _why_skip(series: Series, span: "Span", calendar: Calendar, stale: list[str]) -> str:
    if stale:
        return "stale, left as it is: " + "; ".join(stale)
    if span.limited and series.last_session < calendar.newest:
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


@when_locked
def start(plan: Plan, *, user=None, source: str) -> Run:
    """Store the plan as a run with its steps, in one transaction.

    Raises NothingToDo for a plan without work, and AlreadyActive if another run has one of its series.
    """
    if not plan.work:
        raise NothingToDo("Nothing to compute: " + ("; ".join(plan.problems) or "every series is up to date."))
    try:
        with transaction.atomic():
            run = Run.objects.create(
                kind=plan.kind, mode=plan.mode, source=source, user=user, start=plan.start, until=plan.until
            )
            # Inserted in the order of the series: two runs that overlap then wait for each other in one order.
            steps = [_step(run, position, item) for position, item in enumerate(plan.work)]
            Step.objects.bulk_create(sorted(steps, key=lambda step: step.series_id))
            count = len(steps)
            events.record(
                "run",
                f"Run {run.pk} planned: {count} series, {plan.total_sessions:,} sessions ({plan.mode}).",
                run=run,
                user=user,
            )
    except IntegrityError:
        raise_if_active([item.series for item in plan.work])
        raise
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
        from_start=item.action == REBUILD,
        sessions_total=item.sessions,
    )
