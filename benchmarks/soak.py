"""24 simulated hours of scheduled work: do memory, tables and files stay as they are?

    python benchmarks/soak.py [--hours 24] [--products 10]

Every minute of the clock runs what the schedules run (reconcile, tick, notifications) as django-q tasks, and stores
their task rows. A bar of each product arrives every half hour, as from an intraday feed, and one session falls due.
At the end the same day is pruned as if it were 400 days old. On SQLite in a temporary folder.
"""

import argparse
import datetime as dt
import gc
import os
import resource
import tempfile
import time
from pathlib import Path

import online_latency

ROW = "{:>5} {:>8} {:>7} {:>6} {:>9} {:>9} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8}"
HEAD = (
    "hour",
    "RSS MB",
    "peak",
    "files",
    "tick ms",
    "p95 ms",
    "events",
    "runs",
    "steps",
    "revisions",
    "task rows",
    "DB MB",
)


def rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def counts() -> list[int]:
    from django_q.models import OrmQ, Task

    from exo_registry.models import Event, Revision, Run, Step

    assert not OrmQ.objects.exists()
    return [model.objects.count() for model in (Event, Run, Step, Revision, Task)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--products", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["DATABASE_URL"] = f"sqlite:///{home}/db.sqlite3"
        os.environ.pop("REDIS_URL", None)
        online_latency.setup(home)
        soak(Path(home), options.hours, options.products)


def soak(home: Path, hours: int, products: int) -> None:
    from exo_registry.operations import retention, schedules

    feed = online_latency.Feed(products, 1, online_latency.newest_session(), 2)
    online_latency.load(feed)
    begin = dt.datetime.combine(feed.days[-1], dt.time(), dt.UTC)
    print(ROW.format(*HEAD))
    taken: list[float] = []
    for minute in range(hours * 60):
        now = begin + dt.timedelta(minutes=minute)
        started = time.perf_counter()
        for func in schedules.EVERY_MINUTE.values():
            as_task(func, now)
        taken.append(time.perf_counter() - started)
        if minute % 30 == 0:
            send_bars(feed, now)
        work_queue(now)
        if minute % 120 == 119 or minute == 0:
            gc.collect()
            taken.sort()
            figures = [taken[len(taken) // 2] * 1000, taken[int(len(taken) * 0.95)] * 1000]
            report(home, minute // 60, figures)
            taken = []
    print("pruned, seen from 400 days later:", retention.prune(begin + dt.timedelta(days=400)))
    report(home, hours, [0, 0])


def report(home: Path, hour: int, figures: list[float]) -> None:
    files = len(os.listdir("/proc/self/fd"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in home.glob("db.sqlite3*")) / 2**20
    ticks = [f"{value:.1f}" for value in figures]
    print(ROW.format(hour, f"{rss():.0f}", f"{peak:.0f}", files, *ticks, *counts(), f"{size:.1f}"))


def as_task(func: str, now: dt.datetime) -> None:
    """Run a scheduled function as a worker does, and store its task row as the monitor does."""
    import pydoc

    from django.utils import timezone
    from django_q.brokers import get_broker
    from django_q.humanhash import uuid
    from django_q.monitor import save_task

    started = timezone.now()
    result = pydoc.locate(func)(now)
    name, key = uuid()
    task = {"id": key, "name": name, "func": func, "args": (), "kwargs": {}, "started": started, "result": result}
    save_task(task | {"success": True, "stopped": timezone.now(), "sync": True}, get_broker())


def send_bars(feed: online_latency.Feed, now: dt.datetime) -> None:
    """The bar of this moment, of every product: prices of the day's own bar."""
    from exo_registry import market

    day = feed.days[-1]
    tables = feed.together([feed.bars(symbol, day) for symbol in feed.symbols])["contracts_bars"]
    place = tables.column_names.index("datetime")
    moment = now.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    tables = tables.set_column(place, "datetime", feed.pa.array([moment] * len(tables)))
    market.import_tables({"contracts_bars": tables}, source="intraday")


def work_queue(now: dt.datetime) -> None:
    from django_q.models import OrmQ
    from django_q.signing import SignedPackage

    from exo_registry.runs import online, worker

    for queued in OrmQ.objects.order_by("pk"):
        task = SignedPackage.loads(queued.payload)
        queued.delete()
        if task["func"] == online.CATCH_UP:
            online.catch_up(*task["args"], now=now)
        else:
            worker.work(*task["args"])


if __name__ == "__main__":
    main()
