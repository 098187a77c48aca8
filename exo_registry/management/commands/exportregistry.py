"""exportregistry: products' rules and EXO definitions as a YAML file that importregistry reads."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from exo_registry import definitions as registry

from ..base import BaseCommand


class Command(BaseCommand):
    help = (
        "Write products' rules and EXO definitions as YAML, to standard output or to a file. importregistry reads it "
        "back without a change. Exit status 0: written; 1: the file cannot be written; 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("-o", "--output", metavar="FILE", help="the file to write (default: standard output)")

    def handle(self, *args: Any, output: str | None, **options: Any) -> None:
        text = registry.export_registry()
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.", returncode=1) from error
        self.stdout.write(f"The registry is in {output}.")
