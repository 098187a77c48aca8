"""A short storm: kills, lost tasks and moved clocks during backfills. `python -m tests.load.chaos` makes a long one."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from tests.load.servers import postgres_folder
from tests.paths import ROOT

pytestmark = pytest.mark.slow


def test_backfills_under_fire_give_what_backfills_in_peace_give():
    backend = "sqlite"
    if "postgresql" in settings.DATABASES["default"]["ENGINE"]:
        if postgres_folder() is None or shutil.which("redis-server") is None:
            pytest.skip("needs PostgreSQL's server and redis-server, to start and kill some of its own")
        backend = "postgres"
    command = [sys.executable, "-m", "tests.load.chaos", "--backend", backend, "--kills", "10", "--products", "2"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EXOWEB_", "DJANGO_"))}
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=400)
    figures = json.loads(done.stdout) if done.stdout else {}
    assert done.returncode == 0, f"{figures}\n{done.stderr[-4000:]}"
    assert figures["kills"] == 10
    assert figures["runs"] >= 1
