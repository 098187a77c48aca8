"""What the benchmarks share: their arguments, their tables, their JSON, and an empty exoweb to measure in."""

import argparse
import contextlib
import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("EXOWEB_SHARED") or ROOT.parent / "shared").resolve()
ES_MODELLED = SHARED / "data" / "es_modelled"
REGISTRY = Path(__file__).with_name("registry.yaml")
FIRST = dt.date(2011, 6, 1)


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="Where the figures go (default: EXOWEB_HOME).")
    return parser


def needs_pack(folder: Path) -> None:
    """Ends the benchmark, as a failure, where its data is not there."""
    if not folder.is_dir():
        sys.exit(f"Nothing was measured: there is no market pack at {folder}. Name one, or set EXOWEB_SHARED.")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header: the first column to the left, numbers to the right, three figures or more."""
    text = [list(header), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in text) for column in range(len(header))]
    for row in text:
        first, *rest = (value.rjust(width) for value, width in zip(row, widths, strict=True))
        print("  ".join([first.strip().ljust(widths[0]), *rest]))
    print(flush=True)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)


def write(name: str, figures: Mapping[str, object], path: Path | None) -> None:
    """Keep figures as JSON, with what they were measured on, for comparison over time."""
    now = dt.datetime.now(dt.UTC)
    home = Path(os.environ.get("EXOWEB_HOME") or ROOT / "var")
    path = path or home / "benchmarks" / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"benchmark": name, "at": now.isoformat(timespec="seconds"), "machine": _machine(), "figures": figures}
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Figures: {path}", flush=True)


def _machine() -> dict[str, object]:
    commit = None
    if git := shutil.which("git"):
        answer = subprocess.run([git, "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        commit = answer.stdout.strip() or None
    return {
        "commit": commit,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "yardstick_us": yardstick(),
    }


def yardstick() -> dict[str, float]:
    """Processor time of a fixed piece of Python and numpy work, at best and usually: by it, figures from different
    machines and hours compare. Neighbours on the same processor slow it down just as they do the rest."""
    numbers, times = np.linspace(0.1, 1.0, 50).reshape(5, 10), []
    for _ in range(5000):
        begin, total = time.process_time_ns(), 0.0
        for number in range(1000):
            total += number * 1.5
        for _ in range(100):
            numbers * numbers
        times.append((time.process_time_ns() - begin) / 1e3)
    return {"best": min(times), "usual": statistics.median(times)}


@contextlib.contextmanager
def empty_home() -> Iterator[dict[str, str]]:
    """A new EXOWEB_HOME with a database; gives the environment for processes that live in it."""
    with tempfile.TemporaryDirectory(prefix="exoweb-benchmark-") as home:
        ours = ("DATABASE_URL", "MARKET_DATA_URI", "REDIS_URL")
        environment = {name: value for name, value in os.environ.items() if name not in ours}
        environment |= {"EXOWEB_HOME": home, "DJANGO_SETTINGS_MODULE": "exoweb.settings"}
        manage("migrate", "-v", "0", environment=environment)
        yield environment


def manage(*arguments: object, environment: Mapping[str, str]) -> str:
    """Run a management command; its output."""
    command = [sys.executable, "manage.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def django_here(environment: Mapping[str, str]) -> None:
    """Set up Django in this process, in that home."""
    os.environ.update(environment)
    sys.argv[0] = "manage.py"  # log as that does, which is little
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
