"""How long from a bar's arrival to its series, with real worker processes.

    python benchmarks/online_latency.py [--products 35] [--years 2] [--sessions 12] [--skip-history]

Ten series a product, options included, on SQLite in a temporary folder, or on DATABASE_URL (an empty database; with
REDIS_URL the queue is there). Three measurements:

1. arrival: one product's bar is imported while workers are idle; until its ten series are stored. Bar: p95 < 1.5 s.
2. together: bars of all products arrive at once, and again found by the tick; until all are stored. Bar: < 20 s.
3. one session: the same work called in this process, with 1 and 10 years of history. Bar: p95 < 0.3 s, both alike.
"""

import argparse
import contextlib
import datetime as dt
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300  # seconds
CALLS = "[{right: C, delta: 0.6, qty: 1}, {right: C, delta: 0.25, qty: -1}]"
PUTS = "[{right: P, delta: -0.6, qty: 1}, {right: P, delta: -0.25, qty: -1}]"
PROTECTED = "[{right: P, offset: -2, qty: 1}, {right: F, qty: 1}]"
ZONES = f"""{{
      bullish: {{legs: {CALLS}, band: {{low: 0.1, high: 0.75}}}},
      bearish: {{legs: {PUTS}, band: {{low: -0.75, high: -0.1}}}},
      neutral: {{legs: {PROTECTED}, band: {{low: 0.1, high: 0.95}}}}}}"""
EXOS = f"""
exos:
  - {{name: ContFut, algorithm: algorithms.continuous_future.ContinuousFuture}}
  - {{name: CollarBW, algorithm: algorithms.collar.BrokenWingCollar}}
  - {{name: Spread, algorithm: algorithms.vertical_spread.VerticalSpread}}
  - {{name: BullishCollar, algorithm: algorithms.collar.BullishCollar}}
  - {{name: BullishCall, algorithm: algorithms.long_call.BullishCall}}
  - {{name: IchiSpread, algorithm: algorithms.regime_spread.IchimokuSpread, parameters: {ZONES}}}
  - {{name: SwingSpread, algorithm: algorithms.regime_spread.SwingpointSpread, parameters: {ZONES}}}
  - name: Strangle
    algorithm: algorithms.fixed_legs.FixedLegs
    parameters: {{legs: [{{right: C, offset: 4, qty: -1}}, {{right: P, offset: -4, qty: -1}}]}}
"""


class Feed:
    """Made-up markets of many products, handed out session by session."""

    def __init__(self, products: int, years: float, last: dt.date, held_back: int) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        from exo_registry.demo import market
        from exo_registry.demo.products import PRODUCTS

        self.pa, self.pc = pa, pc
        market.START = (last - dt.timedelta(days=round(365.25 * years))).replace(day=2)
        models = [market.product_tables(product, last) for product in PRODUCTS]
        self.rates = market.rates(last)
        self.tables, self.symbols = {}, []
        for number in range(products):
            model, symbol = PRODUCTS[number % len(PRODUCTS)].symbol, f"Q{number}"
            self.symbols.append(symbol)
            self.tables[symbol] = self._renamed(models[number % len(PRODUCTS)], model, symbol)
        bars = self.tables[self.symbols[0]]["contracts_bars"]
        self.days = sorted(set(bars["datetime"].to_pylist()))[-held_back:]

    def _renamed(self, tables: dict, model: str, symbol: str) -> dict:
        def rename(table, column):
            text = table[column]
            new = self.pc.replace_substring(text, model.removeprefix("X"), symbol, max_replacements=1)
            return table.set_column(table.column_names.index(column), column, new)

        return {
            name: self._each(table, rename, {"exchangesymbol", "contractname", "optionname"})
            for name, table in tables.items()
        }

    def _each(self, table, rename, columns):
        for column in columns & set(table.column_names):
            if column == "exchangesymbol":
                continue
            table = rename(table, column)
        return table

    def start(self, symbol: str) -> dict:
        """All before the sessions held back."""
        first, tables = self.days[0], dict(self.tables[symbol])
        for name in ("instruments", "contracts"):
            place = tables[name].column_names.index("exchangesymbol")
            names = self.pa.array([symbol] * len(tables[name]))
            tables[name] = tables[name].set_column(place, "exchangesymbol", names)
        for name, column in (("contracts_bars", "datetime"), ("options_data", "date")):
            tables[name] = tables[name].filter(self.pc.less(tables[name][column], self.pa.scalar(first)))
        rates = self.rates
        if "exchangesymbol" not in rates.column_names:
            rates = rates.append_column("exchangesymbol", self.pa.array([symbol] * len(rates)))
        return tables | {"riskfreerate": rates}

    def bars(self, symbol: str, day: dt.date) -> dict:
        return self._of(symbol, "contracts_bars", "datetime", day)

    def vols(self, symbol: str, day: dt.date) -> dict:
        return self._of(symbol, "options_data", "date", day)

    def _of(self, symbol: str, name: str, column: str, day: dt.date) -> dict:
        table = self.tables[symbol][name]
        return {name: table.filter(self.pc.equal(table[column], self.pa.scalar(day)))}

    def together(self, parts: list[dict]) -> dict:
        return {name: self.pa.concat_tables([part[name] for part in parts]) for name in parts[0]}


def seconds(values: list[float]) -> str:
    values = sorted(values)
    p95 = values[min(len(values) - 1, round(0.95 * len(values) - 0.5))]
    return f"median {statistics.median(values):.3f} s, p95 {p95:.3f} s, worst {values[-1]:.3f} s ({len(values)} times)"


def load(feed: Feed) -> None:
    """Import the history and backfill every series."""
    from exo_registry import definitions as registry
    from exo_registry.market import import_tables
    from exo_registry.models import Product, Run
    from exo_registry.runs import plan, worker

    begun = time.monotonic()
    for symbol in feed.symbols:
        import_tables(feed.start(symbol), source="history", activate=True)
    registry.import_registry(EXOS)
    run = plan.start(plan.make_plan(start=dt.date(2000, 1, 1)), source=Run.Source.SHELL)
    for product in Product.objects.all():
        worker.work(run.pk, product.pk)
    run.refresh_from_db()
    steps = run.steps.count()
    assert run.status == "done", run.status
    print(f"{len(feed.symbols)} products, {steps} series loaded and backfilled in {time.monotonic() - begun:.0f} s")


def wait(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE} s in vain")
        time.sleep(0.005)


def behind(day: dt.date, symbols: list[str]) -> Callable[[], bool]:
    from exo_registry.models import Series

    lacking = Series.objects.filter(product__exchangesymbol__in=symbols, last_session__lt=day)
    return lambda: not lacking.exists()


def arrivals(feed: Feed, symbols: list[str]) -> None:
    from exo_registry.market import import_tables

    taken, imports = [], []
    for day_before, day in zip(feed.days[:-2], feed.days[1:-2], strict=False):
        for symbol in symbols:
            import_tables(feed.vols(symbol, day_before), source="evening")
            time.sleep(0.6 + 0.8 * (len(taken) % 7) / 7)  # so that the poll of the queue is met at all its phases
            begun = time.perf_counter()
            import_tables(feed.bars(symbol, day), source="bars")
            arrived = time.perf_counter()
            wait(behind(day, [symbol]))
            taken.append(time.perf_counter() - arrived)
            imports.append(arrived - begun)
    print(f"import of a session's bars       {seconds(imports)}")
    print(f"arrival to ten series stored     {seconds(taken[1:])}; the very first {taken[0]:.2f} s")


def processor_time(group: int) -> float:
    """Seconds that the processes of a group have worked: what a rush costs, whatever else the machine does."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rush(feed: Feed, cluster: int) -> None:
    """All products at once: enqueued by the import, then found by the tick."""
    from django_q.tasks import async_task

    from exo_registry.market.importing import imported
    from exo_registry.runs import online

    for day, how in zip(feed.days[-2:], ("enqueued by one import of all", "found by the tick"), strict=True):
        if how != "enqueued by one import of all":
            imported.disconnect(dispatch_uid="exo_registry online")
        before = processor_time(cluster)
        arrived = _all_at(feed, day)
        if how == "found by the tick":
            arrived = time.perf_counter()
            async_task("exo_registry.runs.online.tick", cluster="online")
        wait(behind(day, feed.symbols))
        taken = time.perf_counter() - arrived
        worked = processor_time(cluster) - before
        print(f"{len(feed.symbols)} products, {how}: {taken:.1f} s; {worked:.1f} s of processor time")
    imported.connect(online.enqueue_imported, dispatch_uid="exo_registry online")


def _all_at(feed: Feed, day: dt.date) -> float:
    from exo_registry.market import import_tables

    before = feed.days[feed.days.index(day) - 1]
    import_tables(feed.together([feed.vols(s, before) for s in feed.symbols]), source="evening")
    import_tables(feed.together([feed.bars(s, day) for s in feed.symbols]), source="bars")
    return time.perf_counter()


def one_session(years: float, last: dt.date, sessions: int) -> None:
    """In this process, without a queue."""
    from exo_registry.market import import_tables
    from exo_registry.market.importing import imported
    from exo_registry.models import Product
    from exo_registry.runs import online

    feed = Feed(1, years, last, sessions)
    load(feed)
    imported.disconnect(dispatch_uid="exo_registry online")
    product = Product.objects.get()
    taken, processor = [], []
    for day_before, day in zip(feed.days[:-1], feed.days[1:], strict=True):
        import_tables(feed.vols(feed.symbols[0], day_before), source="evening")
        import_tables(feed.bars(feed.symbols[0], day), source="bars")
        begun, worked = time.perf_counter(), time.process_time()
        online.catch_up(product.pk)
        taken.append(time.perf_counter() - begun)
        processor.append(time.process_time() - worked)
        assert behind(day, feed.symbols)()
    print(f"one session, {years:g} years of history  {seconds(taken[1:])}; processor {seconds(processor[1:])}")


def child(arguments: list[str], home: str) -> None:
    subprocess.run([sys.executable, __file__, *arguments], env=os.environ | {"EXOWEB_HOME": home}, check=True)


def setup(home: str) -> None:
    os.environ |= {
        "EXOWEB_HOME": home,
        "DJANGO_SETTINGS_MODULE": "exoweb.settings",
        "MARKET_DATA_URI": f"{home}/market",
    }
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{home}/db.sqlite3")
    os.environ.setdefault("EXOWEB_WORKERS", "2")
    sys.stdout.reconfigure(line_buffering=True)
    sys.path.insert(0, str(ROOT))
    import logging

    import django

    django.setup()
    logging.disable(logging.WARNING)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def newest_session() -> dt.date:
    from exo_registry.demo import market

    return market.last_session(dt.datetime.now(dt.UTC).date())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=35)
    parser.add_argument("--years", type=float, default=2)
    parser.add_argument("--sessions", type=int, default=12, help="sessions that arrive one by one")
    parser.add_argument("--skip-history", action="store_true", help="leave measurement 3 out")
    parser.add_argument("--history", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.history:
        setup(os.environ["EXOWEB_HOME"])
        one_session(options.history, newest_session(), 18)
        return
    with tempfile.TemporaryDirectory() as home:
        if not options.skip_history:
            for years in (1, 10):
                if "DATABASE_URL" in os.environ:
                    print("measurement 3 needs databases of its own: run it without DATABASE_URL")
                    break
                folder = Path(home, str(years))
                folder.mkdir()
                child(["--history", str(years)], str(folder))
        folder = Path(home, "queue")
        folder.mkdir()
        setup(str(folder))
        feed = Feed(options.products, options.years, newest_session(), options.sessions)
        load(feed)
        with Path(home, "qcluster.log").open("wb") as log:
            cluster = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "qcluster"],
                env=os.environ | {"Q_CLUSTER_NAME": "online"},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            time.sleep(8)  # until the workers are up
            arrivals(feed, feed.symbols[: min(8, len(feed.symbols))])
            rush(feed, cluster.pid)
        finally:
            os.killpg(cluster.pid, signal.SIGKILL)  # it holds nothing worth keeping
            cluster.wait()


if __name__ == "__main__":
    main()
