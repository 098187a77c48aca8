"""importmarket SOURCE: check market data and load it: a pack, a MongoDB, or whatever comes into a drop folder."""

import datetime as dt
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from exo_registry.market_store import ImportReport, MarketDataError, PackErrors, import_pack, import_tables

SCHEMES = ("mongodb://", "mongodb+srv://")


class Command(BaseCommand):
    help = (
        "Load market data. SOURCE is a market pack, a folder of tables (csv, csv.gz or parquet), or a MongoDB, "
        "mongodb://user:password@host/database, with a collection for each table, which is only read. It is checked as "
        "a whole first; with any problem, all problems are listed and nothing is imported. Importing the same again "
        "changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("source", metavar="SOURCE", help="a folder with the tables, or mongodb://host/database")
        parser.add_argument("--activate", action="store_true", help="put the products in calculation")
        parser.add_argument(
            "--watch",
            action="store_true",
            help="SOURCE is a drop folder: import each sub-folder once it is complete (it holds a file READY, written "
            "last, or was renamed to NAME.ready) and move it to done/ or failed/ with a report; until Ctrl-C",
        )
        parser.add_argument(
            "--follow", action="store_true", help="of a MongoDB: go on importing what is new in it, until Ctrl-C"
        )
        parser.add_argument(
            "--interval", type=_seconds, default=5.0, metavar="SECONDS", help="between two looks (default: 5)"
        )
        parser.add_argument(
            "--since", type=_date, metavar="YYYY-MM-DD", help="of a MongoDB: only records dated from then on"
        )

    def handle(self, *args, source: str, watch: bool, follow: bool, **options):
        is_mongo = source.startswith(SCHEMES)
        if watch and is_mongo:
            raise CommandError("--watch is for a drop folder; a MongoDB is watched with --follow.", returncode=2)
        if not is_mongo and (follow or options["since"]):
            raise CommandError("--follow and --since are for a MongoDB (mongodb://…).", returncode=2)
        try:
            if watch:
                self._watch(Path(source), options)
            elif is_mongo:
                self._import_mongo(source, follow, options)
            else:
                folder = Path(source)
                read = lambda progress: import_pack(folder, activate=options["activate"], progress=progress)  # noqa: E731
                self._import(source, read, options)
        except NotADirectoryError as error:
            raise CommandError(str(error), returncode=2) from error
        except PackErrors as error:
            raise CommandError(str(error), returncode=1) from error
        except MarketDataError as error:
            raise CommandError(f"{error}.", returncode=1) from error

    def _import(self, name: str, read: Callable[[Callable], ImportReport], options: dict) -> None:
        """Import once, with a line that says how far it is, and a summary."""
        terminal = Console(stderr=True)
        status = terminal.status(f"{name}: reading") if terminal.is_terminal else nullcontext()
        with status:
            report = read(lambda stage: terminal.is_terminal and status.update(f"{name}: {stage}"))
        for line in report.warning_lines:
            self.stderr.write(f"warning: {line}")
        if options["verbosity"]:
            Console(file=self.stdout, soft_wrap=True).print(_summary(report))

    def _import_mongo(self, uri: str, follow: bool, options: dict) -> None:
        from exo_registry.market.follow import follow as follow_mongo
        from exo_registry.market.mongo import MongoMarket

        with MongoMarket(uri) as market:

            def read(progress: Callable) -> ImportReport:
                tables = market.read(since=options["since"], progress=progress)
                return import_tables(tables, source=market.place, activate=options["activate"], progress=progress)

            self._import(market.place, read, options)
            if follow:
                self.stdout.write(f"{market.place}: following; Ctrl-C ends it")
                with _until_stopped(options["interval"]) as pause:
                    follow_mongo(market, pause=pause, tell=self.stdout.write)

    def _watch(self, folder: Path, options: dict) -> None:
        from exo_registry.market.watch import watch

        def tell(outcome) -> None:
            where = f" Now in {outcome.moved_to}." if outcome.moved_to else ""
            out = self.stdout if outcome.ok else self.stderr
            out.write(f"{outcome.name}: {'imported' if outcome.ok else 'not imported'}. {outcome.text}{where}")

        with _until_stopped(options["interval"]) as pause:
            watch(folder, pause=pause, tell=tell, activate=options["activate"])


@contextmanager
def _until_stopped(interval: float) -> Iterator[Callable[[], bool]]:
    """A function that waits, and is True once Ctrl-C or a polite kill has come: what is under way is finished first."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        yield lambda: stop.wait(interval)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400:
        raise ValueError
    return seconds


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _summary(report: ImportReport) -> Table | str:
    if not report.changed_anything:
        return f"{report.source}: {sum(report.rows.values()):,} rows read; all of them were there already."
    table = Table("Product", "New rows", "Changed", "From", "Revision", "Notes", box=None, title_justify="left")
    for column in table.columns[1:3]:
        column.justify = "right"
    for product in report.products:
        revision = product.revision
        table.add_row(
            product.symbol,
            f"{product.rows_added:,}",
            f"{product.rows_changed:,}",
            str(revision.earliest_change) if revision else "",
            str(revision.number) if revision else "",
            "; ".join(product.notes),
        )
    return table
