"""Online work: series brought up to the newest session, exactly as a backfill would have.

`tick` looks every minute; an import of a session's bar enqueues its product at once (`enqueue_imported`). Both end in
one plan and its runs, so that asking twice computes once: a series that has its session is not due, and the database
allows one active step a series.
"""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable

from django.db import connection, transaction
from django.utils import timezone
from django_q.conf import Conf
from django_q.tasks import async_task

from exo_registry.code import loaded_code
from exo_registry.definitions import catalogue, sync_series
from exo_registry.formats.text import counted
from exo_registry.market.session_lists import calendars
from exo_registry.models import Definition, Event, Product, Run, Series, event_log

from . import due, feeds, worker
from . import plan as plans
from .due import ProductWork
from .handover import end_cluster

log = logging.getLogger(__name__)

CATCH_UP = "exo_registry.runs.online.catch_up"
REPEAT_PROBLEM = dt.timedelta(days=1)


def tick(now: dt.datetime | None = None) -> str:
    """Start and queue what is due, and report late bars; a schedule calls it every minute. Idempotent.

    Returns a line for the task list.
    """
    now = now or timezone.now()
    try:
        loaded_code.require_current()
    except loaded_code.OldCode as error:
        end_cluster(error)
        return f"retried in the next minute: {error}"
    work = due.look(now)
    _record_problems([product_work.problem for product_work in work if product_work.problem])
    runs = _start(work, now)
    for run in runs:
        worker.enqueue(run)
    late, recovered = feeds.report(work, now)
    _notice_never_run(work)
    series = sum(run.steps.count() for run in runs)
    return f"{series:,} series started, {counted(late, 'delay')}, {counted(recovered, 'recovery')}"


def catch_up(product_id: int, now: dt.datetime | None = None) -> str:
    """What `tick` does, for one product and computed in this process: enqueued when its bar arrives."""
    now = now or timezone.now()
    try:
        loaded_code.require_current()
    except loaded_code.OldCode as error:
        if end_cluster(error):
            _enqueue_catch_up(Product.objects.get(pk=product_id))
        return f"requeued: {error}"
    work = due.look(now, [product_id])
    runs = _start(work, now)
    for run in runs:
        worker.work(run.pk, product_id)
    feeds.report(work, now)
    return f"{sum(run.steps.count() for run in runs)} series"


def enqueue_imported(sender: object, report, now: dt.datetime | None = None, **_signal: object) -> None:
    """After an import: have products that lack a session computed at once, one task each.

    A change of a session that was computed already waits for the tick: more bars of it may follow.
    """
    imported = [product.revision.product_id for product in report.products if product.revision is not None]
    if not imported:
        return
    for product_work in due.look(now or timezone.now(), imported):
        if product_work.missing:
            transaction.on_commit(lambda product=product_work.product: _enqueue_catch_up(product), robust=True)


def _enqueue_catch_up(product: Product) -> None:
    async_task(CATCH_UP, product.pk, cluster=worker.ONLINE, task_name=f"bars of {product}"[:100])


def warm_up(**_signal: object) -> None:
    """A new worker of the online cluster reads code and calendars before its first task, which then takes no longer
    than the others; and gives the directions of new code their series. Never fails: what cannot be read now is reported
    when it is needed."""
    if Conf.CLUSTER_NAME != worker.ONLINE:
        return
    try:
        sync_series()
        due.look(timezone.now())
        calendars(Product.objects.filter(active=True))
        for path in Definition.objects.filter(enabled=True).values_list("algorithm", flat=True).distinct():
            catalogue.load(path)
            catalogue.source_hash(path)
    except Exception as error:
        log.warning("a worker starts cold: %s", error)
    finally:
        connection.close()


def _start(work: Iterable[ProductWork], now: dt.datetime) -> list[Run]:
    """Runs for what is due: one a session, and apart for series of which a computed session changed."""
    groups: dict[tuple[dt.date, str], list[ProductWork]] = defaultdict(list)
    for product_work in work:
        if product_work.due:
            mode = Run.Mode.STALE if product_work.corrected else Run.Mode.MISSING
            groups[product_work.data.computable, mode].append(product_work)
    return [run for (session, mode), group in groups.items() for run in _start_group(group, session, mode, now)]


def _start_group(group: list[ProductWork], session: dt.date, mode: str, now: dt.datetime) -> list[Run]:
    try:
        run = _start_run(group, session, mode, now)
        return [run] if run else []
    except plans.AlreadyActive as error:
        # Another run has one of them by now. The others go on; that one is looked at again in a minute.
        log.info("online: %s", error)
        return (
            [run for product_work in group for run in _start_group([product_work], session, mode, now)]
            if len(group) > 1
            else []
        )


def _start_run(group: list[ProductWork], session: dt.date, mode: str, now: dt.datetime) -> Run | None:
    chosen = Series.objects.filter(pk__in=[pk for product_work in group for pk in product_work.due]).only(
        "name", "product"
    )
    plan = plans.make_plan(series=list(chosen), until=session, mode=mode, kind=Run.Kind.ONLINE, now=now)
    _leave_busy_alone(plan, {pk for product_work in group for pk in product_work.busy})
    _record_problems(plan.problems)
    return plans.start(plan, source=Run.Source.SCHEDULE) if plan.work else None


def _leave_busy_alone(plan: plans.Plan, busy: set[int]) -> None:
    """Take out series that another run is computing, and those that read them: their turn comes after it."""
    waiting: set[str] = set()
    kept = []
    for item in plan.items:
        if item.series.pk in busy or waiting.intersection(item.needs):
            waiting.add(item.series.name)
        else:
            kept.append(item)
    plan.items = kept


def _record_problems(problems: list[str]) -> None:
    """What cannot be computed is an event, once a day while it lasts."""
    for problem in problems:
        recent = Event.objects.filter(kind="online", message=problem, time__gt=timezone.now() - REPEAT_PROBLEM)
        if not recent.exists():
            event_log.record("online", problem, level="error")


def _notice_never_run(work: Iterable[ProductWork]) -> None:
    never = [series for product_work in work for series in product_work.never_run]
    if not never:
        return
    noticed = set(Event.objects.filter(kind="online", series__in=never).values_list("series", flat=True))
    for series in never:
        if series.pk in noticed:
            continue
        message = f"{series.name}: never backfilled, so left alone. Backfill it once, from the date you want."
        event_log.record("online", message, series=series)
