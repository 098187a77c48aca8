"""`manage.py start`: from an empty home to pages and workers, stopped by a signal, and the second time quick."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request

import pytest
from django.core.management import CommandError, call_command

from exo_registry.management.commands.start import Command
from exo_registry.workers.supervisor import take_lock
from tests.paths import ROOT


def start(home, *arguments, **environment) -> subprocess.Popen:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EXOWEB_", "DJANGO_"))}
    kept.pop("DATABASE_URL", None)
    command = [sys.executable, "manage.py", "start", "--port", "8400", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**kept, "EXOWEB_HOME": str(home), "EXOWEB_WORKERS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen, pattern: str, seconds: float = 120.0) -> str:
    """What the process prints up to and including a line that matches."""
    text, deadline = "", time.monotonic() + seconds
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        text += line
        if re.search(pattern, line):
            return text
    pytest.fail(f"no {pattern!r} in:\n{text}")


def session_members(word: str) -> list[str]:
    """Command lines of running processes that mention `word` in their environment or arguments."""
    children = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as environment, open(f"/proc/{entry}/cmdline", "rb") as line:
                    if f"EXOWEB_HOME={word}".encode() in environment.read():
                        children.append(line.read().decode().replace("\0", " "))
            except OSError:
                continue
    return children


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_it_serves_an_empty_registry_and_leaves_nothing_behind(tmp_path):
    passwords = []
    for turn in range(2):
        process = start(tmp_path / "home", "--no-demo")
        try:
            text = read_until(process, "Ctrl-C")
            address = re.search(r"http://\S+", text)[0]
            with urllib.request.urlopen(f"{address}accounts/login/") as answer:
                assert answer.status == 200, turn
            passwords.append(re.search(r"password +(\S+)", text)[1])
            assert len(session_members(str(tmp_path / "home"))) >= 6  # supervisor, web and its workers, two clusters
        finally:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, rest
        assert "Stopped" in rest
        assert session_members(str(tmp_path / "home")) == []
    assert passwords[0] == passwords[1]
    assert stat.S_IMODE((tmp_path / "home" / "admin_password").stat().st_mode) == 0o600


def test_a_second_start_from_the_same_home_is_refused(settings, tmp_path):
    settings.HOME = tmp_path
    with take_lock(tmp_path / "start.lock"), pytest.raises(CommandError, match="already running"):
        call_command("start")


def test_a_taken_port_gives_way_to_the_next(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert Command().free_port("127.0.0.1", port) > port
    assert f"Port {port} is taken" in capsys.readouterr().out
