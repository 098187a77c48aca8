"""importmarket SOURCE: check market data and load it: a pack, a MongoDB, or whatever comes into a drop folder."""

import signal
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from exo_registry.formats.text import counted
from exo_registry.market import ImportReport, MarketDataError, PackErrors, import_pack, product_advice
from exo_registry.models import Product

from .. import arguments, next_step
from ..base import BaseCommand

SCHEMES = ("mongodb://", "mongodb+srv://")
MOST_PROBLEMS = 100  # of a MongoDB that are listed; the rest are counted


class Command(BaseCommand):
    help = (
        "Load market data. SOURCE is a market pack, a folder of tables (csv, csv.gz or parquet), or a MongoDB, "
        "mongodb://user:password@host/database, with a collection for each table, which is only read. A pack is "
        "checked as a whole first; with any problem, all problems are listed and nothing is imported. Of a MongoDB, "
        "documents with a problem are listed and left out. Importing the same again changes nothing. Exit status 0: "
        "all is imported; 1: not all, or nothing; 2: bad arguments."
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
            "--follow", action="store_true", help="of a MongoDB: keep importing new documents, until Ctrl-C"
        )
        parser.add_argument(
            "--interval", type=_seconds, default=5.0, metavar="SECONDS", help="between two looks (default: 5)"
        )
        parser.add_argument(
            "--since",
            type=arguments.iso_date,
            metavar="YYYY-MM-DD",
            help="of a MongoDB: only records dated from then on",
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

    def _import(self, name: str, read: Callable[[Callable], ImportReport | None], options: dict) -> None:
        """Import once, with a line that says how far it is, and a summary. `read` gives None if nothing was good."""
        terminal = Console(stderr=True)
        status = terminal.status(f"{name}: reading") if terminal.is_terminal else nullcontext()
        with status:
            report = read(lambda stage: terminal.is_terminal and status.update(f"{name}: {stage}"))
        if report is None:
            return
        for line in report.warning_lines:
            self.stderr.write(f"warning: {line}")
        for line in report.note_lines:
            self.stderr.write(f"note: {line}")
        for product in Product.objects.filter(exchangesymbol__in=[row.symbol for row in report.products]):
            for text in product_advice(product):
                self.stderr.write(f"warning: {text}")
        if options["verbosity"]:
            Console(file=self.stdout, soft_wrap=True).print(_summary(report))
            for line in next_step.after_import(report.products):
                self.stdout.write(line)

    def _import_mongo(self, uri: str, follow: bool, options: dict) -> None:
        from exo_registry.market.follow import follow as follow_mongo
        from exo_registry.market.mongo import MongoMarket
        from exo_registry.market.salvage import import_valid_rows, refused_text

        with MongoMarket(uri) as market:
            problems = ""

            def read(progress: Callable) -> ImportReport | None:
                nonlocal problems
                tables = market.read(since=options["since"], progress=progress)
                report, refused = import_valid_rows(
                    tables, source=market.place, activate=options["activate"], progress=progress
                )
                problems = refused_text(market.place, report, refused, MOST_PROBLEMS)
                return report

            self._import(market.place, read, options)
            if problems and not follow:
                raise CommandError(problems, returncode=1)
            if follow:
                if problems:
                    self.stderr.write(problems)
                self.stdout.write(f"{market.place}: following; Ctrl-C ends it")
                with _until_stopped(options["interval"]) as pause:
                    follow_mongo(market, pause=pause, tell=self.stdout.write)

    def _watch(self, folder: Path, options: dict) -> None:
        from exo_registry.workers.market_watch import watch

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
    with suppress(ValueError):
        if 0.1 <= (seconds := float(text)) <= 86_400:
            return seconds
    raise ArgumentTypeError(f"{text!r} is not an interval: name seconds from 0.1 to 86400")


def _summary(report: ImportReport) -> Table | str:
    if not report.changed_anything:
        return f"{report.source}: {counted(sum(report.rows.values()), 'row')} read; nothing new in them."
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
