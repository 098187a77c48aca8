"""What fails around exoweb: one sentence with the remedy, exit status 1, nothing half-written, and it goes on after."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.db.utils import ConnectionHandler
from django.test import RequestFactory

from exo_registry.failures import explain
from exo_registry.models import Event, Point, Run
from exo_registry.runs import plan, retry, worker
from exo_registry.views.failures import server_error
from tests.paths import ROOT
from tests.runs.markets import import_bars, weekdays

pytestmark = pytest.mark.django_db

DAYS = weekdays("2020-01-06", 600)  # whose points fill more than a page of SQLite


def sqlite_error(path: Path, break_it: Callable[[Path], object], statement: str) -> DatabaseError:
    """Django's error of a statement on a SQLite file that something was done to."""
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE points (value TEXT)")
        made.executemany("INSERT INTO points VALUES (?)", [("x" * 1000,)] * 50)
    made.close()
    held = break_it(path)
    broken = ConnectionHandler(
        {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": {"timeout": 0.05}}}
    )["default"]
    try:
        with broken.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1")
            cursor.execute(statement, ["y" * 100_000] if "%s" in statement else None)
    except DatabaseError as error:
        return error
    finally:
        broken.close()
        if isinstance(held, sqlite3.Connection):
            held.close()
    raise AssertionError("nothing fails")


def lock(path: Path) -> sqlite3.Connection:
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    return held


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


INSERT = "INSERT INTO points VALUES (%s)"
SQLITE = (
    (lambda path: None, INSERT, "its disk is full: free some space"),
    (lock, "SELECT * FROM points", "another process keeps it locked: end that process"),
    (overwrite, "SELECT * FROM points", "the file is damaged: stop exoweb and restore it from a backup"),
    (lambda path: os.truncate(path, 3000), "SELECT * FROM points", "the file is damaged"),
    (lambda path: path.write_text("x" * 5000), "SELECT * FROM points", "the file is damaged"),
    (lambda path: None, "SELECT * FROM none", "run manage.py migrate"),
)


@pytest.mark.parametrize(("break_it", "statement", "remedy"), SQLITE)
def test_errors_of_sqlite_are_one_sentence(tmp_path, break_it, statement, remedy):
    excerpt = explain(sqlite_error(tmp_path / "test.sqlite3", break_it, statement))
    assert remedy in excerpt
    assert excerpt.startswith("The database ")
    assert "\n" not in excerpt


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), DatabaseError("syntax"), FileNotFoundError(2, "no")])
def test_faults_of_a_program_are_not_explained_away(error):
    assert explain(error) is None


def answer(path: str, error: Exception, **headers: str):
    try:
        raise error
    except Exception:
        return server_error(RequestFactory().get(path, headers=headers))


def test_pages_the_api_and_parts_of_pages_say_it(tmp_path):
    error = sqlite_error(tmp_path / "test.sqlite3", lock, "SELECT * FROM points")
    page = answer("/", error)
    assert page.status_code == 503
    assert "another process keeps it locked" in page.content.decode()
    api = answer("/api/v1/series/", error)
    assert (api.status_code, api["Content-Type"]) == (503, "application/json")
    assert b"another process keeps it locked" in api.content
    part = answer("/series/ES_ContFut/statistics/", error, hx_request="true")
    assert (part.status_code, part["Content-Type"]) == (503, "text/plain; charset=utf-8")
    broken = answer("/", KeyError("secret"))
    assert broken.status_code == 500
    assert "Server error" in broken.content.decode()
    assert "secret" not in broken.content.decode()


@pytest.fixture
def run(make_product, make_definition, tmp_path) -> Run:
    make_product("ES")
    make_definition("ContFut")
    import_bars(tmp_path / "pack", "ES", DAYS)
    return plan.start(plan.make_plan(start=DAYS[0]), source=Run.Source.SHELL)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own")
def test_a_step_waits_while_another_process_locks_the_database(run, monkeypatch):
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    store, calls, pauses = worker.store, [], []

    def store_while_locked(*arguments):
        if not calls:
            other.execute("BEGIN IMMEDIATE")
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 50")
        calls.append(1)
        return store(*arguments)

    def pause(_seconds: float) -> None:
        pauses.append(1)
        if len(pauses) == 3:
            other.execute("ROLLBACK")

    monkeypatch.setattr(worker, "store", store_while_locked)
    monkeypatch.setattr(retry.time, "sleep", pause)
    worker.work(run.pk, run.steps.get().product_id)
    other.close()
    run.refresh_from_db()
    assert (run.status, len(pauses)) == ("done", 3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own")
def test_a_step_on_a_full_disk_stores_nothing_and_goes_on_once_there_is_room(run, monkeypatch):
    product = run.steps.get().product_id
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # no free page is left in the file
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        room = cursor.execute("PRAGMA max_page_count").fetchone()[0]
    rooms = iter([pages])
    store = worker.store

    def store_on_a_full_disk(*arguments):
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA max_page_count = {next(rooms, room)}")
        return store(*arguments)

    monkeypatch.setattr(worker, "store", store_on_a_full_disk)
    with pytest.raises(OperationalError):
        worker.work(run.pk, product)
    assert Point.objects.count() == 0
    assert run.steps.get().status == "waiting"
    assert "its disk is full: free some space" in Event.objects.filter(step=run.steps.get()).first().message
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA max_page_count = {room}")
    worker.work(run.pk, product)
    run.refresh_from_db()
    assert (run.status, Point.objects.count()) == ("done", len(DAYS))


# Commands, as a person calls them.


def manage(home: Path, *arguments: str, stdout=subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EXOWEB_", "DJANGO_", "DATABASE_URL", "MARKET_DATA_URI"))
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, "EXOWEB_HOME": str(home), **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )


def is_told(done: subprocess.CompletedProcess, remedy: str) -> bool:
    """Exit status 1, and one line that holds the remedy."""
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert remedy in done.stderr
    return True


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """An exoweb without data, made once."""
    home = tmp_path_factory.mktemp("template")
    assert manage(home, "migrate", "-v0").returncode == 0
    return home


@pytest.fixture
def home(template, tmp_path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture
def disk(template, tmp_path) -> Iterator[Path]:
    """An exoweb on a disk of its own, of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    shutil.copytree(template, folder / "home")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["runexo"], ["start", "--no-demo"]])
def test_commands_on_a_damaged_database(home, arguments):
    overwrite(home / "exoweb.sqlite3")
    assert is_told(manage(home, *arguments), "is damaged: stop exoweb and restore it from a backup")


@pytest.mark.slow
def test_commands_without_their_database_server(home):
    url = "postgres://nobody@127.0.0.1:1/exoweb"
    assert is_told(
        manage(home, "runexo", DATABASE_URL=url), "check that its server runs and that DATABASE_URL is right"
    )
    assert is_told(manage(home, "runexo", DATABASE_URL="mysql://x"), "use sqlite:///path or postgres://")


@pytest.mark.slow
def test_output_to_a_full_disk(home):
    with open("/dev/full", "w") as full:
        assert is_told(manage(home, "runexo", stdout=full), "free some space")


@pytest.mark.slow
def test_a_home_that_cannot_be_written(disk):
    home = disk / "home"
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert is_told(manage(home, "start", "--no-demo"), "the right to it")
    assert is_told(manage(disk / "new", "runexo"), "name a folder that this user may write")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert manage(home, "runexo").returncode == 0


@pytest.mark.slow
def test_an_import_onto_a_full_disk_leaves_nothing_and_succeeds_once_there_is_room(disk, tmp_path, db):
    import_bars(tmp_path / "pack", "ES", DAYS)
    home, filling = disk / "home", disk / "filling"
    free = shutil.disk_usage(disk).free
    filling.write_bytes(b"x" * (free - 20_000))
    assert is_told(manage(home, "importmarket", str(tmp_path / "pack")), "space")
    filling.unlink()
    assert "New rows" in manage(home, "importmarket", str(tmp_path / "pack"), "--activate").stdout
    assert "nothing new in them" in manage(home, "importmarket", str(tmp_path / "pack")).stdout
    assert manage(home, "runexo", "--dry-run").returncode == 0


@pytest.mark.slow
def test_a_bucket_that_does_not_answer_is_told_within_seconds(home, tmp_path, db):
    import_bars(tmp_path / "pack", "ES", DAYS)
    bucket = {
        "MARKET_DATA_URI": "s3://bucket/market",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    done = manage(home, "importmarket", str(tmp_path / "pack"), **bucket)
    assert is_told(done, "check that the storage can be reached")
    assert manage(home, "importmarket", str(tmp_path / "pack")).returncode == 0


def test_an_interrupt_that_was_handled_does_not_end_a_command_by_a_signal():
    """Python remembers an interrupt that struck within `exec`, and at its end would kill itself by SIGINT."""
    program = (
        "import runpy, sys\n"
        "try: exec('raise KeyboardInterrupt')\n"
        "except KeyboardInterrupt: pass\n"
        "sys.argv = ['manage.py', 'version']\n"
        "runpy.run_path('manage.py', run_name='__main__')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
