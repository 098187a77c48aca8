#!/usr/bin/env python
"""Django's command line for exoweb."""

import gc
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exoweb.settings")
    gc.disable()  # nothing that is imported is garbage, and looking for some takes a tenth of a command's start
    import django
    from django.core.management import execute_from_command_line

    from exo_registry.failures import explained

    with explained():
        django.setup()
        gc.freeze()
        gc.enable()
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
    # Not by reaching the file's end: there Python ends itself by SIGINT if an interrupt has ever struck within `exec`
    # (a namedtuple being made), though the command has handled it.
    sys.exit()
