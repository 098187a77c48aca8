"""Write a series as CSV or Parquet."""

from pathlib import Path

import pandas as pd
from django.core.management.base import BaseCommand, CommandError, CommandParser

from exo_registry import series_data
from exo_registry.management import arguments


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
        frame = series_data.trades_frame(series) if options["trades"] else series_data.points_frame(series)
        if options["output"] is None:
            self.stdout.write(frame.to_csv(index=False, lineterminator="\n"), ending="")
            return
        try:
            _write(frame, options["output"])
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror or error}.") from error
        what = "trades" if options["trades"] else "points"
        self.stdout.write(f"{series}: {len(frame):,} {what} written to {options['output']}.")


def _write(frame: pd.DataFrame, path: Path) -> None:
    """Write whole or not at all: under another name first, so that a reader never meets half a file."""
    draft = path.with_name(f".{path.name}.part")
    if path.name.endswith(".parquet"):
        write = frame.to_parquet
    elif path.name.endswith((".csv", ".csv.gz")):
        write = frame.to_csv
    else:
        message = f"{path}: unknown form of file; end it in .csv, .csv.gz or .parquet."
        raise CommandError(message, returncode=arguments.BAD_ARGUMENTS)
    compression = {"compression": "gzip"} if path.name.endswith(".gz") else {}
    try:
        write(draft, index=False, **compression)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
