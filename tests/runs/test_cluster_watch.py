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

from exo_registry.models import Event, NotifierState, Run, Step
from exo_registry.operations import notifications
from exo_registry.runs import lease, plan
from exo_registry.workers import heartbeats, watchdog
from exo_registry.workers.heartbeats import Cluster, Unreachable
from exo_registry.workers.watchdog import ClusterWatch

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
        self.tasks: dict[int, heartbeats.Task] = {}
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
    monkeypatch.setattr(heartbeats, "clusters", world.clusters)
    monkeypatch.setattr(heartbeats, "queue_depth", lambda name: world.queued)
    monkeypatch.setattr(watchdog, "close_old_connections", lambda: None)
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: world.clock)
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
    world.tasks = {pid: heartbeats.Task("import", timezone.now()) for pid in WORKERS}
    assert look(watch, world, 600) is None


def test_tasks_that_wait_although_workers_are_idle_are(watch, world):
    world.waiting = 2
    world.tasks = {WORKERS[0]: heartbeats.Task("import", timezone.now())}
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
    monkeypatch.setattr(watchdog, "_is_running", lambda pid: True)
    world.waiting = 1
    world.tasks = {WORKERS[1]: heartbeats.Task("import", timezone.now())}
    assert look(watch, world, 60) is None


def test_silence_is_trouble(watch, world):
    assert look(watch, world, 10) is None
    world.silent = True
    assert look(watch, world, 51) is None
    assert look(watch, world, 30).startswith("is stuck: no heartbeat for 6")


def test_results_that_pile_up_are_trouble(watch, world):
    world.unsaved = 3
    assert look(watch, world, 60) == "is stuck: 3 results are not stored"


@pytest.mark.parametrize(
    ("trouble", "limit"), [({"waiting": 1}, 15), ({"unsaved": 1}, 30), ({"silent": True}, 60)], ids=str
)
def test_it_is_stuck_after_more_seconds_than_the_limit_and_not_before(watch, world, trouble, limit):
    vars(world).update(trouble)
    assert watch.check(PID) is None
    world.pass_time(limit)
    assert watch.check(PID) is None
    world.pass_time(3)  # the next look
    assert watch.check(PID).startswith("is stuck")


@pytest.mark.parametrize(("seconds", "count"), [(300, 1), (301, 2)])
def test_it_is_well_again_after_five_minutes(watch, world, seconds, count):
    watch.check(PID)
    watch.started_again("is stuck: no heartbeat for 61 s")
    world.pass_time(seconds)
    watch.check(PID)
    assert Event.objects.filter(kind="worker").count() == count


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


@pytest.mark.parametrize("before_the_first_look", [True, False])
def test_the_step_of_a_process_that_is_gone_is_freed_at_once(watch, world, step, before_the_first_look):
    """It counts against the step, unless the process went down before this watcher came: with everything else."""
    if not before_the_first_look:
        Step.objects.update(worker=f"{HOST}:{os.getpid()}")
        watch.check(PID)
        world.pass_time(3)
        Step.objects.update(worker=step.worker)
    watch.check(PID)
    step.refresh_from_db()
    assert (step.status, step.faults) == ("waiting", 0 if before_the_first_look else 1)
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
        world.tasks = {hung.pid: heartbeats.Task("run 7 ES", timezone.now(), is_run=True)}
        assert look(watch, world, settings.STEP_LEASE) is None
        assert hung.poll() is None
        assert look(watch, world, 12) is None
        assert hung.wait(10) == -signal.SIGKILL
    finally:
        hung.kill()
        hung.wait()
    assert "hung in run 7 ES and was killed" in Event.objects.get(kind="run").message


def test_a_restart_frees_steps_without_blame_rings_and_is_told(watch, world, step, monkeypatch):
    monkeypatch.setattr(watchdog, "_is_running", lambda pid: True)
    watch.check(PID)
    watch.started_again("is stuck: 2 tasks wait while 1 of 2 workers are idle")
    step.refresh_from_db()
    assert (step.status, step.faults) == ("waiting", 0)
    event = Event.objects.get(kind="worker")
    assert event.level == "error"
    assert event.message == (
        f"The backfill cluster on {HOST} (process {PID}) is stuck: 2 tasks wait while 1 of 2 workers are idle; "
        "it was restarted."
    )
    assert Event.objects.filter(message__contains="requeued.").count() == 1


def test_people_are_notified_of_a_stuck_cluster_and_that_it_is_over(watch, world, settings, monkeypatch):
    settings.NOTIFY_URLS = ["json://localhost"]
    sent = []
    monkeypatch.setattr(
        notifications, "send", lambda title, body: sent.append((title, body)) or notifications.Sent(1, [])
    )
    watch.check(PID)
    watch.started_again("is stuck: no heartbeat for 61 s")
    later = timezone.now() + notifications.GATHER * 2
    notifications.send_digest(later)
    assert "is stuck" in sent[-1][1]
    assert look(watch, world, 330) is None
    assert "has had no problems for 5 minutes" in Event.objects.filter(kind="worker").latest("pk").message
    NotifierState.objects.update(lease_until=None)
    notifications.send_digest(later + notifications.SHORTEST * 2)
    assert "recovered" in sent[-1][0]


def test_what_cannot_be_told_now_is_told_later(watch, world, monkeypatch):
    record = watchdog.event_log.record

    def refuse(*_args, **_more):
        raise OperationalError("gone")

    monkeypatch.setattr(watchdog.event_log, "record", refuse)
    watch.check(PID)
    watch.started_again("stopped with exit status 1")
    assert not Event.objects.exists()
    monkeypatch.setattr(watchdog.event_log, "record", record)
    look(watch, world, 6)
    assert Event.objects.get(kind="worker").level == "warning"


def test_the_command_refuses_clusters_that_there_are_not():
    with pytest.raises(CommandError, match="there is no cluster 'nightly'"):
        call_command("workers", "nightly")
