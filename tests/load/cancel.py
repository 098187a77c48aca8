"""How long cancelling takes: from the request until no worker computes any more and the run is closed.

    python -m tests.load.cancel --rounds 10

Slow strategies on real workers, on SQLite. After each cancel the run is resumed for a moment, and the steps that had
been done must be left alone. Prints figures as JSON.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.paths import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=3000)
    parser.add_argument("--pause", type=float, default=0.002)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="exoweb-cancel-"))
    for name in ("DATABASE_URL", "REDIS_URL", "MARKET_DATA_URI", "Q_CLUSTER_NAME"):
        os.environ.pop(name, None)
    os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.load.settings", "EXOWEB_HOME": str(folder), "EXOWEB_WORKERS": "2"}
    import django

    django.setup()
    figures = {}
    try:
        prepare(folder, options.sessions)
        workers = subprocess.Popen(
            [sys.executable, "manage.py", "workers", "backfill"],
            cwd=ROOT,
            env=os.environ | {"CHAOS_PAUSE": str(options.pause)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            figures = measure(options.rounds)
        finally:
            workers.send_signal(signal.SIGTERM)
            workers.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures, indent=2))
    return 0 if figures.get("slowest, seconds", 99) < 2 else 1


def prepare(folder: Path, sessions: int) -> None:
    from django.core.management import call_command

    from exo_registry.definitions import sync_series
    from exo_registry.models import Definition, Product
    from tests.runs.markets import import_bars, weekdays

    call_command("migrate", verbosity=0)
    for symbol in ("ES", "CL"):
        import_bars(folder / symbol, symbol, weekdays("2012-01-02", sessions))
    Product.objects.update(active=True)
    Definition.objects.create(name="Quick", algorithm="algorithms.continuous_future.ContinuousFuture")
    for name in ("Slow", "Slower"):
        Definition.objects.create(name=name, algorithm="tests.load.slow.SlowLegs")
    sync_series()


def measure(rounds: int) -> dict:
    import datetime as dt
    import random

    from exo_registry.models import Run, Status
    from exo_registry.runs import control, plan, worker

    run = plan.start(plan.make_plan(start=dt.date(2012, 1, 2), mode=Run.Mode.RESET), source=Run.Source.SHELL)
    worker.enqueue(run)
    took, left, kept = [], [], True
    done: dict[int, object] = {}
    for _ in range(rounds):
        wait(lambda: run.steps.filter(status=Status.RUNNING).count() == 2, 60)
        time.sleep(random.uniform(0.5, 2.5))
        begin = time.monotonic()
        control.cancel(run)
        wait(lambda: ended(run), 30)
        took.append(time.monotonic() - begin)
        now_done = dict(run.steps.filter(status=Status.DONE).values_list("pk", "finished"))
        kept = kept and done.items() <= now_done.items()
        done = now_done
        left.append(control.resume(run))
    control.cancel(run)
    return {
        "cancels": len(took),
        "slowest, seconds": round(max(took), 2),
        "mean, seconds": round(sum(took) / len(took), 2),
        "steps resumed": left,
        "steps done before were left alone": kept,
    }


def ended(run) -> bool:
    run.refresh_from_db()
    return not run.is_active


def wait(reached, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
