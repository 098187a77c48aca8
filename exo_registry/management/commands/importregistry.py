"""importregistry: products' rules and EXO definitions from a YAML file or the desk's old settings, all or nothing."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from exo_registry import definitions as registry
from exo_registry.definitions import legacy_settings
from exo_registry.formats.text import counted

from ..base import BaseCommand


class Command(BaseCommand):
    help = (
        "Load products' rules and EXO definitions from a YAML file (- reads standard input). What the file does not "
        "name is left alone; importing twice changes nothing. Exit status 0: the file is in; 1: it was refused, and "
        "nothing was written; 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="the registry file, or - for standard input")
        parser.add_argument(
            "--from-settings",
            metavar="FILE",
            help="take INSTRUMENTS_LIST and EXO_LIST out of the old Python settings, which are read and never run; "
            "what could not be mapped is listed, all else is imported",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")

    def handle(
        self,
        *args: Any,
        file: str | None = None,
        from_settings: str | None = None,
        dry_run: bool = False,
        **options: Any,
    ) -> None:
        if (file is None) == (from_settings is None):
            raise CommandError("Give one file: a registry file, or --from-settings FILE.", returncode=2)
        text = self._migrated(from_settings) if from_settings else _text(file)
        report = self._import(file or from_settings, text, dry_run)
        for line in report.lines():
            self.stdout.write(line)
        if dry_run:
            self.stdout.write("Dry run: nothing was written.")

    def _migrated(self, file: str) -> str:
        try:
            migration = legacy_settings.migrate(_bytes(file))
        except legacy_settings.SettingsError as error:
            raise CommandError(f"{file} was refused: {error} Nothing was written.", returncode=1) from error
        for line in migration.notes:
            self.stdout.write(line)
        for line in migration.unmapped:
            self.stderr.write(self.style.WARNING(f"not mapped: {line}"))
        return migration.text

    def _import(self, file: str, text: str, dry_run: bool) -> registry.Report:
        try:
            with transaction.atomic():
                report = registry.import_registry(text)
                transaction.set_rollback(dry_run)
        except registry.RegistryErrors as error:
            for problem in error.problems:
                self.stderr.write(self.style.ERROR(f"{file}: {problem}"))
            count = counted(len(error.problems), "problem")
            raise CommandError(f"{file} was refused: {count}. Nothing was written.", returncode=1) from error
        return report


def _bytes(file: str) -> bytes:
    """The file's content; exit status 2 if it cannot be read."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}. Name a registry file.", returncode=2) from error


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else _bytes(file).decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not text in UTF-8 (byte {error.start}).", returncode=2) from error
