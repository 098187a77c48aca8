"""What is known of the task clusters: their heartbeats, what their workers compute, and how much waits in the queues.

All of it is read from the cache and the broker, which a page or a watcher shares with the workers. A cache or broker
that does not answer is an error here (`Unreachable`), never an empty answer.
"""

import datetime as dt
import logging
import os
import socket
import time
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db import DatabaseError
from django.utils import timezone

from exo_registry.code import loaded_code

log = logging.getLogger(__name__)

NAMES = ("online", "backfill")  # settings.Q_CLUSTER
RUN_WORK = ("exo_registry.runs.worker.work", "exo_registry.runs.online.catch_up")
WEB = "exoweb:web"
WEB_EVERY = 20.0  # seconds between the reports of a web process
WEB_KEPT = dt.timedelta(minutes=3)
KEPT = 60  # seconds that a heartbeat is kept
BETWEEN_HEARTBEATS = dt.timedelta(seconds=1)
QUIET = dt.timedelta(seconds=10)  # a cluster that is silent for longer is not active


class Unreachable(Exception):
    """The cache or the task queue does not answer; the message says what to look at."""


@dataclass(frozen=True)
class Task:
    """What a worker is doing. `is_run`: steps of a run, for which it holds leases."""

    name: str
    since: dt.datetime
    is_run: bool = False


@dataclass(frozen=True)
class Cluster:
    """A cluster at its last heartbeat. `waiting`: tasks fetched and not begun. `unsaved`: results not stored yet.
    `code`: versions of the modules that its workers cannot exchange (`loaded_code.versions`)."""

    queue: str
    host: str
    pid: int
    started: dt.datetime
    beat: dt.datetime
    waiting: int
    unsaved: int
    restarts: int
    workers: tuple[int, ...]
    helpers: dict[str, int]
    tasks: dict[int, Task] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)

    def age(self, now: dt.datetime | None = None) -> dt.timedelta:
        """Since the last heartbeat."""
        return max((now or timezone.now()) - self.beat, dt.timedelta(0))

    def is_alive(self, now: dt.datetime | None = None) -> bool:
        return self.age(now) < QUIET

    @property
    def idle(self) -> list[int]:
        """Process numbers of workers without a task."""
        return [pid for pid in self.workers if pid not in self.tasks]


def queue_key(key: str) -> str:
    """Where the broker notes the queue of the cluster whose heartbeat is under `key`."""
    return f"{key}:queue"


def _task_key(host: str, pid: int) -> str:
    return f"exoweb:task:{host}:{pid}"


def _code_key(host: str, pid: int) -> str:
    return f"exoweb:code:{host}:{pid}"


def clusters() -> list[Cluster]:
    """The clusters with a heartbeat within a minute, by queue and host. Raises Unreachable."""
    from django_q.brokers import get_broker
    from django_q.status import Stat

    try:
        stats = Stat.get_all(get_broker())
        queues = cache.get_many([queue_key(stat.key) for stat in stats])
        keys = [key(stat.host, pid) for stat in stats for pid in stat.workers for key in (_task_key, _code_key)]
        marks = cache.get_many(keys)
    except Exception as error:  # whatever the cache's or broker's client raises
        raise Unreachable(f"The heartbeats of the workers cannot be read ({_words(error)}).") from error
    clusters = [_cluster(stat, queues.get(queue_key(stat.key), "?"), marks) for stat in stats]
    kept = [cluster for cluster in clusters if not any(_replaces(other, cluster) for other in clusters)]
    return sorted(kept, key=lambda cluster: (cluster.queue, cluster.host, cluster.started))


def _replaces(new: Cluster, old: Cluster) -> bool:
    """Whether a cluster was started in the place of one that is gone."""
    return (new.queue, new.host) == (old.queue, old.host) and new.started > old.beat + BETWEEN_HEARTBEATS


def _cluster(stat: object, queue: str, marks: dict[str, object]) -> Cluster:
    codes = (marks.get(_code_key(stat.host, pid)) for pid in stat.workers)
    tasks = {pid: marks.get(_task_key(stat.host, pid)) for pid in stat.workers}
    return Cluster(
        queue=queue,
        host=stat.host,
        pid=stat.pid,
        started=stat.tob,
        beat=stat.timestamp,
        waiting=stat.task_q_size,
        unsaved=stat.done_q_size,
        restarts=stat.reincarnations,
        workers=tuple(stat.workers),
        helpers={"sentinel": stat.sentinel, "pusher": stat.pusher, "monitor": stat.monitor},
        tasks={pid: task for pid, task in tasks.items() if task is not None},
        code=next((code for code in codes if code), {}),
    )


def queue_depth(name: str) -> int:
    """Tasks that wait in a queue for a cluster to fetch them. Raises Unreachable."""
    from django_q.brokers import get_broker

    try:
        return get_broker(name).queue_size()
    except Exception as error:
        raise Unreachable(f"The queue {name} cannot be read ({_words(error)}).") from error


def _words(error: Exception) -> str:
    return f"the database says: {error}" if isinstance(error, DatabaseError) else type(error).__name__


@dataclass(frozen=True)
class WebProcess:
    """A web process that has answered lately. `code` as a cluster's."""

    host: str
    pid: int
    beat: dt.datetime
    code: dict[str, str]


def web_processes() -> list[WebProcess]:
    """The web processes that have answered a request within a few minutes. Raises Unreachable."""
    try:
        noted: dict[str, WebProcess] = cache.get(WEB) or {}
    except Exception as error:
        raise Unreachable(f"The web processes' reports cannot be read ({_words(error)}).") from error
    since = timezone.now() - WEB_KEPT
    return [process for process in noted.values() if process.beat > since]


# What a process says of itself. It must go on without a cache, so nothing here raises.


def note_begin(sender: object, task: dict, **_signal: object) -> None:
    """A worker begins a task (django-q's signal)."""
    _note(Task(str(task.get("name", "")), timezone.now(), task.get("func") in RUN_WORK))


def note_end(sender: object, **_signal: object) -> None:
    """A worker has ended its task (django-q's signal)."""
    _note(None)


def note_code(**_signal: object) -> None:
    """A worker begins: the code that it has from its cluster (django-q's signal)."""
    _set(_code_key(socket.gethostname(), os.getpid()), loaded_code.versions(), timeout=24 * 3600)


_web_noted = 0.0


def note_web() -> None:
    """A web process answers: the code that it has loaded, noted now and then.

    Two that write at once may lose one's report; it comes again with the next.
    """
    global _web_noted
    if time.monotonic() - _web_noted < WEB_EVERY:
        return
    _web_noted = time.monotonic()
    now, host, pid = timezone.now(), socket.gethostname(), os.getpid()
    try:
        noted = {key: process for key, process in (cache.get(WEB) or {}).items() if process.beat > now - WEB_KEPT}
    except Exception:
        noted = {}
    noted[f"{host}:{pid}"] = WebProcess(host, pid, now, loaded_code.versions())
    _set(WEB, noted, timeout=WEB_KEPT.total_seconds())


def _set(key: str, value: object, timeout: float) -> None:
    try:
        cache.set(key, value, timeout=timeout)
    except Exception:
        log.warning("what this process does cannot be noted in the cache", exc_info=True)


def _note(task: Task | None) -> None:
    key = _task_key(socket.gethostname(), os.getpid())
    try:
        if task is None:
            cache.delete(key)
        else:
            cache.set(key, task, timeout=24 * 3600)
    except Exception:
        log.warning("what this worker does cannot be noted in the cache", exc_info=True)
