"""What chaos.py does to a running exoweb, and what it checks. Django is set up when this is imported."""

import contextlib
import datetime as dt
import hashlib
import os
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F
from django.utils import timezone

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Event, Gap, Point, Product, Run, Series, Status, Step, Trade
from exo_registry.runs import control, plan
from exo_registry.runs import worker as tasks
from exo_registry.runs.lease import lease_time
from exo_registry.workers import heartbeats
from tests.runs.markets import import_bars, weekdays

SYMBOLS = ("CL", "ES", "GC", "NG", "ZC", "ZN")
LEGS = {"legs": [{"right": "F", "qty": 1}]}
DEFINITIONS = {
    "ContFut": ("tests.load.slow.SlowLegs", {}),
    "Ichi": ("algorithms.regime_spread.IchimokuSpread", {"bullish": LEGS, "bearish": LEGS}),
    "Short": ("tests.load.slow.SlowLegs", {"legs": [{"right": "F", "qty": -1}]}),
}
# What is compared of a series; the rest counts rewrites and notes times.
DESCRIBED = (
    "start", "first_date", "last_date", "last_session", "last_exo", "previous_exo", "change_sessions", "last_delta",
    "points_count", "gaps_count", "sparkline", "state", "algorithm_hash", "parameters", "product_rules",
    "market_revision",
)  # fmt: skip
WEIGHTS = {
    "busy worker": 36,
    "idle worker": 12,
    "sentinel": 8,
    "cluster": 4,
    "pusher": 5,
    "monitor": 5,
    "delivered twice": 8,
    "clock moved": 8,
    "tasks lost": 5,
    "database connections ended": 4,
    "database restarted": 3,
    "redis restarted": 3,
}


class Storm:
    def __init__(self, options, folder, postgres, redis) -> None:
        self.options, self.folder, self.postgres, self.redis = options, folder, postgres, redis
        self.random = random.Random(options.seed)
        self.done: Counter[str] = Counter()
        self.hits: Counter[int] = Counter()  # blows while a step was running, by its key
        self.problems: list[str] = []
        self.stuck_for: dict[object, float] = {}
        self.longest_stuck = 0.0
        self.figures: Counter[str] = Counter()

    # Before.

    def prepare(self) -> None:
        call_command("migrate", verbosity=0)
        days = weekdays("2015-01-05", self.options.sessions)
        self.start = days[0]
        for symbol in SYMBOLS[: self.options.products]:
            import_bars(self.folder / symbol, symbol, days)
        Product.objects.update(active=True)
        for name, (algorithm, parameters) in DEFINITIONS.items():
            Definition.objects.create(name=name, algorithm=algorithm, parameters=parameters)
        sync_series()
        self.blank = {series.pk: series for series in Series.objects.all()}
        run = plan.start(plan.make_plan(start=self.start), source=Run.Source.SHELL)
        for product in Product.objects.all():
            tasks.work(run.pk, product.pk)
        self.expected = digests()
        assert set(run.steps.values_list("status", flat=True)) == {Status.DONE}

    # During.

    def rage(self, workers: subprocess.Popen) -> dict:
        began = time.monotonic()
        self.wait(lambda: len(alive()) == 2, 60, "the clusters to start")
        run = None
        while sum(self.done.values()) < self.options.kills and len(self.problems) < 20:
            if workers.poll() is not None:
                self.problems.append(f"`manage.py workers` ended with {workers.returncode}")
                break
            with self.patiently():
                if run is None or self.is_over(run):
                    run = self.begin()
            self.watch_for(self.random.uniform(0.2, 2.0))
            with self.patiently():
                self.strike(run)
        with self.patiently():
            self.wait(lambda: self.is_over(run), 6 * settings.STEP_LEASE, "the last run to end")
        self.figures["seconds"] = round(time.monotonic() - began)
        return self.report()

    def begin(self) -> Run:
        """A new backfill: of nothing at all, or over stored rows of which some were damaged."""
        if self.figures["runs"] % 2 == 0:
            with transaction.atomic():
                for model in (Point, Trade, Gap):
                    model.objects.all().delete()
                for series in self.blank.values():
                    series.save()
            made = plan.make_plan(start=self.start)
        else:
            with transaction.atomic():
                Point.objects.filter(date__day=self.random.randint(1, 28)).delete()
                Point.objects.filter(date__day=self.random.randint(1, 28)).update(exo=F("exo") + 1)
            made = plan.make_plan(mode=Run.Mode.RESET)
        run = plan.start(made, source=Run.Source.SHELL)
        tasks.enqueue(run)
        self.figures["runs"] += 1
        return run

    def is_over(self, run: Run) -> bool:
        """Whether a run has ended; the first time it has, its series and its log are checked."""
        run.refresh_from_db()
        if run.is_active:
            return False
        steps = list(run.steps.select_related("series"))
        self.figures["steps"] += len(steps)
        self.figures["most attempts"] = max(self.figures["most attempts"], *(step.attempt for step in steps))
        self.figures["steps with a lost worker"] += sum(step.orphaned_at is not None for step in steps)
        for step in steps:
            if step.status != Status.DONE:
                self.problems.append(f"run {run.pk}: {step.series.name} {step.status}: {step.error}")
            messages = list(Event.objects.filter(step=step, level="warning").values_list("message", flat=True))
            if step.attempt > 1 and not any(f"attempt {step.attempt}" in message for message in messages):
                self.problems.append(f"run {run.pk}: the log does not tell of {step.series.name}'s attempts")
            if step.orphaned_at and not any("to be computed again" in message for message in messages):
                self.problems.append(f"run {run.pk}: the log does not tell how {step.series.name} lost its worker")
        digests_now = digests()
        for name, digest in self.expected.items():
            if digests_now[name] != digest:
                self.problems.append(f"run {run.pk}: {name} differs from a run in peace")
        return True

    def strike(self, run: Run) -> None:
        """One blow. A step that loses its worker again and again while nothing else does is given up, and rightly: so
        none is hit that often."""
        running = list(Step.objects.filter(status=Status.RUNNING).values_list("pk", flat=True))
        if any(self.hits[pk] >= settings.STEP_FAULTS - 1 for pk in running):
            return
        self.hits.update(running)
        kinds = [kind for kind in WEIGHTS if self.can(kind)]
        kind = self.random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        if getattr(self, f"_{kind.replace(' ', '_')}", self._kill)(*([kind] if kind in PROCESSES else [run])):
            self.done[kind] += 1

    def can(self, kind: str) -> bool:
        if kind.startswith("database"):
            return self.postgres is not None
        return self.redis is not None if kind.startswith("redis") else True

    def _kill(self, kind: str) -> bool:
        clusters = alive()
        busy = set(Step.objects.filter(status=Status.RUNNING).values_list("worker", flat=True))
        pids = []
        for cluster in clusters:
            for pid in cluster.workers:
                is_busy = f"{cluster.host}:{pid}" in busy
                if kind == ("busy worker" if is_busy else "idle worker"):
                    pids.append(pid)
            if kind == "cluster":
                pids.append(cluster.pid)
            elif kind in cluster.helpers:
                pids.append(cluster.helpers[kind])
        if not pids:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.random.choice(pids), signal.SIGKILL)
            return True
        return False

    def _delivered_twice(self, run: Run) -> bool:
        products = run.steps.order_by().values_list("product", flat=True).distinct()
        for product in products:
            tasks._enqueue_task(run.pk, product, "twice", "backfill")
        return True

    def _clock_moved(self, run: Run) -> bool:
        """A host's clock goes ahead by more than a lease, and its reconciler runs."""
        control.reconcile(timezone.now() + 1.5 * lease_time())
        return True

    def _tasks_lost(self, run: Run) -> bool:
        if self.redis is not None:
            cache.clear()
        from django_q.brokers import get_broker

        get_broker("backfill").purge_queue()
        return True

    def _database_connections_ended(self, run: Run) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        return True

    def _database_restarted(self, run: Run) -> bool:
        connection.close()
        self.postgres.restart(self.random.choice(["fast", "immediate"]))
        return True

    def _redis_restarted(self, run: Run) -> bool:
        self.redis.restart(self.random.uniform(0, 3))
        return True

    # Watching.

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """What the driver itself does may meet a server that is just being restarted."""
        try:
            close_old_connections()
            yield
        except (DatabaseError, heartbeats.Unreachable, ConnectionError) as error:
            self.figures["driver met a server that was away"] += 1
            connection.close()
            if "locked" in str(error):
                self.problems.append(f"the driver met a lock: {error}")

    def wait(self, reached, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self.patiently():
                if reached():
                    return
            self.watch_for(0.3)
        self.problems.append(f"waited {seconds:.0f} s in vain for {what}")

    def watch_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with self.patiently():
                self.look_for_stuck_steps()
            time.sleep(min(left, 0.25))

    def look_for_stuck_steps(self) -> None:
        """Measure how long work is stuck: a step without a living worker, or waiting although a worker is free."""
        now, clock = timezone.now(), time.monotonic()
        stuck = set()
        running = list(Step.objects.filter(status=Status.RUNNING).values_list("pk", "worker"))
        host = socket.gethostname()
        busy = 0
        for pk, worker in running:
            name, _, pid = worker.rpartition(":")
            if name == host and not os.path.exists(f"/proc/{pid}"):
                stuck.add(pk)
            else:
                busy += 1
        if busy < settings.WORKERS:
            stuck |= {(work.run_id, work.product_id) for work in control.unattended(now, dt.timedelta(0))}
        self.stuck_for = {work: self.stuck_for.get(work, clock) for work in stuck}
        for since in self.stuck_for.values():
            self.longest_stuck = max(self.longest_stuck, clock - since)

    # After.

    def report(self) -> dict:
        if self.longest_stuck > 2 * settings.STEP_LEASE:
            self.problems.append(
                f"work was stuck for {self.longest_stuck:.0f} s, with a lease of {settings.STEP_LEASE} s"
            )
        restarts = Event.objects.filter(kind="worker", message__contains="restarted")
        return {
            "ok": not self.problems,
            "backend": self.options.backend,
            "seed": self.options.seed,
            "kills": sum(self.done.values()),
            "by kind": dict(self.done.most_common()),
            **self.figures,
            "clusters started again": restarts.count(),
            "of them stuck": restarts.filter(message__contains="stuck").count(),
            "lease, seconds": settings.STEP_LEASE,
            "longest stuck, seconds": round(self.longest_stuck, 1),
            "problems": self.problems,
        }


PROCESSES = ("busy worker", "idle worker", "sentinel", "cluster", "pusher", "monitor")


def alive() -> list[heartbeats.Cluster]:
    return [cluster for cluster in heartbeats.clusters() if os.path.exists(f"/proc/{cluster.pid}")]


def digests() -> dict[str, str]:
    """A digest of everything stored of each series; numbers as they are, to the last bit."""
    result = {}
    for described in Series.objects.values("pk", "name", *DESCRIBED):
        pk, name = described.pop("pk"), described.pop("name")
        rows = [list(described.items())]
        for model, order in ((Point, ["date"]), (Trade, ["date", "number"]), (Gap, ["date"])):
            fields = [field.name for field in model._meta.concrete_fields if field.name not in ("id", "series")]
            rows += list(model.objects.filter(series=pk).order_by(*order).values_list(*fields))
        result[name] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return result
