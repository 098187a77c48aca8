"""What is known of the task clusters: who beats, who is busy with what, and how much waits in the queues.

All of it is read from the cache and the broker, which a page or a watcher shares with the workers. A cache or broker
that does not answer is an error here (`Unreachable`), never an empty answer.
"""

import datetime as dt
import logging
import os
import socket
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db import DatabaseError
from django.utils import timezone

log = logging.getLogger(__name__)

NAMES = ("online", "backfill")  # settings.Q_CLUSTER
RUN_WORK = ("exo_registry.runs.tasks.work", "exo_registry.runs.online.catch_up")
KEPT = 60  # seconds that a heartbeat is kept
BETWEEN_BEATS = dt.timedelta(seconds=1)
QUIET = dt.timedelta(seconds=10)  # a cluster beats every second; one that is silent for longer is not counted on


class Unreachable(Exception):
    """The cache or the task queue does not answer; the message says what to look at."""


@dataclass(frozen=True)
class Task:
    """What a worker is at. `is_run`: steps of a run, for which it holds leases."""

    name: str
    since: dt.datetime
    is_run: bool = False


@dataclass(frozen=True)
class Cluster:
    """A cluster as it last beat. `waiting` and `unsaved`: tasks fetched and not begun, and results not stored yet."""

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
    """Where the broker notes the queue of the cluster that beats under `key`."""
    return f"{key}:queue"


def _task_key(host: str, pid: int) -> str:
    return f"exoweb:task:{host}:{pid}"


def clusters() -> list[Cluster]:
    """The clusters that have beaten within a minute, by queue and host. Raises Unreachable."""
    from django_q.brokers import get_broker
    from django_q.status import Stat

    try:
        stats = Stat.get_all(get_broker())
        queues = cache.get_many([queue_key(stat.key) for stat in stats])
        marks = cache.get_many([_task_key(stat.host, pid) for stat in stats for pid in stat.workers])
    except Exception as error:  # whatever the cache's or broker's client raises
        raise Unreachable(f"The heartbeats of the workers cannot be read ({_words(error)}).") from error
    found = [_cluster(stat, queues.get(queue_key(stat.key), "?"), marks) for stat in stats]
    kept = [one for one in found if not any(_replaces(other, one) for other in found)]
    return sorted(kept, key=lambda one: (one.queue, one.host, one.started))


def _replaces(new: Cluster, old: Cluster) -> bool:
    """Whether a cluster was started in the place of one that has beaten its last."""
    return (new.queue, new.host) == (old.queue, old.host) and new.started > old.beat + BETWEEN_BEATS


def _cluster(stat: object, queue: str, marks: dict[str, Task]) -> Cluster:
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


# What a worker says of itself. It must go on without a cache, so nothing here raises.


def note_begin(sender: object, task: dict, **_signal: object) -> None:
    """A worker begins a task (django-q's signal)."""
    _note(Task(str(task.get("name", "")), timezone.now(), task.get("func") in RUN_WORK))


def note_end(sender: object, **_signal: object) -> None:
    """A worker has ended its task (django-q's signal)."""
    _note(None)


def _note(task: Task | None) -> None:
    key = _task_key(socket.gethostname(), os.getpid())
    try:
        if task is None:
            cache.delete(key)
        else:
            cache.set(key, task, timeout=24 * 3600)
    except Exception:
        log.warning("what this worker does cannot be noted in the cache", exc_info=True)
