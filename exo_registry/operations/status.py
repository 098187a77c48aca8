"""The state of the installation: workers, queues, schedules, products. Read by /status/, /healthz and /metrics.

Whatever cannot be read (a cache or a queue that is away) becomes a problem in `troubles`; the rest is still shown.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils import timezone
from django_q.models import Schedule, Task

from exo_registry.code import loaded_code
from exo_registry.formats.text import listed
from exo_registry.models import Product, Series, Status, Step
from exo_registry.runs import control
from exo_registry.runs.lease import lease_time
from exo_registry.series.assessment import Assessment, State, assess
from exo_registry.series.product_data import ProductData, product_data
from exo_registry.workers import heartbeats
from exo_registry.workers.heartbeats import Cluster, Unreachable, WebProcess

OVERDUE = dt.timedelta(minutes=5)  # a schedule runs every minute or so; later than this no worker runs it
WORST_FIRST = (
    State.FAILED,
    State.LATE,
    State.STALE,
    State.NEVER_RUN,
    State.HISTORY,
    State.FRESH,
    State.RETIRED,
)


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
        """How often, as text."""
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
        return next((state for state in WORST_FIRST if self.states[state]), State.NEVER_RUN)

    @property
    def summary(self) -> str:
        """Its series by state."""
        return ", ".join(f"{self.states[state]} {state}" for state in WORST_FIRST if self.states[state]) or "no series"


@dataclass
class Overview:
    """The whole state at one moment. `troubles`: problems that need an operator, as sentences."""

    now: dt.datetime
    troubles: list[str]
    clusters: list[Cluster] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    schedules: list[Planned] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    products: list[ProductRow] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)  # of every series, those of inactive products too

    @property
    def waiting(self) -> int:
        return sum(queue.depth or 0 for queue in self.queues)


def overview(now: dt.datetime | None = None) -> Overview:
    """The state of everything; about a dozen queries, however many products there are."""
    now = now or timezone.now()
    result = Overview(now, idle_work(now))
    try:
        result.clusters = heartbeats.clusters()
        alive = [cluster for cluster in result.clusters if cluster.is_alive(now)]
        result.troubles += [_without_workers(name) for name in heartbeats.NAMES if name not in {c.queue for c in alive}]
        result.troubles += old_code(alive, heartbeats.web_processes())
    except Unreachable as error:
        result.troubles.append(f"{error} Check Redis, or the folder cache in EXOWEB_HOME.")
        alive = []
    for name in heartbeats.NAMES:
        result.queues.append(_queue(name, alive, result.troubles))
    result.schedules = planned(now)
    running = Step.objects.filter(status=Status.RUNNING).select_related("series", "product")
    result.running = list(running.defer("series__state", "series__sparkline").order_by("started"))
    products = Product.objects.in_bulk()
    active = [product for product in products.values() if product.active]
    series = Series.objects.light(products=products.values())
    products |= {row.product_id: row.product for row in series}  # one may have come in between
    data = product_data(products.values(), now)
    assessments = assess(series, data=data)
    result.states = Counter(assessment.state for assessment in assessments.values())
    result.products = _product_rows([data[product.pk] for product in active], assessments.values())
    return result


def _queue(name: str, alive: Iterable[Cluster], troubles: list[str]) -> Queue:
    working = sum(cluster.queue == name for cluster in alive)
    try:
        return Queue(name, heartbeats.queue_depth(name), working)
    except Unreachable as error:
        troubles.append(str(error))
        return Queue(name, None, working)


def old_code(alive: Iterable[Cluster], web: Iterable[WebProcess]) -> list[str]:
    """The processes that run other code than is on this machine's disk, as sentences."""
    processes = [
        *(
            (f"The {cluster.queue} cluster", cluster, "It is replaced before its next task; to do so now, restart it")
            for cluster in alive
        ),
        *(
            ("The web process", process, "It is replaced after an answer; if it stays, restart the web server")
            for process in web
        ),
    ]
    return [
        f"{what} {process.host}:{process.pid} runs old code: "
        f"{loaded_code.listed(modules)} has changed on disk. {remedy}."
        for what, process, remedy in processes
        if (modules := loaded_code.changed_from(process.code))
    ]


def _without_workers(name: str) -> str:
    return f"No active {name} workers: start a cluster with manage.py workers {name}."


def idle_work(now: dt.datetime | None = None) -> list[str]:
    """Work that waits without an active worker, as sentences; a few small queries, no look at cache or queue."""
    now = now or timezone.now()
    troubles = []
    waiting = control.unattended(now, 2 * lease_time())
    if waiting and not Step.objects.filter(status=Status.RUNNING, lease_until__gt=now).exists():
        since = min(work.since for work in waiting)
        runs = sorted({work.run_id for work in waiting})
        named = f"{'run' if len(runs) == 1 else 'runs'} {listed(runs)}"
        troubles.append(f"Steps of {named} have waited since {since:%Y-%m-%d %H:%M} UTC: no active workers.")
    late = Schedule.objects.exclude(repeats=0).filter(Q(cluster=None) | Q(cluster__in=heartbeats.NAMES))
    late = late.filter(next_run__lt=now - OVERDUE).order_by("next_run").values_list("name", "next_run")
    if late:
        name, due = late[0]
        troubles.append(f"“{name}” was due at {due:%Y-%m-%d %H:%M} UTC and did not run: no active online workers.")
    return troubles


def planned(now: dt.datetime) -> list[Planned]:
    """The schedules with their last results, the next one first."""
    schedules = list(Schedule.objects.exclude(repeats=0).order_by("next_run", "name"))
    results = Task.objects.in_bulk([schedule.task for schedule in schedules if schedule.task])
    return [
        Planned(
            schedule, results.get(schedule.task), now - schedule.next_run if schedule.next_run < now - OVERDUE else None
        )
        for schedule in schedules
    ]


def _product_rows(products: Iterable[ProductData], assessments: Iterable[Assessment]) -> list[ProductRow]:
    """The products in calculation, the worst first."""
    by_product: dict[int, list[Assessment]] = defaultdict(list)
    for assessment in assessments:
        by_product[assessment.series.product_id].append(assessment)
    rows = []
    for data in products:
        own = by_product[data.product.pk]
        rows.append(
            ProductRow(
                product=data.product,
                bar=data.end.bar or data.end.session,
                expected=data.punctual.expected,
                computed=_computed_to(assessment.series for assessment in own if assessment.state != State.RETIRED),
                states=Counter(assessment.state for assessment in own),
            )
        )
    return sorted(rows, key=lambda row: (WORST_FIRST.index(row.state), row.product.exchangesymbol))


def _computed_to(series: Iterable[Series]) -> dt.date | None:
    """The session that all of these series have reached which have any."""
    return min((row.last_session for row in series if row.last_session), default=None)
