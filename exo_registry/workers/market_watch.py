"""A drop folder: market packs put into it are imported, then moved to done/ or failed/ with a report beside them.

A pack is a sub-folder. It is taken once its writer has said that it is complete, in one of two ways: a file READY in
it, written last; or a name that ends in .ready, given by renaming. Anything else is left alone, however long.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from exo_registry.failures import MarketDataError, explain
from exo_registry.formats.text import counted
from exo_registry.market.importing import ImportReport, import_pack
from exo_registry.market.problems import PackErrors
from exo_registry.models import event_log

from .supervisor import take_lock

log = logging.getLogger(__name__)

READY = "READY"
SUFFIX = ".ready"
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one pack. moved_to: None if it stays, to be tried again."""

    name: str
    ok: bool
    text: str
    moved_to: Path | None


class AlreadyWatched(MarketDataError):
    """Another process watches the folder."""


def watch(
    folder: Path, *, pause: Callable[[], bool], tell: Callable[[Outcome], None], user=None, activate=False
) -> None:
    """Import what is complete, and then whatever comes, until `pause` (which waits) says that it is enough.

    Raises NotADirectoryError, and AlreadyWatched: two processes would import a pack twice.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder; make it, or give the folder that packs are put into")
    lock = take_lock(folder / ".lock")
    if lock is None:
        raise AlreadyWatched(f"{folder} is watched already, by another process; one is enough")
    delayed = ""
    with lock:
        while True:
            for outcome in import_ready(folder, user=user, activate=activate):
                # One that stays is reported once, not at every look.
                if outcome.moved_to is not None or outcome.text != delayed:
                    tell(outcome)
                delayed = "" if outcome.moved_to is not None else outcome.text
            if pause():
                return


def import_ready(folder: Path, *, user=None, activate: bool = False) -> Iterator[Outcome]:
    """Import the complete packs of a drop folder, oldest first, and move each to done/ or failed/."""
    for pack in ready(folder):
        yield _import(folder, pack, user, activate)


def ready(folder: Path) -> list[Path]:
    """Sub-folders that are complete, in the order in which they became so."""
    packs = []
    for path in folder.iterdir():
        if path.name in (DONE, FAILED) or path.name.startswith(".") or path.is_symlink() or not path.is_dir():
            continue
        marker = path / READY
        if marker.is_file():
            packs.append((marker.stat().st_mtime, path.name, path))
        elif path.name.endswith(SUFFIX):
            packs.append((path.stat().st_mtime, path.name, path))
    return [path for *_, path in sorted(packs)]


def _import(folder: Path, pack: Path, user, activate: bool) -> Outcome:
    name = pack.name.removesuffix(SUFFIX)
    try:
        report = import_pack(pack, user=user, activate=activate, source=f"{folder.name}/{name}")
    except PackErrors as error:
        return _finish(folder, pack, name, FAILED, str(error), user)
    except MarketDataError as error:
        return Outcome(name, False, f"{error}. It is tried again.", None)
    except Exception as error:
        if reason := explain(error):  # the database or the disk, and no fault of the pack
            return Outcome(name, False, f"{reason} It is tried again.", None)
        # No one watches for a traceback, and the packs after this one must not wait for it.
        log.exception("import of %s", pack)
        return _finish(folder, pack, name, FAILED, f"Unexpected {type(error).__name__}: {error}", user)
    return _finish(folder, pack, name, DONE, _summary(report), user)


def _summary(report: ImportReport) -> str:
    lines = [str(product) for product in report.products]
    warnings = [f"warning: {line}" for line in report.warning_lines]
    return "\n".join([*lines, *warnings, *(f"note: {line}" for line in report.note_lines)])


def _finish(folder: Path, pack: Path, name: str, where: str, text: str, user) -> Outcome:
    """Move a pack, write its report beside it, and log both."""
    now = timezone.now()
    target = _free(folder / where, name, now)
    target.parent.mkdir(exist_ok=True)
    pack.rename(target)
    ok = where == DONE
    head = f"{name}: {'imported' if ok else 'refused'} at {now:%Y-%m-%d %H:%M:%S} UTC"
    target.with_name(f"{target.name}.report.txt").write_text(f"{head}\n\n{text}\n", encoding="utf-8")
    event_log.record("import", f"Drop folder: {head}.\n{_start(text)}", level="info" if ok else "error", user=user)
    return Outcome(name, ok, text, target)


def _free(folder: Path, name: str, now: dt.datetime) -> Path:
    """A name that no earlier pack has taken."""
    path = folder / name
    number = 1
    while path.exists() or path.with_name(f"{path.name}.report.txt").exists():
        path = folder / f"{name}-{now:%Y%m%dT%H%M%S}{f'-{number}' if number > 1 else ''}"
        number += 1
    return path


def _start(text: str, lines: int = 10) -> str:
    """The beginning of a text that may be very long."""
    parts = text.splitlines()
    more = f"\n… and {counted(len(parts) - lines, 'more line')} in the report." if len(parts) > lines else ""
    return "\n".join(parts[:lines]) + more
