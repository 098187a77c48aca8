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
from .status import WORST_FIRST, Overview

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
        overview = status.overview(self.now)
        yield from self._runs()
        yield from self._workers(overview)
        yield from self._products(overview)
        since = self.now - RECENT
        recent = Event.objects.filter(time__gt=since).order_by().values_list("level").annotate(Count("pk"))
        levels = dict.fromkeys(Event.Level.values, 0) | dict(recent)
        yield _gauge("events_last_hour", "Events recorded in the last hour, by level.", "level", levels.items())
        late = [
            (schedule.schedule.name, schedule.overdue.total_seconds() if schedule.overdue else 0)
            for schedule in overview.schedules
        ]
        yield _gauge("schedule_overdue_seconds", "Time since a schedule was due; 0 if it is on time.", "schedule", late)
        yield _gauge("troubles", "Problems shown on the status page.", None, [(None, len(overview.troubles))])

    def _runs(self) -> Iterator[Metric]:
        active = Step.objects.filter(run__status__in=ACTIVE).order_by().values_list("status").annotate(Count("pk"))
        steps = dict.fromkeys(Status.values, 0) | dict(active)
        yield _gauge("steps", "Steps of active runs, by status.", "status", steps.items())
        counted = Run.objects.order_by().values_list("status").annotate(Count("pk"))
        runs = dict.fromkeys(Status.values, 0) | dict(counted)
        yield _gauge("runs", "Stored runs, by status.", "status", runs.items())
        waits = [work.since for work in control.unattended(self.now, dt.timedelta(0))]
        oldest = (self.now - min(waits)).total_seconds() if waits else 0
        text = "Longest time that steps of a run have waited without an active worker."
        yield _gauge("work_waiting_seconds", text, None, [(None, oldest)])

    def _workers(self, overview: Overview) -> Iterator[Metric]:
        workers: Counter[tuple[str, str]] = Counter()
        busy: Counter[tuple[str, str]] = Counter()
        for cluster in overview.clusters:
            if cluster.is_alive(self.now):
                workers[cluster.queue, cluster.host] += len(cluster.workers)
                busy[cluster.queue, cluster.host] += len(cluster.tasks)
        labels = ("cluster", "host")
        yield _gauge("workers", "Worker processes of clusters with a recent heartbeat.", labels, workers.items())
        yield _gauge(
            "workers_busy", "Worker processes that are executing a task.", labels, [(key, busy[key]) for key in workers]
        )
        ages: dict[tuple[str, str], float] = {}
        for cluster in overview.clusters:
            age = cluster.age(self.now).total_seconds()
            ages[cluster.queue, cluster.host] = min(age, ages.get((cluster.queue, cluster.host), age))
        text = "Time since the last heartbeat of a cluster; dropped after a minute."
        yield _gauge("cluster_heartbeat_age_seconds", text, labels, ages.items())
        depths = [(queue.name, queue.depth) for queue in overview.queues if queue.depth is not None]
        yield _gauge("queue_depth", "Tasks in the queue that no cluster has taken.", "queue", depths)

    def _products(self, overview: Overview) -> Iterator[Metric]:
        states = [(name, overview.states[name]) for name in WORST_FIRST]
        yield _gauge("series", "Series by state; a retired one is not in calculation.", "state", states)
        computed = Series.objects.in_calculation().exclude(computed_at=None).order_by()
        newest = computed.values_list("product__exchangesymbol").annotate(Max("computed_at"))
        ages = [(symbol, (self.now - moment).total_seconds()) for symbol, moment in newest]
        yield _gauge(
            "product_computed_age_seconds", "Time since a product's series were last computed.", "product", ages
        )


def _gauge(
    name: str, text: str, labels: str | tuple[str, ...] | None, values: Iterable[tuple[object, float]]
) -> GaugeMetricFamily:
    names = () if labels is None else (labels,) if isinstance(labels, str) else labels
    family = GaugeMetricFamily(f"exoweb_{name}", text, labels=names)
    for key, value in values:
        keys = () if key is None else (key,) if isinstance(key, str) else key
        family.add_metric([str(label) for label in keys], value)
    return family
