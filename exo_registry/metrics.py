"""Figures for Prometheus, counted from the tables, the cache and the queues at the moment they are asked for.

Nothing is counted in process memory, so any web process gives the same answer. All are gauges.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator

from django.db.models import Count, Max
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

from exo_registry.models import Event, Run, Series, Status, Step
from exo_registry.models.run import ACTIVE
from exo_registry.runs import control

from . import status
from .status import WORST_FIRST, Standing

__all__ = ["CONTENT_TYPE", "exposition"]

RECENT = dt.timedelta(hours=1)


def exposition(now: dt.datetime | None = None) -> bytes:
    """Every figure in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(now or timezone.now()))
    return generate_latest(registry)


class _Figures:
    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Metric]:
        standing = status.standing(self.now)
        yield from self._runs()
        yield from self._workers(standing)
        yield from self._products(standing)
        since = self.now - RECENT
        recent = Event.objects.filter(time__gt=since).order_by().values_list("level").annotate(Count("pk"))
        levels = dict.fromkeys(Event.Level.values, 0) | dict(recent)
        yield _gauge("events_last_hour", "Lines of the event log of the last hour.", "level", levels.items())
        late = [(one.schedule.name, one.overdue.total_seconds() if one.overdue else 0) for one in standing.schedules]
        yield _gauge("schedule_overdue_seconds", "For how long a schedule should have run.", "schedule", late)
        yield _gauge("troubles", "Troubles that the status page shows.", None, [(None, len(standing.troubles))])

    def _runs(self) -> Iterator[Metric]:
        active = Step.objects.filter(run__status__in=ACTIVE).order_by().values_list("status").annotate(Count("pk"))
        steps = dict.fromkeys(Status.values, 0) | dict(active)
        yield _gauge("steps", "Steps of the runs that have not ended.", "status", steps.items())
        counted = Run.objects.order_by().values_list("status").annotate(Count("pk"))
        runs = dict.fromkeys(Status.values, 0) | dict(counted)
        yield _gauge("runs", "Runs kept, by status.", "status", runs.items())
        waits = [one.since for one in control.unattended(self.now, dt.timedelta(0))]
        oldest = (self.now - min(waits)).total_seconds() if waits else 0
        words = "How long the work that has waited longest has had nobody at it."
        yield _gauge("work_waiting_seconds", words, None, [(None, oldest)])

    def _workers(self, standing: Standing) -> Iterator[Metric]:
        workers: Counter[tuple[str, str]] = Counter()
        busy: Counter[tuple[str, str]] = Counter()
        for one in standing.clusters:
            if one.is_alive(self.now):
                workers[one.queue, one.host] += len(one.workers)
                busy[one.queue, one.host] += len(one.tasks)
        labels = ("cluster", "host")
        yield _gauge("workers", "Workers of the clusters that give a sign of life.", labels, workers.items())
        yield _gauge("workers_busy", "Those of them that are at a task.", labels, [(key, busy[key]) for key in workers])
        ages: dict[tuple[str, str], float] = {}
        for one in standing.clusters:
            age = one.age(self.now).total_seconds()
            ages[one.queue, one.host] = min(age, ages.get((one.queue, one.host), age))
        words = "Since the last heartbeat of a cluster; forgotten after a minute."
        yield _gauge("cluster_heartbeat_age_seconds", words, labels, ages.items())
        depths = [(queue.name, queue.depth) for queue in standing.queues if queue.depth is not None]
        yield _gauge("queue_depth", "Tasks that no cluster has fetched yet.", "queue", depths)

    def _products(self, standing: Standing) -> Iterator[Metric]:
        states: Counter[str] = Counter()
        for row in standing.products:
            states += row.states
        yield _gauge(
            "series", "Series in calculation, by state.", "state", [(name, states[name]) for name in WORST_FIRST]
        )
        computed = Series.objects.filter(product__active=True).exclude(computed_at=None).order_by()
        newest = computed.values_list("product__exchangesymbol").annotate(Max("computed_at"))
        ages = [(symbol, (self.now - moment).total_seconds()) for symbol, moment in newest]
        yield _gauge("product_computed_age_seconds", "Since a series of a product was last computed.", "product", ages)


def _gauge(
    name: str, words: str, labels: str | tuple[str, ...] | None, values: Iterable[tuple[object, float]]
) -> GaugeMetricFamily:
    names = () if labels is None else (labels,) if isinstance(labels, str) else labels
    family = GaugeMetricFamily(f"exoweb_{name}", words, labels=names)
    for key, value in values:
        keys = () if key is None else (key,) if isinstance(key, str) else key
        family.add_metric([str(one) for one in keys], value)
    return family
