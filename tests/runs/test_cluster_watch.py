"""The watcher of a cluster: what it takes for trouble, what it does about it, and what it tells."""

import datetime as dt
import os
import signal
import socket
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from exo_registry import cluster_watch, clusters, notify
from exo_registry.cluster_watch import ClusterWatch
from exo_registry.clusters import Cluster, Unreachable
from exo_registry.models import Event, NotifierState, Run, Step
from exo_registry.runs import lease, plan

from .conftest import START

pytestmark = pytest.mark.django_db

HOST, PID = socket.gethostname(), 4_100_000  # above any process number
WORKERS = (PID + 1, PID + 2)


class World:
    """A cluster as its heartbeats tell of it, and a clock: what a test sets and the watcher sees."""

    def __init__(self) -> None:
        self.clock, self.beat, self.queued = 1000.0, timezone.now(), 0
        self.waiting = self.unsaved = 0
        self.workers = WORKERS
        self.tasks: dict[int, clusters.Task] = {}
        self.silent = self.away = False

    def clusters(self) -> list[Cluster]:
        if self.away:
            raise Unreachable("The heartbeats of the workers cannot be read (ConnectionError).")
        counts = (self.waiting, self.unsaved, 0)
        return [Cluster("backfill", HOST, PID, self.beat, self.beat, *counts, self.workers, {}, dict(self.tasks))]

    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        if not self.silent:
            self.beat += dt.timedelta(seconds=seconds)


@pytest.fixture
def world(monkeypatch) -> World:
    world = World()
    monkeypatch.setattr(clusters, "clusters", world.clusters)
    monkeypatch.setattr(clusters, "queue_depth", lambda name: world.queued)
    monkeypatch.setattr(cluster_watch, "close_old_connections", lambda: None)
    monkeypatch.setattr(cluster_watch.time, "monotonic", lambda: world.clock)
    return world


@pytest.fixture
def watch(world) -> ClusterWatch:
    return ClusterWatch("backfill")


def look(watch: ClusterWatch, world: World, seconds: int) -> str | None:
    """What the watcher says at some time in the next seconds."""
    for _ in range(0, seconds, 3):
        if verdict := watch.check(PID):
            return verdict
        world.pass_time(3)
    return None


def test_a_cluster_without_work_is_left_alone(watch, world):
    assert look(watch, world, 600) is None


def test_tasks_that_wait_for_busy_workers_are_no_trouble(watch, world):
    world.queued, world.waiting = 30, 2
    world.tasks = {pid: clusters.Task("import", timezone.now()) for pid in WORKERS}
    assert look(watch, world, 600) is None


def test_tasks_that_wait_although_workers_are_idle_are(watch, world):
    world.waiting = 2
    world.tasks = {WORKERS[0]: clusters.Task("import", timezone.now())}
    assert look(watch, world, 12) is None
    assert look(watch, world, 30) == "is stuck: 2 tasks wait while 1 of 2 workers are idle"


def test_a_pause_between_tasks_is_no_trouble(watch, world):
    for _ in range(20):
        world.waiting = 1
        assert look(watch, world, 12) is None
        world.waiting = 0
        assert look(watch, world, 6) is None


def test_a_worker_that_holds_a_lease_is_busy_whatever_the_cache_forgot(watch, world, es, contfut, monkeypatch):
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    lease.claim(run.steps.get())
    run.steps.update(worker=f"{HOST}:{WORKERS[0]}", lease_until=timezone.now() + dt.timedelta(hours=1))
    monkeypatch.setattr(cluster_watch, "_is_running", lambda pid: True)
    world.waiting = 1
    world.tasks = {WORKERS[1]: clusters.Task("import", timezone.now())}
    assert look(watch, world, 60) is None


def test_silence_is_trouble(watch, world):
    assert look(watch, world, 10) is None
    world.silent = True
    assert look(watch, world, 51) is None
    assert look(watch, world, 30).startswith("is stuck: no sign of life for 6")


def test_results_that_pile_up_are_trouble(watch, world):
    world.unsaved = 3
    assert look(watch, world, 60) == "is stuck: 3 results are not stored"


def test_a_cache_that_is_away_is_not_the_clusters_fault(watch, world):
    world.silent = world.away = True
    assert look(watch, world, 600) is None
    world.away = False
    assert look(watch, world, 30) is None  # it may beat again from now on
    assert look(watch, world, 60) is not None


def test_a_database_that_is_away_is_not_either(watch, world, monkeypatch):
    def refuse(*_args):
        raise OperationalError("gone")

    monkeypatch.setattr(ClusterWatch, "_free_steps_of_the_gone", refuse)
    world.waiting = 1
    assert look(watch, world, 600) is None


@pytest.fixture
def step(es, contfut) -> Step:
    """A step that is being computed by a process of this machine, which is gone."""
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    lease.claim(run.steps.get())
    run.steps.update(worker=f"{HOST}:{WORKERS[0]}")
    return run.steps.get()


def test_the_step_of_a_process_that_is_gone_is_freed_at_once(watch, world, step):
    watch.check(PID)
    step.refresh_from_db()
    assert (step.status, step.faults) == ("waiting", 1)
    assert f"worker {step.worker} is gone; to be computed again" in Event.objects.get(step=step).message


def test_steps_of_other_hosts_and_of_the_living_are_left_alone(watch, world, step):
    for worker in (f"elsewhere:{WORKERS[0]}", f"{HOST}:{os.getpid()}"):
        Step.objects.update(worker=worker)
        assert look(watch, world, 9) is None
        step.refresh_from_db()
        assert step.status == "running"


def test_a_worker_that_hangs_in_a_session_is_ended(watch, world, settings):
    hung = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        world.workers = (hung.pid, WORKERS[1])
        world.tasks = {hung.pid: clusters.Task("run 7 ES", timezone.now(), is_run=True)}
        assert look(watch, world, settings.STEP_LEASE) is None
        assert hung.poll() is None
        assert look(watch, world, 12) is None
        assert hung.wait(10) == -signal.SIGKILL
    finally:
        hung.kill()
        hung.wait()
    assert "hung in run 7 ES and was ended" in Event.objects.get(kind="run").message


def test_a_restart_frees_steps_without_blame_rings_and_is_told(watch, world, step, monkeypatch):
    monkeypatch.setattr(cluster_watch, "_is_running", lambda pid: True)
    watch.check(PID)
    watch.started_again("is stuck: 2 tasks wait while 1 of 2 workers are idle")
    step.refresh_from_db()
    assert (step.status, step.faults) == ("waiting", 0)
    told = Event.objects.get(kind="worker")
    assert told.level == "error"
    assert told.message == (
        f"The backfill cluster on {HOST} (process {PID}) is stuck: 2 tasks wait while 1 of 2 workers are idle; "
        "it was started again."
    )
    assert Event.objects.filter(message__contains="its task is sent again").count() == 1


def test_people_are_notified_of_a_stuck_cluster_and_that_it_is_over(watch, world, settings, monkeypatch):
    settings.NOTIFY_URLS = ["json://localhost"]
    sent = []
    monkeypatch.setattr(notify, "send", lambda title, body: sent.append((title, body)) or notify.Sent(1, []))
    watch.check(PID)
    watch.started_again("is stuck: no sign of life for 61 s")
    later = timezone.now() + notify.GATHER * 2
    notify.send_digest(later)
    assert "is stuck" in sent[-1][1]
    assert look(watch, world, 330) is None
    assert "has been well for 5 minutes" in Event.objects.filter(kind="worker").latest("pk").message
    NotifierState.objects.update(lease_until=None)
    notify.send_digest(later + notify.SHORTEST * 2)
    assert "recovered" in sent[-1][0]


def test_what_cannot_be_told_now_is_told_later(watch, world, monkeypatch):
    record = cluster_watch.events.record

    def refuse(*_args, **_more):
        raise OperationalError("gone")

    monkeypatch.setattr(cluster_watch.events, "record", refuse)
    watch.check(PID)
    watch.started_again("stopped with exit status 0")
    assert not Event.objects.exists()
    monkeypatch.setattr(cluster_watch.events, "record", record)
    look(watch, world, 6)
    assert Event.objects.get(kind="worker").level == "warning"


def test_the_command_refuses_clusters_that_there_are_not():
    with pytest.raises(CommandError, match="there is no cluster 'nightly'"):
        call_command("workers", "nightly")
