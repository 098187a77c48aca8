"""The drop folder: complete packs are imported once, and moved with a report beside them; nothing else is touched."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.core.management import CommandError, call_command

from exo_registry.market.problems import MarketDataError
from exo_registry.models import Event, Product, Revision
from exo_registry.workers import market_watch as watch
from exo_registry.workers.supervisor import take_lock
from tests.paths import ROOT

from .packs import changed, small_pack, write_pack

pytestmark = pytest.mark.django_db


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def put(drop, name, tables=None, ready=True):
    pack = write_pack(drop / name, tables or small_pack())
    if ready:
        (pack / watch.READY).touch()
    return pack


def look(drop) -> list[watch.Outcome]:
    return list(watch.import_ready(drop))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_marked_pack_is_imported_and_moved(drop):
    put(drop, "monday")
    (outcome,) = look(drop)
    assert outcome.ok
    assert outcome.moved_to == drop / "done" / "monday"
    assert names(drop) == ["done"]
    assert names(drop / "done") == ["monday", "monday.report.txt"]
    report = (drop / "done" / "monday.report.txt").read_text()
    assert report.startswith("monday: imported at ")
    assert "ES: new product" in report
    assert Revision.objects.get().source == "drop/monday"
    assert look(drop) == []


def test_a_renamed_pack_is_imported_under_its_own_name(drop):
    put(drop, "monday.part", ready=False).rename(drop / "monday.ready")
    (outcome,) = look(drop)
    assert (outcome.name, outcome.ok) == ("monday", True)
    assert names(drop / "done") == ["monday", "monday.report.txt"]


def test_what_is_not_complete_is_left_alone(drop):
    put(drop, "monday", ready=False)
    put(drop, "tuesday.part", ready=False)
    put(drop, ".hidden")
    (drop / "READY").touch()
    (drop / "contracts.csv").write_text("contractname\n")
    (drop / "link").symlink_to(put(drop.parent, "elsewhere"))
    before = names(drop)
    assert look(drop) == []
    assert names(drop) == before
    assert not Product.objects.exists()


def test_a_bad_pack_is_moved_with_its_problems_and_the_next_is_imported(drop):
    put(drop, "bad", changed(small_pack(), "contracts_bars", 0, close="high"))
    put(drop, "good")
    os.utime(drop / "bad" / watch.READY, (1, 1))  # first in line
    bad, good = look(drop)
    assert (bad.ok, good.ok) == (False, True)
    assert names(drop / "failed") == ["bad", "bad.report.txt"]
    assert "contracts_bars.csv, line 2, close = 'high': is not a number" in (drop / "failed/bad.report.txt").read_text()
    event = Event.objects.get(kind="import", level="error")
    assert "bad: refused" in event.message


def test_packs_are_taken_in_the_order_in_which_they_became_complete(drop):
    for second, (name, close) in enumerate([("b", "3001.0"), ("c", "3002.0"), ("a", "3003.0")]):
        put(drop, name, changed(small_pack(), "contracts_bars", 0, close=close))
        os.utime(drop / name / watch.READY, (second, second))
    assert [outcome.name for outcome in look(drop)] == ["b", "c", "a"]


def test_a_name_that_was_there_before_gets_a_time(drop):
    put(drop, "daily")
    look(drop)
    put(drop, "daily")
    look(drop)
    assert len(names(drop / "done")) == 4
    assert names(drop / "done")[0] == "daily"
    assert names(drop / "done")[1].startswith("daily-2")


def test_a_pack_stays_when_the_store_is_not_to_be_had(drop, monkeypatch):
    put(drop, "monday")

    def busy(*_, **__):
        raise MarketDataError("another import changed the market data meanwhile; import again")

    monkeypatch.setattr(watch, "import_pack", busy)
    outcomes = []
    rounds = iter([False, False, True])
    watch.watch(drop, pause=lambda: next(rounds), tell=outcomes.append)
    assert len(outcomes) == 1
    assert outcomes[0].moved_to is None
    assert "It is tried again." in outcomes[0].text
    monkeypatch.undo()
    assert look(drop)[0].ok


def test_an_unexpected_error_does_not_end_the_watch(drop, monkeypatch):
    put(drop, "monday")

    def broken(*_, **__):
        raise RuntimeError("disk full")

    monkeypatch.setattr(watch, "import_pack", broken)
    (outcome,) = look(drop)
    assert outcome.moved_to == drop / "failed" / "monday"
    assert outcome.text == "Unexpected RuntimeError: disk full"


def test_packs_that_come_later_are_imported(drop):
    steps = iter([lambda: put(drop, "monday"), lambda: put(drop, "tuesday", ready=False), None])

    def pause() -> bool:
        step = next(steps)
        if step is not None:
            step()
        return step is None

    outcomes = []
    watch.watch(drop, pause=pause, tell=outcomes.append)
    assert [outcome.name for outcome in outcomes] == ["monday"]


def test_one_watcher_a_folder(drop):
    with take_lock(drop / ".lock"), pytest.raises(CommandError, match="is watched already"):
        call_command("importmarket", drop, "--watch")


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(CommandError, match="is not a folder") as caught:
        call_command("importmarket", tmp_path / "nothing", "--watch")
    assert caught.value.returncode == 2


@pytest.mark.slow
def test_watch_runs_until_it_is_stopped(drop, child_env):
    command = [sys.executable, "manage.py", "importmarket", str(drop), "--watch", "--interval", "0.2", "--activate"]
    with subprocess.Popen(
        command, cwd=ROOT, env=child_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        timer = threading.Timer(60, child.kill)
        timer.start()
        put(drop, "monday")
        lines = []
        for line in child.stdout:
            lines.append(line)
            if "Now in" in line:
                child.send_signal(signal.SIGTERM)
        timer.cancel()
    assert child.wait() == 0, "".join(lines)
    assert "monday: imported. ES: new product; activated" in "".join(lines)
    assert Product.objects.get().active
