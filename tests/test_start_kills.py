"""`manage.py start` killed, hung up on and started again, as real processes on a clock that the test sets."""

import datetime as dt
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import time_machine
from django.test import Client

from exo_registry.demo import market
from exo_registry.models import Run, Series, Status, Step
from exo_registry.models.run import ACTIVE
from exo_registry.runs import lease, plan, worker
from tests.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]

FIRST_DAY = dt.date(2018, 3, 1)  # the demonstration begins in January 2018, so it is small
LATER_DAY = dt.date(2018, 12, 31)  # so that computing it takes a while
# Every process moves its own clock by the same time, as it starts.
CLOCK = """
import os, time, time_machine
time_machine.travel(time.time() + float(os.environ["CLOCK_SHIFT"]), tick=True).start()
"""
STAGES = ("Database", "Making the synthetic market", "to compute", "Ready", "Ctrl-C")
KILLS = 20
PATIENCE = 120  # seconds, for a machine that is busy with other things
FEW_SECONDS = 5


def wait_until(reached: Callable[[], bool], what: Callable[[], str], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what()}"
        time.sleep(0.05)


def noon(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(12), dt.UTC)


class Home:
    """A home of exoweb on the test's database, in which `start` is run."""

    def __init__(self, folder: Path, child_env: Callable[..., dict[str, str]]) -> None:
        self.folder = folder
        self.output = folder.with_suffix(".out")
        (folder.parent / "clock").mkdir()
        (folder.parent / "clock" / "sitecustomize.py").write_text(CLOCK)
        self.environment = child_env(
            EXOWEB_HOME=folder, EXOWEB_WORKERS=1, PYTHONPATH=folder.parent / "clock", PYTHONUNBUFFERED=1
        )
        self.process: subprocess.Popen | None = None

    def start(self, day: dt.date, terminal: str | None = None) -> None:
        """Start it when it is noon of `day`; `terminal`: the path of one to make its own."""
        command = [sys.executable, "manage.py", "start", "--port", str(free_port())]
        if terminal:  # the first that a session leader opens becomes its controlling terminal
            command = ["sh", "-c", f'exec "$@" <{terminal} >{terminal} 2>&1', "sh", *command]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment | {"CLOCK_SHIFT": str(noon(day).timestamp() - time.time())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, *texts: str) -> None:
        """Wait until one of the texts is printed. Fails if the process ends before."""

        def is_there() -> bool:
            printed = any(text in self.text for text in texts)
            assert printed or self.process.poll() is None, f"it ended by itself:\n{self.text}"
            return printed

        wait_until(is_there, lambda: f"{texts} in:\n{self.text}")

    def end(self, number: int) -> int:
        """Send a signal; gives the exit status once the process and all that it started are gone."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        wait_until(lambda: not self.processes(), lambda: f"the end of {self.processes()}", FEW_SECONDS)
        return status

    def processes(self) -> dict[int, str]:
        """Command lines of the processes that work in this home."""
        commands = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"EXOWEB_HOME={self.folder}\0".encode() in (entry / "environ").read_bytes():
                    commands[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return commands


@pytest.fixture
def home(tmp_path, child_env) -> Iterator[Home]:
    home = Home(tmp_path / "home", child_env)
    yield home
    if home.process is not None and home.process.poll() is None:
        home.end(signal.SIGKILL)


def free_port() -> int:
    """One that nothing else on this machine listens on, another run of these tests included."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def no_run_is_active() -> bool:
    return not Run.objects.filter(status__in=ACTIVE).exists()


def chart(home: Home, name: str, user) -> list:
    """The points of a series' chart, over HTTP."""
    client = Client()
    client.force_login(user)
    address = home.text.partition("http://")[2].split("/")[0]
    request = urllib.request.Request(f"http://{address}/series/{name}/chart.json")
    request.add_header("Cookie", f"sessionid={client.cookies['sessionid'].value}")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
        return json.load(answer)["points"]["date"]


def test_killed_at_any_moment_it_starts_again_and_serves_what_it_would_have_served(home, root):
    """Each start is a day after the one before, so that there is always something to load and compute."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    choose = random.Random(seed)
    day = FIRST_DAY
    for _ in range(KILLS):
        home.start(day)
        home.wait_for(*STAGES[choose.randrange(len(STAGES)) :])
        time.sleep(choose.uniform(0, 1))  # not to wait for something: the moment is to be any
        assert home.process.poll() is None, f"it ended by itself:\n{home.text}"
        number = choose.choice([signal.SIGKILL, signal.SIGHUP])
        status = home.end(number)
        assert status == (0 if number == signal.SIGHUP else -signal.SIGKILL), home.text
        day += dt.timedelta(days=1)
    home.start(day)
    home.wait_for("Ctrl-C")
    wait_until(no_run_is_active, lambda: f"the end of {list(Run.objects.filter(status__in=ACTIVE))}")
    newest = max(Series.objects.values_list("last_session", flat=True))
    assert newest == market.last_session(day)
    points = chart(home, "XES_ContFut", root)
    assert points[-1] == str(newest)
    assert not Step.objects.filter(status=Status.FAILED).exists()
    assert home.end(signal.SIGINT) == 0
    with time_machine.travel(noon(day)):
        again = plan.start(plan.make_plan(mode=Run.Mode.RESET), source=Run.Source.SHELL)
        for product in again.steps.order_by().values_list("product", flat=True).distinct():
            worker.work(again.pk, product)
    assert set(again.steps.values_list("status", "rows_written")) == {(Status.DONE, 0)}


def test_it_serves_beside_an_active_run_and_the_workers_end_that(home, root):
    home.start(FIRST_DAY)
    home.wait_for("Ctrl-C")
    assert home.end(signal.SIGINT) == 0
    with time_machine.travel(noon(FIRST_DAY)):
        run = plan.start(plan.make_plan(mode=Run.Mode.RESET), source=Run.Source.SHELL)
        lease.claim(run.steps.first())
    gone = f"{lease.worker_name().rpartition(':')[0]}:4100001"  # above any process number
    run.steps.filter(status=Status.RUNNING).update(worker=gone)
    day = FIRST_DAY + dt.timedelta(days=40)
    home.start(day)
    home.wait_for("Ctrl-C")
    assert f"Run {run.pk} is active; the workers continue it" in home.text
    wait_until(no_run_is_active, lambda: f"the end of {list(run.steps.values_list('series__name', 'status'))}")
    assert set(run.steps.values_list("status", "faults")) == {(Status.DONE, 0)}
    assert chart(home, "XES_ContFut", root)[-1] == str(market.last_session(day))
    assert home.end(signal.SIGINT) == 0


@pytest.mark.parametrize("stage", ["computing", "serving"])
def test_closing_the_terminal_stops_it_in_order(home, stage):
    def is_reached() -> bool:
        return "Ctrl-C" in seen() if stage == "serving" else Step.objects.filter(status=Status.DONE).exists()

    def seen() -> str:
        while select.select([master], [], [], 0)[0]:
            output.extend(os.read(master, 4096))
        return output.decode()

    output = bytearray()
    master, slave = os.openpty()
    home.start(LATER_DAY if stage == "computing" else FIRST_DAY, terminal=os.ttyname(slave))
    wait_until(lambda: seen() and is_reached(), lambda: f"{stage}: {seen()}")
    os.close(slave)
    os.close(master)  # as the terminal's window does when it is closed
    assert home.process.wait(PATIENCE) == 0
    wait_until(lambda: not home.processes(), lambda: f"the end of {home.processes()}", FEW_SECONDS)
    assert Run.objects.get().status == (Status.DONE if stage == "serving" else Status.CANCELLED)
