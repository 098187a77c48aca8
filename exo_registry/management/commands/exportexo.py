"""Write a series as CSV or Parquet."""

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.management.base import CommandError, CommandParser

from exo_registry.formats import csv_text
from exo_registry.models import Product
from exo_registry.series import frames

from .. import arguments
from ..base import BaseCommand

if TYPE_CHECKING:
    import pandas as pd


class Command(BaseCommand):
    help = "Writes a series' points, or its trades, as CSV or Parquet by the suffix of FILE (default: CSV to stdout)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("series", metavar="SERIES", help="Name of the series, such as ES_ContFut.")
        parser.add_argument("--trades", action="store_true", help="Trades in place of points.")
        parser.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="NAME.csv, NAME.csv.gz or NAME.parquet; default: stdout."
        )

    def handle(self, **options) -> None:
        series = arguments.one_series(options["series"])
        frame = frames.trades_frame(series) if options["trades"] else frames.points_frame(series)
        if (kind := series.product.data_kind) != Product.DataKind.QUOTED:
            self.stderr.write(f"note: {series} is computed from {kind} market data.")
        if options["output"] is None:
            self.stdout.write("".join(csv_text.frame_lines(frame)), ending="")
            return
        try:
            _write(frame, options["output"])
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror or error}.") from error
        what = "trades" if options["trades"] else "points"
        self.stdout.write(f"{series}: {len(frame):,} {what} written to {options['output']}.")


def _write(frame: "pd.DataFrame", path: Path) -> None:
    """Write whole or not at all: under another name first, so that a reader never meets half a file."""
    if not path.name.endswith((".parquet", ".csv", ".csv.gz")):
        message = f"{path}: unknown form of file; end it in .csv, .csv.gz or .parquet."
        raise CommandError(message, returncode=arguments.BAD_ARGUMENTS)
    draft = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            frames.write_parquet(frame, draft)
        else:
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(draft, "wt", encoding="utf-8", newline="") as file:
                file.writelines(csv_text.frame_lines(frame))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
