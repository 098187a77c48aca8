"""manage.py processes of a test."""

import subprocess
import sys
from pathlib import Path

PATIENCE = 90  # seconds, for a machine that is busy with other things


class Process(subprocess.Popen):
    """A Python process in a group of its own, with its output in a file."""

    def __init__(self, log: Path, arguments: tuple[str, ...], **options: object) -> None:
        self.log = log
        with log.open("wb") as output:
            command = [sys.executable, *arguments]
            super().__init__(command, start_new_session=True, stdout=output, stderr=subprocess.STDOUT, **options)

    def said(self) -> str:
        """What it printed, once it has ended."""
        self.wait(PATIENCE)
        return self.log.read_text()
