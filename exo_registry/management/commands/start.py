"""`manage.py start`: everything on one machine, as `make run` does it."""

import argparse
import errno
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.management import CommandError, call_command
from django.core.management.base import CommandParser

from exo_registry import demo
from exo_registry.formats.text import counted
from exo_registry.market import MarketDataError
from exo_registry.models import Run, Status
from exo_registry.models.run import ACTIVE
from exo_registry.runs import control, plan
from exo_registry.runs.request import request_run
from exo_registry.workers import heartbeats
from exo_registry.workers.supervisor import (
    Child,
    ChildFailed,
    Supervisor,
    print_nowhere,
    stop_signals,
    take_lock,
)
from exo_registry.workers.watchdog import cluster_child

from .. import foreground
from ..base import BaseCommand

USER = "admin"
PORTS_TRIED, LAST_PORT = 20, 65_535


class Command(BaseCommand):
    help = (
        "Run exoweb on this machine: migrate, load and compute the demonstration in an empty registry, "
        "then serve pages and work tasks until Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=port_number, default=8000, help="port, or the next free one (default: 8000)")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty registry empty")

    def handle(self, *, host: str, port: int, no_demo: bool, **options: Any) -> None:
        lock = take_lock(settings.HOME / "start.lock")
        if lock is None:
            raise CommandError(f"exoweb is already running from {settings.HOME}; stop it with Ctrl-C in its terminal")
        with lock, stop_signals(signal.default_int_handler) as stop:
            try:
                self.prepare(no_demo=no_demo)
                stop.check()
                self.serve(host, port)
            except KeyboardInterrupt:
                self.say("\nStopped. The next start resumes.")

    def say(self, line: str) -> None:
        """Print a line; once the terminal is closed, nothing."""
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except OSError:
            print_nowhere([sys.stdout.fileno()])

    def prepare(self, *, no_demo: bool) -> None:
        """Bring database and static files up to date, and the demonstration unless there is to be none."""
        began = time.monotonic()
        self.say("Database")
        call_command("migrate", verbosity=0, interactive=False)
        if not static_is_current():
            self.say("Static files")
            call_command("collectstatic", verbosity=0, interactive=False)
        if not no_demo:
            with foreground.quiet_log():
                self.load_demo()
                self.compute_demo()
        self.hand_active_runs_to_workers()
        self.say(f"Ready after {time.monotonic() - began:.0f} s")

    def load_demo(self) -> None:
        """Load the demonstration into an empty registry, or what is new of it. Pages are served without it, too."""
        if not demo.wanted():
            return
        self.say(f"Making the synthetic market of {', '.join(demo.symbols())}")
        try:
            loaded = demo.load()
        except (demo.DemoError, MarketDataError) as error:
            self.say(f"The demonstration is not brought up to date: {error}")
        else:
            self.say(f"{counted(loaded.rows, 'row')}, {demo.START} to {loaded.until}")

    def compute_demo(self) -> None:
        """Compute what the demonstration's series lack, unless a run is at them already."""
        try:
            run, planned = request_run(demo.missing(), source=Run.Source.SHELL, queue=False)
        except (plan.NothingToDo, plan.AlreadyActive):
            return  # hand_active_runs_to_workers names an active run
        foreground.compute(self, run, planned, print_done=False)
        for problem in planned.problems:
            self.say(problem)
        counts = f"{run.steps.filter(status=Status.DONE).count()} of {run.steps.count()} series computed"
        self.say(f"Run {run.pk} {run.status}: {counts}")

    def hand_active_runs_to_workers(self) -> None:
        """Have the workers, once they are up, go on with runs that an earlier process has left."""
        for pk in Run.objects.filter(status__in=ACTIVE).order_by("pk").values_list("pk", flat=True):
            self.say(f"Run {pk} is active; the workers continue it")
        control.requeue_after_restart()

    def serve(self, host: str, port: int) -> None:
        port = self.free_port(host, port)
        with Supervisor(children(host, port), self.say) as supervisor:
            try:
                address = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}/"  # noqa: S104
                if supervisor.wait_until(lambda: answers(host, port), seconds=60):
                    self.welcome(address)
                    supervisor.run()
                elif not supervisor.stopping:
                    raise CommandError(f"The web server does not answer at {address}; see {log_folder() / 'web.log'}")
            except ChildFailed as error:
                raise CommandError(str(error)) from error
            self.say("\nStopping")
        self.say("Stopped")

    def free_port(self, host: str, wanted: int) -> int:
        for port in range(wanted, min(wanted + PORTS_TRIED, LAST_PORT + 1)):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        continue
                    message = f"Cannot listen on {host}:{port} ({error.strerror}); name another --host or --port"
                    raise CommandError(message) from error
            if port != wanted:
                self.say(f"Port {wanted} is taken; using {port}")
            return port
        raise CommandError(f"Ports {wanted} to {port} are all taken; name another with PORT=… or --port")

    def welcome(self, address: str) -> None:
        user, password = account()
        self.say(f"\n  exoweb     {address}\n  user       {user}\n  password   {password}")
        self.say(f"\n  Logs are in {log_folder()}. Ctrl-C stops everything.\n")


def port_number(text: str) -> int:
    """A command-line argument that is a port."""
    if not text.isdecimal() or not 1 <= int(text) <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: name a whole number from 1 to {LAST_PORT}")
    return int(text)


def children(host: str, port: int) -> list[Child]:
    """The web server and the two task clusters."""
    web = [
        sys.executable, "-m", "gunicorn", "exoweb.wsgi", "--bind", f"{host}:{port}",
        "--config", str(settings.BASE_DIR / "gunicorn.conf.py"),
        "--chdir", str(settings.BASE_DIR), "--workers", "2", "--threads", "4",
        "--access-logfile", "-", "--no-control-socket",
    ]  # fmt: skip
    home = {"EXOWEB_HOME": str(settings.HOME)}
    tasks = [cluster_child(name, log_folder() / f"{name}.log", home) for name in heartbeats.NAMES]
    return [Child("web", web, log_folder() / "web.log", home), *tasks]


def static_is_current() -> bool:
    """Whether static files were collected after the newest of them was written, and after the settings changed."""
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    if not manifest.exists():
        return False
    collected = manifest.stat().st_mtime
    sources = [settings.BASE_DIR / name for name in ("exoweb/settings.py", "exoweb/apps.py", "package-lock.json")]
    for finder in finders.get_finders():
        sources += [Path(storage.path(path)) for path, storage in finder.list([])]
    return all(source.stat().st_mtime < collected for source in sources)


def log_folder() -> Path:
    return settings.HOME / "logs"


def answers(host: str, port: int) -> bool:
    """Whether the web server gives an answer, be it that this address is not for us or that no worker is up yet."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def account() -> tuple[str, str]:
    """The user to log in with, and the password as far as it is known.

    The first start makes a superuser with a password of its own, kept in EXOWEB_HOME for its owner alone,
    so that later starts can show it.
    """
    User = get_user_model()
    path = settings.HOME / "admin_password"
    user = User.objects.filter(username=USER).first()
    if user is None and User.objects.filter(is_superuser=True).exists():
        return "your own", "your own"
    if user is None:
        password = secrets.token_urlsafe(12)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(password)
        User.objects.create_superuser(USER, password=password)
        return USER, password
    if path.exists() and user.check_password(path.read_text()):
        return USER, path.read_text()
    return USER, "as you set it"
