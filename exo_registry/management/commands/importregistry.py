"""importregistry: products' rules and EXO definitions from a YAML file, all or nothing."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exo_registry import registry


class Command(BaseCommand):
    help = (
        "Load products' rules and EXO definitions from a YAML file (- reads standard input). What the file does not "
        "name is left alone; importing twice changes nothing. Exit status 0: the file is in; 1: it was refused, and "
        "nothing was written; 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the registry file, or - for standard input")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            report = registry.import_registry(_read(file))
        except registry.RegistryErrors as error:
            for problem in error.problems:
                self.stderr.write(self.style.ERROR(f"{file}: {problem}"))
            count = len(error.problems)
            raise CommandError(
                f"{file} was refused: {count} problem{'s' * (count != 1)}. Nothing was written.", returncode=1
            ) from error
        for line in report.lines():
            self.stdout.write(line)


def _read(file: str) -> str:
    """The file's text; exit status 2 if it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}. Name a registry file.", returncode=2) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not text in UTF-8 (byte {error.start}).", returncode=2) from error
