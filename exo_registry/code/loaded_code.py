"""The code of the algorithm packages that this process has loaded, compared with the files as they are now.

Modules of the packages are imported by the loader below, which compiles the file itself and keeps the bytes that it
compiled. A cached .pyc is neither read nor written: it is judged by size and whole seconds, so that two edits within
a second could run as one.

A module of a strategy that has changed is dropped by `refresh`, with all other strategies' modules, and imported anew
when it is next asked for. The engine, and whatever else the application itself had imported when it started, cannot
be exchanged under a running process: when it has changed (`outdated`), the process must be replaced.
"""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType

from django.conf import settings

from .source_code import Source, inside

ENGINE = "algorithms.engine"
HELD = (ENGINE, "algorithms.analysis")  # packages that the application itself imports, now or on use
# A file that was changed so shortly before it was read may change again and look the same: clocks of file systems
# tick slowly.
UNSURE = 2.0  # seconds
START_TIMEOUT = 120.0  # seconds

GONE, BROKEN = "gone", "broken"
UNUSABLE = (GONE, BROKEN)  # no process could start on that, so it is no reason to replace one

PROCESS = os.getpid()  # the process that imported this; in a forked child, the one that it came from
lock = threading.RLock()  # held while strategies' modules are dropped or imported

_loaded: dict[str, Source | None] = {}
_missing: set[str] = set()  # names that were imported in vain, or tried
_of_application: set[str] = set()
_read: dict[Path, tuple[tuple[int, ...], Source]] = {}


class OldCode(Exception):
    """This process runs code that has changed on disk since, and must be replaced; the message names the modules."""

    def __init__(self, modules: Sequence[str]) -> None:
        super().__init__(f"{listed(modules)} changed on disk since this process loaded it")


def listed(modules: Sequence[str]) -> str:
    """The first few of some modules, in words."""
    return ", ".join(modules[:3]) + (f" and {len(modules) - 3} more" if len(modules) > 3 else "")


def packages() -> tuple[str, ...]:
    """The packages whose code counts."""
    return (*settings.ALGORITHM_PACKAGES, ENGINE)


class Disk:
    """The packages' files as they are now; each is looked at once, so make one for each moment."""

    def __init__(self) -> None:
        self._sources: dict[str, Source | None] = {}
        self._below: dict[str, tuple[str, ...]] = {}  # where the modules of a package are
        self._listed: dict[str, frozenset[str]] = {}

    def source(self, name: str) -> Source | None:
        """A module's source; None if the name is no module with a file."""
        if name not in self._sources:
            file = self.file(name)
            self._sources[name] = _source(name, file) if file else None
        return self._sources[name]

    def file(self, name: str) -> Path | None:
        """A module's file, found without importing anything."""
        parent, _, last = name.rpartition(".")
        if not parent:
            file, folders = _find_root(name)
        else:
            if parent not in self._below:
                self.file(parent)
            file, folders = self.find(last, self._below[parent])
        self._below[name] = folders
        return file

    def find(self, name: str, folders: Iterable[str]) -> tuple[Path | None, tuple[str, ...]]:
        """The file of a module in one of some folders, and the folders of what lies under it."""
        portions = []
        for folder in folders:
            names, package = self._names(folder), os.path.join(folder, name)
            if name in names and os.path.isfile(init := os.path.join(package, "__init__.py")):
                return Path(init), (package,)
            if f"{name}.py" in names:
                return Path(folder, f"{name}.py"), ()
            if name in names and os.path.isdir(package):
                portions.append(package)
        return None, tuple(portions)

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]


def _find_root(name: str) -> tuple[Path | None, tuple[str, ...]]:
    finders = [finder for finder in sys.meta_path if finder is not _Finder and hasattr(finder, "find_spec")]
    spec = next((spec for finder in finders if (spec := finder.find_spec(name, None)) is not None), None)
    if spec is None:
        return None, ()
    file = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    return file, tuple(spec.submodule_search_locations or ())


def _source(name: str, file: Path, *, again: bool = False) -> Source | None:
    """A file's source, read if its status has changed since it was read last (`again`: whatever its status says)."""
    try:
        status = os.stat(file)
        mark = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)
        known = _read.get(file)
        if known and known[0] == mark and not again:
            return known[1]
        source = Source(name, file, file.read_bytes())
    except OSError:  # removed, or not to be read: the import will say so
        return None
    if known and known[1].name == name and known[1].is_same_file(source):
        source = known[1]  # its syntax tree has been read
    sure = max(status.st_mtime, status.st_ctime) < time.time() - UNSURE
    _read[file] = (mark if sure else (), source)
    return source


class _Loader(SourceFileLoader):
    """Runs a file as it is, and keeps the bytes that it ran."""

    def get_code(self, fullname: str) -> CodeType:
        source = _source(fullname, Path(self.path), again=True)
        if source is None:
            raise ImportError(f"{self.path} cannot be read", name=fullname, path=self.path)
        _loaded[fullname] = source
        return self.source_to_code(source.data, self.path)


class _Finder:
    """Finds the packages' modules where `Disk` does, and notes what it does not find."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if not inside(name, packages()):
            return None
        file, folders = _find_root(name) if path is None else Disk().find(name.rpartition(".")[2], path)
        if file is None:
            _missing.add(name)
            return None
        _missing.discard(name)
        loader = _Loader(name, str(file))
        is_package = file.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=list(folders) if is_package else None
        )


def install() -> None:
    """Have the packages' modules imported by the loader above; before any of them is."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


def application_has_started() -> None:
    """What is loaded by now belongs to the application, which goes on holding it: it is never dropped."""
    disk = Disk()
    for name in list(sys.modules):
        if inside(name, packages()):
            source(name, disk)
            _of_application.add(name)


def source(name: str, disk: Disk) -> Source | None:
    """What this process runs of a module: the bytes that it loaded, or those on disk if it has not come to it yet."""
    if name in sys.modules:
        if name not in _loaded:
            _loaded[name] = disk.source(name)  # it was imported in another way
        return _loaded[name]
    return None if name in _missing else disk.source(name)


def refresh() -> None:
    """Drop the strategies' modules if a file of any of them has changed, come or gone."""
    with lock:
        disk = Disk()
        mine = [name for name in _names() if not _stays(name)]
        if any(_has_changed(name, disk) for name in mine) or any(disk.source(name) for name in list(_missing)):
            for name in mine:
                _drop(name)
            _missing.clear()


def outdated() -> list[str]:
    """The modules that cannot be exchanged and whose code on disk is other than what this process runs."""
    return changed_from(versions())


def unusable() -> list[str]:
    """The modules that cannot be exchanged and that no new process could load either."""
    disk = Disk()
    return [name for name in versions() if version(disk.source(name)) in UNUSABLE]


def require_current() -> None:
    """`refresh`; raises OldCode if that is not enough."""
    refresh()
    if modules := outdated():
        raise OldCode(modules)


def versions() -> dict[str, str]:
    """The modules that cannot be exchanged in this process, with a hash of the code that it loaded."""
    disk = Disk()
    return {name: version(source(name, disk)) for name in _names() if _stays(name)}


def changed_from(loaded: dict[str, str]) -> list[str]:
    """Which of some process's `versions` are no longer what is on this machine's disk."""
    disk = Disk()
    now = {name: version(disk.source(name)) for name in loaded}
    return [name for name in loaded if now[name] not in (loaded[name], *UNUSABLE)]


def version(source: Source | None) -> str:
    """A hash of a module's code; GONE without a file, BROKEN for one that is not Python."""
    if source is None:
        return GONE
    try:
        return source.version
    except (SyntaxError, ValueError, RecursionError):
        return BROKEN


def _names() -> list[str]:
    return [name for name in list(_loaded) if name in sys.modules]


def _stays(name: str) -> bool:
    return name in _of_application or inside(name, HELD) or inside(ENGINE, (name,))


def _has_changed(name: str, disk: Disk) -> bool:
    now, loaded = disk.source(name), source(name, disk)
    return now is not loaded and (loaded is None or not loaded.is_same_file(now))


def _drop(name: str) -> None:
    module = sys.modules.pop(name, None)
    _loaded.pop(name, None)
    parent, _, last = name.rpartition(".")
    # `from package import module` is content with the package's attribute.
    if parent in sys.modules and getattr(sys.modules[parent], last, None) is module:
        delattr(sys.modules[parent], last)


_tried: tuple[dict[str, str], str] | None = None


def start_failure() -> str:
    """Why no process could start with the files as they are now; empty if one can. Tried once for the same files."""
    global _tried
    disk = Disk()
    now = {name: version(disk.source(name)) for name in versions()}
    if _tried is None or _tried[0] != now:
        command = [sys.executable, "-c", "import django; django.setup()"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, errors="replace", timeout=START_TIMEOUT
            )
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            reason = said[-1][:300] if done.returncode else ""
        except subprocess.TimeoutExpired:
            reason = f"it has not started after {START_TIMEOUT:.0f} s"
        _tried = (now, reason)
    return _tried[1]
