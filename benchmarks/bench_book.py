"""The whole book, simulated: 35 products x 10 series x 15 years of sessions, computed by two worker processes.

    python benchmarks/bench_book.py [--products 35] [--years 15]

The products are those of the demonstration, drawn again from other seeds. Their market is made and imported first, by
as many processes; that is not counted. Then a task cluster is started and the backfill is queued, as from the admin.
All in: from queueing to the end of the run, planning, loading, computing and storing included.

Bars: under 90 s on two processors, under 2 GB a process.
"""

import dataclasses
import datetime as dt
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import report

EXOS = "ContFut,CollarBW,Spread,BullishCollar,BullishCall,BuyWrite,IchiSpread,SwingNeutral"  # ten series a product
LAST = dt.date(2025, 12, 31)
WORKERS = 2


def main() -> None:
    parser = report.arguments(__doc__)
    parser.add_argument("--products", type=int, default=35)
    parser.add_argument("--years", type=int, default=15)
    options = parser.parse_args()
    with report.empty_home() as environment:
        environment |= {"EXOWEB_WORKERS": str(WORKERS)}
        begin = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            jobs = [(environment, number, options.years) for number in range(options.products)]
            rows = sum(pool.starmap(make_product, jobs, chunksize=1))
        print(f"{options.products} products, {rows:,} rows made and imported in {time.perf_counter() - begin:.0f} s")
        report.manage("importregistry", report.REGISTRY, environment=environment)
        figures = compute(environment, dt.date(LAST.year - options.years + 1, 1, 1))
    report.table(["whole book", ""], list(figures.items()))
    report.write("book", figures, options.json)


def make_product(environment: dict, number: int, years: int) -> int:
    """Draw the market of one product and import it; how many rows it has. Runs in a process of its own."""
    report.django_here(environment)
    from exo_registry.demo import market
    from exo_registry.demo.products import PRODUCTS
    from exo_registry.market import import_tables
    from exo_registry.models import Product

    market.START = dt.date(LAST.year - years + 1, 1, 4)  # the generator's own beginning is too late
    pattern = PRODUCTS[number % len(PRODUCTS)]
    symbol = f"X{number:02}"
    with np.errstate(over="ignore"):  # of futures that expired long ago, which are left out
        tables = market.product_tables(dataclasses.replace(pattern, symbol=symbol, seed=9000 + number), LAST)
    imported = import_tables(tables | {"riskfreerate": market.rates(LAST)}, activate=True, source="benchmark")
    Product.objects.filter(exchangesymbol=symbol).update(data_kind="synthetic")
    return sum(imported.rows.values())


def compute(environment: dict, start: dt.date) -> dict:
    """Queue the backfill to a running cluster and wait for its end."""
    cluster = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=report.ROOT,
        env={**environment, "Q_CLUSTER_NAME": "backfill"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    peaks: dict[int, float] = {}
    try:
        time.sleep(5)  # until its workers wait for tasks
        begin, used = time.perf_counter(), processor_seconds(cluster.pid)
        print(report.manage("runexo", "-E", EXOS, "-B", start, "--queue", environment=environment).strip(), flush=True)
        queued = time.perf_counter() - begin
        report.django_here(environment)
        run = wait(cluster, peaks)
        seconds = time.perf_counter() - begin
        used = processor_seconds(cluster.pid) - used
        steps, points = describe(run)
    finally:
        end(cluster)
    return {
        "status": run.status,
        "all-in s": seconds,
        "queueing s": queued,
        "processor s of the workers": used,
        "series": len(steps),
        "EXO-sessions": points,
        "µs/EXO-session": seconds * 1e6 / points,
        "peak MB of a worker": max(peaks.values(), default=None),
        "database MB": sum(file.stat().st_size for file in Path(environment["EXOWEB_HOME"]).glob("*.sqlite3*")) / 2**20,
    }


def end(cluster: subprocess.Popen) -> None:
    """Politely, then by force."""
    cluster.terminate()
    try:
        cluster.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(cluster.pid, signal.SIGKILL)
        cluster.wait()


def wait(cluster: subprocess.Popen, peaks: dict[int, float]):
    """The run when it has ended; notes the peak memory of the cluster's processes meanwhile."""
    from exo_registry.models import Run
    from exo_registry.models.run import ENDED

    while True:
        run = Run.objects.get()
        for process in descendants(cluster.pid):
            if peak := peak_memory(process):
                peaks[process] = peak
        if run.status in ENDED:
            return run
        if cluster.poll() is not None:
            sys.exit("The task cluster has ended.")
        time.sleep(0.2)


def describe(run) -> tuple[list, int]:
    from exo_registry.models import Status

    failed = run.steps.exclude(status=Status.DONE)
    for step in failed[:5]:
        print(f"{step.series.name}: {step.status} {step.error}")
    return list(run.steps.all()), sum(run.steps.values_list("sessions_done", flat=True))


# -- processes, as Linux tells of them; elsewhere nothing is known -----------------------------------------------------


def descendants(process: int) -> list[int]:
    children = []
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, read(listed).split()):
            children += [child, *descendants(child)]
    return children


def peak_memory(process: int) -> float | None:
    """Largest resident size so far, in MB."""
    peak = re.search(r"VmHWM:\s+(\d+)", read(Path(f"/proc/{process}/status")))
    return int(peak[1]) / 1024 if peak else None


def processor_seconds(process: int) -> float:
    """Of a process's descendants that are alive."""
    ticks = 0
    for child in descendants(process):
        fields = read(Path(f"/proc/{child}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:13])) if fields else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def read(path: Path) -> str:
    """A file's text; empty if the process has gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
