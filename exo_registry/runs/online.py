"""Online work: series brought up to the newest session, exactly as a backfill would have.

`tick` looks every minute; an import of a session's bar rings for its product at once (`ring`). Both end in one plan
and its runs, so that asking twice computes once: a series that has its session is not due, and the database allows
one active step a series.
"""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable

from django.db import connection, transaction
from django.utils import timezone
from django_q.conf import Conf
from django_q.tasks import async_task

from exo_registry import catalogue, events
from exo_registry.models import Definition, Event, Product, Run, Series

from . import due, feeds, lineage, tasks
from . import plan as plans
from .due import Standing
from .sessions import calendars

log = logging.getLogger(__name__)

CATCH_UP = "exo_registry.runs.online.catch_up"
REPEAT_PROBLEM = dt.timedelta(days=1)


def plan_now(
    products: Iterable[Product] | None = None, *, exos: Iterable[Definition] | None = None, now=None
) -> plans.Plan:
    """What it takes to bring the series of some products (None: all active ones) up to date.

    Sessions missed before are part of it: no series is extended across a hole. A series that was never
    backfilled is a problem of the plan, since only somebody who knows can say from when it should start.
    """
    return plans.make_plan(products=products, exos=exos, kind=Run.Kind.ONLINE, now=now)


def run_now(
    products: Iterable[Product] | None = None,
    *,
    exos: Iterable[Definition] | None = None,
    user=None,
    source: str = Run.Source.SCHEDULE,
    now=None,
) -> Run:
    """Start a run for the newest session; the caller computes it (tasks.work) or queues it (tasks.enqueue).

    Raises NothingToDo when all is up to date or refused (the message says which), AlreadyActive as plan.start.
    """
    return plans.start(plan_now(products, exos=exos, now=now), user=user, source=source)


def tick(now: dt.datetime | None = None) -> str:
    """Start and queue what is due, and report late bars; a schedule calls it every minute. Idempotent.

    Returns a line for the task list.
    """
    now = now or timezone.now()
    standings = due.look(now)
    runs = _start(standings, now)
    for run in runs:
        tasks.enqueue(run)
    late, recovered = feeds.report(standings, now)
    _notice_never_run(standings)
    series = sum(run.steps.count() for run in runs)
    return f"{series} series started, {late} delays, {recovered} recoveries"


def catch_up(product_id: int, now: dt.datetime | None = None) -> str:
    """What `tick` does, for one product and computed here: rung for when its bar arrives."""
    now = now or timezone.now()
    standings = due.look(now, [product_id])
    runs = _start(standings, now)
    for run in runs:
        tasks.work(run.pk, product_id)
    feeds.report(standings, now)
    return f"{sum(run.steps.count() for run in runs)} series"


def ring(sender: object, report, now: dt.datetime | None = None, **_signal: object) -> None:
    """After an import: have products that lack a session computed at once, one task each.

    A change of a session that was computed already waits for the tick: more bars of it may follow.
    """
    imported = [product.revision.product_id for product in report.products if product.revision is not None]
    if not imported:
        return
    for one in due.look(now or timezone.now(), imported):
        if one.missing - one.busy:
            transaction.on_commit(lambda product=one.product: _ring(product), robust=True)


def _ring(product: Product) -> None:
    async_task(CATCH_UP, product.pk, cluster=tasks.ONLINE, task_name=f"bars of {product}"[:100])


def warm_up(**_signal: object) -> None:
    """A new worker of the online cluster reads code and calendars before its first task, which then takes no longer
    than the others. Never fails: what cannot be read now is told when it is needed."""
    if Conf.CLUSTER_NAME != tasks.ONLINE:
        return
    try:
        due.look(timezone.now())
        calendars(Product.objects.filter(active=True))
        for path in Definition.objects.filter(enabled=True).values_list("algorithm", flat=True).distinct():
            catalogue.source_hash(path)
    except Exception as error:
        log.warning("a worker starts cold: %s", error)
    finally:
        connection.close()


def _start(standings: Iterable[Standing], now: dt.datetime) -> list[Run]:
    """Runs for what is due: one a session, and apart for series of which a computed session changed."""
    groups: dict[tuple[dt.date, str], list[Standing]] = defaultdict(list)
    for one in standings:
        if one.due:
            mode = Run.Mode.STALE if one.corrected - one.busy else Run.Mode.MISSING
            groups[one.session, mode].append(one)
    return [run for (session, mode), group in groups.items() for run in _start_group(group, session, mode, now)]


def _start_group(group: list[Standing], session: dt.date, mode: str, now: dt.datetime) -> list[Run]:
    try:
        run = _start_run(group, session, mode, now)
        return [run] if run else []
    except plans.AlreadyActive as error:
        # Somebody started one of them since we looked. The others go on; that one is looked at again in a minute.
        log.info("online: %s", error)
        return [run for one in group for run in _start_group([one], session, mode, now)] if len(group) > 1 else []


def _start_run(group: list[Standing], session: dt.date, mode: str, now: dt.datetime) -> Run | None:
    chosen = Series.objects.filter(pk__in=[pk for one in group for pk in one.due]).only("name", "product")
    plan = plans.make_plan(series=list(chosen), until=session, mode=mode, kind=Run.Kind.ONLINE, now=now, sync=False)
    _leave_busy_alone(plan, {pk for one in group for pk in one.busy})
    _tell_problems(plan.problems)
    return plans.start(plan, source=Run.Source.SCHEDULE) if plan.work else None


def _leave_busy_alone(plan: plans.Plan, busy: set[int]) -> None:
    """Take out series that another run is computing, and those that read them: their turn comes after it."""
    waiting: set[str] = set()
    kept = []
    for item in plan.items:
        needs = lineage.needed_names(item.series, lineage.algorithm_of(item.series)) if waiting else []
        if item.series.pk in busy or waiting.intersection(needs):
            waiting.add(item.series.name)
        else:
            kept.append(item)
    plan.items = kept


def _tell_problems(problems: list[str]) -> None:
    """What cannot be computed is an event, once a day while it lasts."""
    for problem in problems:
        recent = Event.objects.filter(kind="online", message=problem, time__gt=timezone.now() - REPEAT_PROBLEM)
        if not recent.exists():
            events.record("online", problem, level="error")


def _notice_never_run(standings: Iterable[Standing]) -> None:
    never = {pk: name for one in standings for pk, name in one.never.items()}
    if not never:
        return
    told = set(Event.objects.filter(kind="online", series__in=never).values_list("series", flat=True))
    for series in Series.objects.filter(pk__in=set(never) - told).only("name", "product"):
        message = f"{series.name}: never backfilled, so left alone. Backfill it once, from the date you want."
        events.record("online", message, series=series)
