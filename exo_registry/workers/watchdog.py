"""Watches a task cluster on this machine, and says when it must be started again.

django-q replaces workers that die, but a worker killed at the wrong moment takes a lock of the cluster's queue with
it, and then the rest waits for ever. Seen from outside: tasks wait while workers are idle, results pile up, or the
cluster sends no heartbeat. What is seen is recorded in the event log, from which people are notified.

The watcher also frees the steps of processes that are gone, ends workers that hang in their step, and reconciles, so
that none of it depends on the cluster being well. Whatever fails here is logged and tried again.
"""

import datetime as dt
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from exo_registry.formats.text import counted
from exo_registry.models import Status, Step, event_log
from exo_registry.runs import control

from . import heartbeats
from .heartbeats import Cluster, Unreachable
from .supervisor import Child

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds
RECONCILE_EVERY = 10.0
WELL_AFTER = 300.0  # seconds without trouble, until the event log says that it is over


class ClusterWatch:
    """Looks after one cluster: `check` and `started_again` are those of its `supervisor.Child`."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.host = socket.gethostname()
        self._pid = 0
        self._looked = self._reconciled = 0.0
        self._troubled: float | None = None
        self._unrecorded: list[tuple[str, str]] = []
        self._workers: tuple[int, ...] = ()
        self._is_first_look = True

    def check(self, pid: int) -> str | None:
        """Why the cluster must be started again; None if it is well, or cannot be judged now."""
        now = time.monotonic()
        if pid != self._pid:
            self._pid, self._heartbeat, self._alive_at = pid, None, now
            self._since: dict[object, float] = {}
        if now - self._looked < LOOK_EVERY:
            return None
        self._looked = now
        try:
            close_old_connections()
            self._record(now)
            return self._look(now)
        except Unreachable as error:
            log.warning("%s", error)
        except Exception:
            log.exception("the %s cluster cannot be watched at the moment", self.queue)
        # Silence is judged from when the cache and the queue answer again.
        self._alive_at, self._since = now, {}
        return None

    def _look(self, now: float) -> str | None:
        mine = next(
            (cluster for cluster in heartbeats.clusters() if cluster.pid == self._pid and cluster.host == self.host),
            None,
        )
        queued = heartbeats.queue_depth(self.queue)
        if mine is not None and mine.beat != self._heartbeat:
            self._heartbeat, self._alive_at = mine.beat, now
        # What is gone before the first look went down with an earlier watcher: no fault of the steps.
        holders = self._free_steps_of_the_gone(timezone.now(), fault=False if self._is_first_look else None)
        self._is_first_look = False
        if mine is not None:
            self._workers = mine.workers
            self._end_hung_workers(mine, holders, now)
        if now - self._reconciled > min(RECONCILE_EVERY, settings.STEP_LEASE / 4):
            self._reconciled = now
            control.reconcile()
        return self._verdict(mine, queued, holders, now)

    def _verdict(self, mine: Cluster | None, queued: int, holders: set[int], now: float) -> str | None:
        if now - self._alive_at > settings.CLUSTER_SILENT:
            return f"is stuck: no heartbeat for {now - self._alive_at:.0f} s"
        if mine is None:
            return None
        idle = set(mine.idle) - holders
        waiting = queued + mine.waiting
        if self._lasts("idle", bool(waiting and idle), now) > settings.CLUSTER_STUCK:
            tasks = counted(waiting, "task waits", "tasks wait")
            return f"is stuck: {tasks} while {len(idle)} of {len(mine.workers)} workers are idle"
        if self._lasts("unsaved", mine.unsaved > 0, now) > 2 * settings.CLUSTER_STUCK:
            return f"is stuck: {counted(mine.unsaved, 'result is', 'results are')} not stored"
        return None

    def _lasts(self, what: object, so: bool, now: float) -> float:
        """For how many seconds something has been so without a break."""
        if not so:
            self._since.pop(what, None)
            return 0.0
        return now - self._since.setdefault(what, now)

    def _free_steps_of_the_gone(self, now: dt.datetime, fault: bool | None) -> set[int]:
        """Free steps whose process on this machine is gone; returns the processes that hold a live lease."""
        held = Step.objects.filter(status=Status.RUNNING, worker__startswith=f"{self.host}:")
        holders = set()
        for worker, until in held.values_list("worker", "lease_until"):
            pid = int(worker.rpartition(":")[2])
            if not _is_running(pid):
                control.free_steps_of(worker, f"worker {worker} is gone", fault=fault)
            elif until > now:
                holders.add(pid)
        return holders

    def _end_hung_workers(self, mine: Cluster, holders: set[int], now: float) -> None:
        """End workers that compute a run but let their lease expire: their session never ends."""
        for pid in mine.workers:
            hangs = pid in mine.tasks and mine.tasks[pid].is_run and pid not in holders
            if self._lasts(pid, hangs, now) > settings.STEP_LEASE and _is_running(pid):
                os.kill(pid, signal.SIGKILL)
                message = f"worker {self.host}:{pid} hung in {mine.tasks[pid].name} and was killed"
                # Not of the kind "worker", which tells of clusters: this is the step's doing.
                event_log.record("run", f"The {self.queue} cluster: {message}.", level="warning")
                self._since.pop(pid)

    def started_again(self, reason: str) -> None:
        """Note a new start for the event log, and free what the old cluster's workers held."""
        level = "error" if "stuck" in reason else "info" if reason == "stopped with exit status 0" else "warning"
        message = f"The {self.queue} cluster on {self.host} (process {self._pid}) {reason}; it was restarted."
        self._unrecorded.append((level, message))
        self._troubled = time.monotonic()
        try:
            for worker in (f"{self.host}:{pid}" for pid in self._workers):
                control.free_steps_of(worker, f"worker {worker} went down with its cluster", fault=False)
            control.requeue_after_restart()
            self._record(self._troubled)
        except Exception:
            log.exception("steps of the %s cluster cannot be freed now; the reconciler will", self.queue)
        self._workers = ()

    def _record(self, now: float) -> None:
        if self._troubled is not None and now - self._troubled > WELL_AFTER:
            self._troubled = None
            message = f"The {self.queue} cluster on {self.host} has had no problems for {WELL_AFTER / 60:.0f} minutes."
            self._unrecorded.append(("info", message))
        while self._unrecorded:
            level, message = self._unrecorded[0]
            event_log.record("worker", message, level=level)
            self._unrecorded.pop(0)


def cluster_child(queue: str, log_file: Path | None = None, environment: dict[str, str] | None = None) -> Child:
    """A task cluster as a process to keep running, with a watcher. `log_file` None: its output is this process's."""
    watch = ClusterWatch(queue)
    return Child(
        f"{queue} cluster",
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"],
        log_file,
        {**(environment or {}), "Q_CLUSTER_NAME": queue},
        check=watch.check,
        started_again=watch.started_again,
    )


def _is_running(pid: int) -> bool:
    """Whether a process runs; on Linux one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return True
