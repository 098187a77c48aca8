"""`manage.py loaddemo`: the synthetic market and a starter registry."""

import time
from typing import Any

from django.core.management import CommandError

from exo_registry import demo
from exo_registry.formats.text import counted

from ..base import BaseCommand


class Command(BaseCommand):
    help = "Load the synthetic demonstration market up to yesterday, and a starter registry. Safe to repeat."

    def handle(self, **options: Any) -> None:
        began = time.monotonic()
        self.stdout.write(f"Making the synthetic market of {', '.join(demo.symbols())}")
        try:
            loaded = demo.load()
        except demo.DemoError as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - began
        self.stdout.write(f"{counted(loaded.rows, 'row')}, {demo.START} to {loaded.until}, in {seconds:.1f} s")
        lines = list(loaded.registry.lines())
        self.stdout.write("\n".join(lines if options["verbosity"] > 1 else lines[-1:]))
