"""Keeps the processes of a one-machine exoweb running, and ends all of them together.

Each child is a process group of its own, with its output in a log file. Ctrl-C (or a termination signal)
ends every group: politely, then by force. A child that dies, or that its own `check` finds stuck, is started again;
one that keeps dying ends everything, with the last lines of its log, unless the supervisor is asked to be patient.
Should this process be killed, all groups are killed within a moment (`end_with_parent`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

RESTARTS = 3  # in RESTART_WINDOW, before giving up
RESTART_WINDOW = 60.0  # seconds
SHORT_LIFE = 5.0  # seconds: a child that lived no longer has not really started
LONGEST_PAUSE = 15.0  # seconds
GRACE = 10.0  # seconds between the polite signal and the forced one
END_WITH_PARENT = Path(__file__).with_name("end_with_parent.py")


class StopRequest:
    """Whether a command was asked to stop. Python drops an interrupt that strikes in a destructor or in a callback of a
    library, so long work looks here as well."""

    def __init__(self) -> None:
        self.received = False

    def check(self) -> None:
        """Raises KeyboardInterrupt if the command was asked to stop."""
        if self.received:
            raise KeyboardInterrupt


@contextlib.contextmanager
def stop_signals(handler: Callable) -> Iterator[StopRequest]:
    """Have `handler` called by whatever asks a command to stop: Ctrl-C, a polite kill, or a terminal that is closed,
    unless the command ignores that (nohup). What is printed once the terminal is gone is lost, and no
    error. For the main thread only, as all signal handlers."""
    on_terminal = [number for number in (1, 2) if os.isatty(number)]
    stop = StopRequest()

    def receive(number: int, frame: object) -> None:
        stop.received = True
        if number == signal.SIGHUP:
            print_nowhere(on_terminal)
        handler(number, frame)

    handlers = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), receive)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del handlers[signal.SIGHUP]
    before = {number: signal.signal(number, new) for number, new in handlers.items()}
    try:
        yield stop
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def print_nowhere(descriptors: list[int]) -> None:
    """Send what is written to these file descriptors to nowhere: who read it is gone."""
    null = os.open(os.devnull, os.O_WRONLY)
    for number in descriptors:
        os.dup2(null, number)
    os.close(null)


class ChildFailed(RuntimeError):
    """A child process that cannot be kept running; the message holds the end of its log."""


@dataclass
class Child:
    """A process to keep running.

    log: the file for its output; None: this process's own. environment: added to this process's own.
    check: says why a running process must be started again (None: it need not), given its process number.
    started_again: called after each new start with the reason.
    """

    name: str
    command: list[str]
    log: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[int], str | None] | None = None
    started_again: Callable[[str], None] | None = None
    process: subprocess.Popen | None = field(default=None, init=False)
    starts: list[float] = field(default_factory=list, init=False)

    def start(self) -> None:
        self.starts.append(time.monotonic())
        with self._output() as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(END_WITH_PARENT), *self.command],
                env={**os.environ, **self.environment},
                stdin=subprocess.PIPE,  # open for as long as this process lives
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )

    def _output(self) -> AbstractContextManager[IO[bytes] | None]:
        if self.log is None:
            return contextlib.nullcontext()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        return self.log.open("ab" if len(self.starts) > 1 else "wb")

    def trouble(self) -> str | None:
        """Why it must be started again; None while it runs as it should."""
        status = self.exit_status
        if status is not None:
            return f"stopped with exit status {status}"
        return self.check(self.process.pid) if self.check else None

    @property
    def exit_status(self) -> int | None:
        return self.process.poll() if self.process else None

    def signal(self, number: int) -> None:
        """Send a signal to the child alone."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the child by force, and everything that it started or left behind. Safe to call twice."""
        if self.process.stdin.closed:
            return  # its number may be another's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies may not be killed
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()

    def log_end(self, lines: int = 15) -> str:
        with contextlib.suppress(OSError, AttributeError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Supervisor:
    """Runs children until a signal. `say` prints a line for the person at the terminal.

    patient: never give up on a child, but let growing pauses pass between its starts.
    grace: seconds between the polite signal and the forced one.
    """

    def __init__(
        self, children: list[Child], say: Callable[[str], None], *, patient: bool = False, grace: float | None = None
    ) -> None:
        self.children = children
        self.say = say
        self.patient = patient
        self.grace = GRACE if grace is None else grace
        self.stopping = False

    def __enter__(self) -> "Supervisor":
        with contextlib.ExitStack() as stack:
            stack.enter_context(stop_signals(self._stop))
            stack.callback(self.stop)
            for child in self.children:
                child.start()
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

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
        """Start again whatever has died or is stuck. Raises ChildFailed for a child that keeps dying."""
        for child in self.children:
            if self.stopping or (why := child.trouble()) is None:
                continue
            child.kill()
            recent = [start for start in child.starts if time.monotonic() - start < RESTART_WINDOW]
            asked = child.exit_status == 0  # it ended by request, such as for new code
            if len(recent) > RESTARTS and not self.patient and not asked:
                raise ChildFailed(f"{child.name} keeps stopping ({why}). The end of {child.log}:\n{child.log_end()}")
            if len(recent) > RESTARTS and time.monotonic() - child.starts[-1] < SHORT_LIFE:
                self._pause(min(len(recent), LONGEST_PAUSE))
            self.say(f"{child.name} {why}; starting it again{f' (log: {child.log})' if child.log else ''}")
            child.start()
            if child.started_again:
                child.started_again(why)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            time.sleep(0.1)

    def stop(self) -> None:
        """End every child and all that it started. Safe to call twice."""
        self.stopping = True
        running = [child for child in self.children if child.process]
        for child in running:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + self.grace
        for child in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
            child.kill()


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
