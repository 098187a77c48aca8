"""Check EXO definitions: they load, run on a sample of real market data, and look at nothing ahead."""

import sys

from django.core.management.base import CommandParser

from exo_registry.definitions import check
from exo_registry.models import Definition

from .. import arguments
from ..base import BaseCommand

HAS_PROBLEMS = 1


class Command(BaseCommand):
    help = (
        "Checks EXO definitions (default: all enabled ones): loads the algorithm, validates the parameters, runs it on "
        "a sample of sessions, and proves that it does not look ahead. Prints problems only. Exit status: 0 no "
        "problems, 1 problems, 2 bad arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="EXO definitions; none: all enabled ones.")
        parser.add_argument("--quick", action="store_true", help="A smaller sample, as when a definition is saved.")

    def handle(self, **options) -> None:
        names = options["names"]
        chosen = arguments.definitions(names) if names else Definition.objects.filter(enabled=True)
        failed = False
        for definition, problems in check.check_definitions(chosen, quick=options["quick"]):
            for problem in problems:
                failed = True
                self.stderr.write(f"{definition}: {problem}")
            if options["verbosity"] > 1 and not problems:
                self.stdout.write(f"{definition}: no problems")
        if failed:
            sys.exit(HAS_PROBLEMS)
