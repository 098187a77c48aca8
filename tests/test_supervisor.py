"""The supervisor: real processes, started again when they die and all gone at the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exo_registry.workers.supervisor import RESTARTS, Child, ChildFailed, Supervisor, take_lock
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

# A child that starts a child of its own, writes both numbers and ignores polite requests if told to.
FAMILY = """
import os, signal, subprocess, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + ".part", "w").write(f"{os.getpid()} {grandchild.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""


def wait_for(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("waited in vain")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def family(tmp_path, manner="polite") -> Child:
    command = [sys.executable, "-c", FAMILY, str(tmp_path / "pids"), manner]
    return Child("family", command, tmp_path / "logs" / "family.log")


@pytest.mark.parametrize("manner", ["polite", "stubborn"])
def test_nothing_is_left_after_stopping(tmp_path, monkeypatch, manner):
    monkeypatch.setattr("exo_registry.workers.supervisor.GRACE", 0.5)
    with Supervisor([family(tmp_path, manner)], print):
        wait_for((tmp_path / "pids").exists)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(map(is_alive, pids))
    wait_for(lambda: not any(map(is_alive, pids)))


def test_a_child_that_dies_is_started_again(tmp_path):
    said = []
    with Supervisor([family(tmp_path)], said.append) as supervisor:
        wait_for((tmp_path / "pids").exists)
        first = int((tmp_path / "pids").read_text().split()[0])
        (tmp_path / "pids").unlink()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.watch() or (tmp_path / "pids").exists())
        assert int((tmp_path / "pids").read_text().split()[0]) != first
    assert len(said) == 1
    assert said[0].startswith("family stopped with exit status -9; starting it again")


def test_a_child_that_keeps_dying_is_given_up_with_the_end_of_its_log(tmp_path):
    child = Child("broken", [sys.executable, "-c", "raise SystemExit('no database')"], tmp_path / "broken.log")
    with Supervisor([child], lambda line: None) as supervisor, pytest.raises(ChildFailed, match="no database"):
        wait_for(supervisor.watch)
    assert len(child.starts) == 1 + 3  # the first start, and three more within a minute


def test_a_child_that_ends_as_it_was_told_to_is_never_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("exo_registry.workers.supervisor.SHORT_LIFE", 0.0)
    child = Child("child", [sys.executable, "-c", ""], tmp_path / "child.log")
    with Supervisor([child], lambda _line: None) as supervisor:
        assert supervisor.wait_until(lambda: len(child.starts) > RESTARTS + 3, seconds=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run(tmp_path, number):
    inherited = signal.signal(number, signal.default_int_handler)  # the tests may run under nohup, which ignores one
    try:
        with Supervisor([family(tmp_path)], print) as supervisor:
            os.kill(os.getpid(), number)
            supervisor.run()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, inherited)


def test_a_hangup_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Supervisor([], print) as supervisor:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not supervisor.stopping
    finally:
        signal.signal(signal.SIGHUP, before)


SUPERVISOR = """
import sys
from pathlib import Path
from exo_registry.workers.supervisor import Child, Supervisor
command = [sys.executable, "-c", sys.argv[1], sys.argv[2], "stubborn"]
with Supervisor([Child("family", command, Path(sys.argv[2] + ".log"))], print) as supervisor:
    supervisor.run()
"""


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path):
    """Not even a child that ignores signals, or one that is stopped."""
    command = [sys.executable, "-c", SUPERVISOR, FAMILY, str(tmp_path / "pids")]
    supervisor = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_for((tmp_path / "pids").exists)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        group = [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and group_of(int(entry)) == pids[0]]
        assert set(pids) < set(group)  # and who waits for the supervisor's end
        os.kill(pids[1], signal.SIGSTOP)
    finally:
        supervisor.kill()
        supervisor.wait()
    wait_for(lambda: not any(map(is_alive, group)))


def test_one_start_at_a_time(tmp_path):
    first = take_lock(tmp_path / "start.lock")
    assert first is not None
    assert take_lock(tmp_path / "start.lock") is None
    first.close()
    again = take_lock(tmp_path / "start.lock")
    assert again is not None
    again.close()
