"""How the installation stands: workers, queues, schedules, products. Read by /status/, /healthz and /metrics.

Whatever cannot be read (a cache or a queue that is away) becomes a trouble in words; the rest is still shown.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils import timezone
from django_q.models import Schedule, Task

from exo_registry import clusters
from exo_registry.clusters import Cluster, Unreachable
from exo_registry.models import Product, Series, Status, Step
from exo_registry.runs import control, freshness
from exo_registry.runs.due import DELAY, expected_session
from exo_registry.runs.lease import lease_time
from exo_registry.runs.sessions import data_ends

OVERDUE = dt.timedelta(minutes=5)  # a schedule runs every minute or so; later than this nobody runs it
WORST_FIRST = (freshness.FAILED, freshness.LATE, freshness.STALE, freshness.NEVER_RUN, freshness.FRESH)


@dataclass(frozen=True)
class Queue:
    """Tasks in a queue that no cluster has fetched (None: it cannot be read), and the clusters that work it."""

    name: str
    depth: int | None
    clusters: int


@dataclass(frozen=True)
class Planned:
    """A schedule: when it runs next, and how it went the last time (None: not yet, or forgotten)."""

    schedule: Schedule
    last: Task | None
    overdue: dt.timedelta | None

    @property
    def state(self) -> str:
        if self.overdue:
            return "late"
        if self.last is None:
            return "waiting"
        return "done" if self.last.success else "failed"

    @property
    def every(self) -> str:
        """How often, in words."""
        kind, minutes = self.schedule.schedule_type, self.schedule.minutes
        if kind == Schedule.MINUTES:
            return "every minute" if minutes == 1 else f"every {minutes} minutes"
        return self.schedule.cron if kind == Schedule.CRON else self.schedule.get_schedule_type_display().lower()


@dataclass(frozen=True)
class ProductRow:
    """A product in calculation. `bar`: its newest one (a date, or a time), `computed`: up to where its series are."""

    product: Product
    bar: dt.datetime | dt.date | None
    expected: dt.date | None
    computed: dt.date | None
    states: Counter[str]

    @property
    def state(self) -> str:
        """The worst of its series; never run without any."""
        return next((state for state in WORST_FIRST if self.states[state]), freshness.NEVER_RUN)

    @property
    def words(self) -> str:
        """Its series by state."""
        return ", ".join(f"{self.states[state]} {state}" for state in WORST_FIRST if self.states[state]) or "no series"


@dataclass
class Standing:
    """All of it at one moment. `troubles`: what somebody should do something about, in words."""

    now: dt.datetime
    troubles: list[str]
    clusters: list[Cluster] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    schedules: list[Planned] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    products: list[ProductRow] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return sum(queue.depth or 0 for queue in self.queues)


def standing(now: dt.datetime | None = None) -> Standing:
    """How everything stands; about a dozen queries, however many products there are."""
    now = now or timezone.now()
    result = Standing(now, idle_work(now))
    try:
        result.clusters = clusters.clusters()
        alive = [one for one in result.clusters if one.is_alive(now)]
        result.troubles += [_without_workers(name) for name in clusters.NAMES if name not in {c.queue for c in alive}]
    except Unreachable as error:
        result.troubles.append(f"{error} Look at Redis, or at the folder cache in EXOWEB_HOME.")
        alive = []
    for name in clusters.NAMES:
        result.queues.append(_queue(name, alive, result.troubles))
    result.schedules = planned(now)
    running = Step.objects.filter(status=Status.RUNNING).select_related("series", "product")
    result.running = list(running.defer("series__state", "series__sparkline").order_by("started"))
    result.products = products(now)
    return result


def _queue(name: str, alive: Iterable[Cluster], troubles: list[str]) -> Queue:
    working = sum(one.queue == name for one in alive)
    try:
        return Queue(name, clusters.queue_depth(name), working)
    except Unreachable as error:
        troubles.append(str(error))
        return Queue(name, None, working)


def _without_workers(name: str) -> str:
    return f"No {name} cluster gives a sign of life: start one with manage.py workers {name}."


def idle_work(now: dt.datetime | None = None) -> list[str]:
    """Whether work waits and nobody works, in words; a few small queries, nothing of the cache or the queue."""
    now = now or timezone.now()
    troubles = []
    waiting = control.unattended(now, 2 * lease_time())
    if waiting and not Step.objects.filter(status=Status.RUNNING, lease_until__gt=now).exists():
        since = min(one.since for one in waiting)
        runs = sorted({one.run_id for one in waiting})
        named = f"run{'s' if len(runs) > 1 else ''} {', '.join(map(str, runs[:3]))}{', …' if len(runs) > 3 else ''}"
        troubles.append(f"Work of {named} has waited since {since:%Y-%m-%d %H:%M} UTC and nobody works.")
    late = Schedule.objects.exclude(repeats=0).filter(Q(cluster=None) | Q(cluster__in=clusters.NAMES))
    late = late.filter(next_run__lt=now - OVERDUE).order_by("next_run").values_list("name", "next_run")
    if late:
        name, due = late[0]
        troubles.append(f"“{name}” was due at {due:%Y-%m-%d %H:%M} UTC and did not run: no online cluster works.")
    return troubles


def planned(now: dt.datetime) -> list[Planned]:
    """The schedules with their last results, the next one first."""
    schedules = list(Schedule.objects.exclude(repeats=0).order_by("next_run", "name"))
    results = Task.objects.in_bulk([one.task for one in schedules if one.task])
    return [
        Planned(one, results.get(one.task), now - one.next_run if one.next_run < now - OVERDUE else None)
        for one in schedules
    ]


def products(now: dt.datetime) -> list[ProductRow]:
    """The products in calculation, the worst first."""
    series = (
        Series.objects.filter(product__active=True, definition__enabled=True)
        .select_related("product", "definition")
        .defer("state", "sparkline")
    )
    series = list(series)
    states = freshness.states(series, now)
    active = {product.pk: product for product in Product.objects.filter(active=True)}
    ends = data_ends(active.values())
    rows = []
    for pk, product in active.items():
        own = [one for one in series if one.product_id == pk]
        rows.append(
            ProductRow(
                product=product,
                bar=ends[pk].bar or ends[pk].session,
                expected=expected_session(product, now - DELAY),
                computed=min((one.last_session for one in own if one.last_session), default=None),
                states=Counter(states[one.pk].state for one in own),
            )
        )
    return sorted(rows, key=lambda row: (WORST_FIRST.index(row.state), row.product.exchangesymbol))
