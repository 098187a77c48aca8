"""exportmarket SYMBOL… -o FOLDER: write products' market data as a pack."""

from pathlib import Path

from django.core.management.base import CommandError

from exo_registry.formats.text import counted
from exo_registry.market import MarketDataError, export_pack
from exo_registry.market.export import FORMATS

from ..base import BaseCommand


class Command(BaseCommand):
    help = "Write the market data of products as a market pack. Importing it again changes nothing."

    def add_arguments(self, parser):
        parser.add_argument("symbols", nargs="+", metavar="SYMBOL")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="made if need be")
        parser.add_argument("--format", choices=FORMATS, default="parquet", help="form of the files (default parquet)")

    def handle(self, *args, symbols: list[str], output: Path, **options):
        try:
            rows = export_pack(symbols, output, form=options["format"])
        except (MarketDataError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        for table, count in rows.items():
            self.stdout.write(f"{output / table}.{options['format']}: {counted(count, 'row')}")
