"""A worker whose code has changed on disk requeues its task and has its cluster replaced.

A worker is forked from its cluster's process and has that one's engine, so that a new worker would run the old code
as well: the cluster as a whole must end. It is asked politely, as by an operator; whoever keeps it running
(`manage.py workers`, `start`, systemd) starts it again. It stays if no process could start on the code on disk: the
task is then left to the reconciler, which sends it again until that is fixed.
"""

import datetime as dt
import logging
import os
import signal
import socket
import time
from contextlib import suppress

from django.utils import timezone

from exo_registry.code import loaded_code
from exo_registry.code.loaded_code import OldCode
from exo_registry.models import Event, event_log

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds, for the cluster to stop fetching tasks; it would fetch this one again
REPEAT = dt.timedelta(hours=1)


def end_cluster(error: OldCode) -> bool:
    """Have this worker's cluster end; whether it does. Outside a cluster: raises the error."""
    cluster = loaded_code.PROCESS
    if cluster == os.getpid():
        raise error
    if reason := loaded_code.start_failure():
        _record("error", f"Workers wait: {error}, and no process starts with it ({reason}). Fix the file.")
        return False
    log.warning("%s: the cluster is replaced", error)
    with suppress(ProcessLookupError):
        if os.getpgid(cluster) == os.getpgid(0):
            os.kill(cluster, signal.SIGTERM)
            _record("info", f"Cluster {socket.gethostname()}:{cluster} is replaced: {error}.")
            time.sleep(PAUSE)
    return True


def _record(level: str, message: str) -> None:
    """Record an event, once while it lasts."""
    recent = Event.objects.filter(kind="worker", message=message, time__gt=timezone.now() - REPEAT)
    if not recent.exists():
        event_log.record("worker", message, level=level)
