"""importmarket FOLDER: check a market pack and load it."""

from contextlib import nullcontext
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from exo_registry.market_store import ImportReport, PackErrors, import_pack


class Command(BaseCommand):
    help = (
        "Load a market pack: a folder of tables (csv, csv.gz or parquet). It is checked as a whole first; with any "
        "problem, all problems are listed and nothing is imported. Importing a pack again changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder that holds the tables")
        parser.add_argument("--activate", action="store_true", help="put the pack's products in calculation")

    def handle(self, *args, folder: Path, activate: bool, **options):
        terminal = Console(stderr=True)
        status = terminal.status(f"{folder}: reading") if terminal.is_terminal else nullcontext()
        try:
            with status:
                report = import_pack(
                    folder,
                    activate=activate,
                    progress=lambda stage: terminal.is_terminal and status.update(f"{folder}: {stage}"),
                )
        except NotADirectoryError as error:
            raise CommandError(str(error), returncode=2) from error
        except PackErrors as error:
            raise CommandError(str(error), returncode=1) from error
        for line in report.warning_lines:
            self.stderr.write(f"warning: {line}")
        if options["verbosity"]:
            Console(file=self.stdout, soft_wrap=True).print(_summary(report))


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
