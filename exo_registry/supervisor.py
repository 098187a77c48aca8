"""Keeps the processes of a one-machine exoweb running, and ends all of them together.

Each child is a process group of its own, with its output in a log file. Ctrl-C (or a termination signal)
ends every group: politely, then by force. A child that dies is started again; one that keeps dying ends
everything, with the last lines of its log.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

RESTARTS = 3  # in RESTART_WINDOW, before giving up
RESTART_WINDOW = 60.0  # seconds
GRACE = 10.0  # seconds between the polite signal and the forced one


class ChildFailed(RuntimeError):
    """A child process that cannot be kept running; the message holds the end of its log."""


@dataclass
class Child:
    """A process to keep running. `environment` is added to this process's own."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = field(default=None, init=False)
    starts: list[float] = field(default_factory=list, init=False)

    def start(self) -> None:
        self.starts.append(time.monotonic())
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab" if len(self.starts) > 1 else "wb") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # this process has one thread
            )

    @property
    def exit_status(self) -> int | None:
        return self.process.poll() if self.process else None

    def signal(self, number: int) -> None:
        """Send a signal to the child; the forced one goes to everything that it started, too."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def log_end(self, lines: int = 15) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


def _end_with_parent() -> None:
    """Have the kernel end this child when the supervisor is gone, however that went."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Supervisor:
    """Runs children until a signal. `say` prints a line for the person at the terminal."""

    def __init__(self, children: list[Child], say: Callable[[str], None]) -> None:
        self.children = children
        self.say = say
        self.stopping = False

    def __enter__(self) -> "Supervisor":
        self._handlers = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        for child in self.children:
            child.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Whether `ready()` came true in time. Children are watched meanwhile; a signal ends the wait."""
        deadline = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < deadline:
            if ready():
                return True
            self.watch()
            time.sleep(0.1)
        return False

    def run(self) -> None:
        """Watch the children until a signal. Raises ChildFailed."""
        while not self.stopping:
            self.watch()
            time.sleep(0.3)

    def watch(self) -> None:
        """Start again whatever has died. Raises ChildFailed for a child that keeps dying."""
        for child in self.children:
            status = child.exit_status
            if status is None or self.stopping:
                continue
            child.signal(signal.SIGKILL)  # what it left behind
            recent = [start for start in child.starts if time.monotonic() - start < RESTART_WINDOW]
            if len(recent) > RESTARTS:
                raise ChildFailed(
                    f"{child.name} keeps stopping (exit status {status}). The end of {child.log}:\n{child.log_end()}"
                )
            self.say(f"{child.name} stopped with exit status {status}; starting it again (log: {child.log})")
            child.start()

    def stop(self) -> None:
        """End every child and all that it started. Safe to call twice."""
        self.stopping = True
        running = [child for child in self.children if child.process]
        for child in running:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for child in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
            child.signal(signal.SIGKILL)
            child.process.wait()


def take_lock(path: Path) -> IO[str] | None:
    """An exclusive lock held while the returned file is open; None if another process holds it."""
    import fcntl

    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
