"""`manage.py start`: everything on one machine, as `make run` does it."""

import secrets
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
from django.core.management.base import BaseCommand, CommandParser

from exo_registry import clusters, demo
from exo_registry.cluster_watch import cluster_child
from exo_registry.supervisor import Child, ChildFailed, Supervisor, take_lock

USER = "admin"


class Command(BaseCommand):
    help = (
        "Run exoweb on this machine: migrate, load and compute the demonstration in an empty registry, "
        "then serve pages and work tasks until Ctrl-C."
    )
    requires_system_checks = []  # run after migrating, by the server itself

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=8000, help="port, or the next free one (default: 8000)")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty registry empty")

    def handle(self, *, host: str, port: int, no_demo: bool, **options: Any) -> None:
        lock = take_lock(settings.HOME / "start.lock")
        if lock is None:
            raise CommandError(f"exoweb is already running from {settings.HOME}; stop it with Ctrl-C in its terminal")
        with lock:
            try:
                self.prepare(no_demo=no_demo)
                self.serve(host, port)
            except KeyboardInterrupt:
                self.stdout.write("\nStopped. The next start goes on from here.")

    def prepare(self, *, no_demo: bool) -> None:
        began = time.monotonic()
        self.stdout.write("Database")
        call_command("migrate", verbosity=0, interactive=False)
        if not static_is_current():
            self.stdout.write("Static files")
            call_command("collectstatic", verbosity=0, interactive=False)
        if not no_demo and demo.wanted():
            call_command("loaddemo", stdout=self.stdout)
        if demo.uncomputed():
            self.stdout.write("Computing the demonstration's series")
            call_command("runexo", *demo.symbols(), backfill=demo.START.isoformat(), stdout=self.stdout)
        self.stdout.write(f"Ready after {time.monotonic() - began:.0f} s")

    def serve(self, host: str, port: int) -> None:
        port = self.free_port(host, port)
        with Supervisor(children(host, port), self.stdout.write) as supervisor:
            try:
                address = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}/"  # noqa: S104
                if supervisor.wait_until(lambda: answers(host, port), seconds=60):
                    self.welcome(address)
                    supervisor.run()
                elif not supervisor.stopping:
                    raise CommandError(f"The web server does not answer at {address}; see {log_folder() / 'web.log'}")
            except ChildFailed as error:
                raise CommandError(str(error)) from error
            self.stdout.write("\nStopping")
        self.stdout.write("Stopped")

    def free_port(self, host: str, wanted: int) -> int:
        for port in range(wanted, wanted + 20):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError:
                    continue
            if port != wanted:
                self.stdout.write(f"Port {wanted} is taken; using {port}")
            return port
        raise CommandError(f"Ports {wanted} to {wanted + 19} are all taken; name another with PORT=… or --port")

    def welcome(self, address: str) -> None:
        self.stdout.write(f"\n  exoweb     {address}")
        user, password = account()
        self.stdout.write(f"  user       {user}")
        self.stdout.write(f"  password   {password}")
        self.stdout.write(f"\n  Logs are in {log_folder()}. Ctrl-C stops everything.\n")
        self.stdout.flush()


def children(host: str, port: int) -> list[Child]:
    """The web server and the two task clusters."""
    web = [
        sys.executable, "-m", "gunicorn", "exoweb.wsgi", "--bind", f"{host}:{port}",
        "--chdir", str(settings.BASE_DIR), "--workers", "2", "--threads", "4",
        "--access-logfile", "-", "--no-control-socket",
    ]  # fmt: skip
    home = {"EXOWEB_HOME": str(settings.HOME)}
    tasks = [cluster_child(name, log_folder() / f"{name}.log", home) for name in clusters.NAMES]
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
