"""Backfills under fire: processes killed, servers restarted, tasks lost or doubled, clocks moved.

    python -m tests.load.chaos --backend sqlite --kills 100
    python -m tests.load.chaos --backend postgres --kills 100      # with a Redis; both are servers of its own

Every run under fire must give, byte for byte, what a run in peace gave; no step may be stuck for longer than twice
the lease; and the log must tell of every attempt. Prints figures as JSON; exit status 1 if something is wrong.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.paths import ROOT

from .servers import Postgres, Redis


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--products", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=400)
    parser.add_argument("--pause", type=float, default=0.003, help="seconds a session of a slow strategy takes")
    parser.add_argument("--keep", action="store_true", help="keep the folder, with database and logs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="exoweb-chaos-"))
    with contextlib.ExitStack() as stack:
        if not options.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("DATABASE_URL", "REDIS_URL", "MARKET_DATA_URI", "Q_CLUSTER_NAME"):
            os.environ.pop(name, None)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.load.settings",
            "EXOWEB_HOME": str(folder / "home"),
            "EXOWEB_WORKERS": "2",
        }
        postgres = redis = None
        if options.backend == "postgres":
            postgres, redis = Postgres(folder), Redis(folder)
            stack.callback(postgres.stop)
            stack.callback(redis.stop)
            os.environ |= {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        import django

        django.setup()
        from .storm import Storm

        storm = Storm(options, folder, postgres, redis)
        storm.prepare()
        log = stack.enter_context((folder / "workers.log").open("wb"))
        workers = subprocess.Popen(
            [sys.executable, "manage.py", "workers"],
            cwd=ROOT,
            env=os.environ | {"CHAOS_PAUSE": str(options.pause)},
            stdout=log,
            stderr=log,
        )
        try:
            figures = storm.rage(workers)
        finally:
            workers.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                workers.wait(60)
            workers.kill()
        print(json.dumps(figures, indent=2, default=str))
        if not figures["ok"]:
            print((folder / "workers.log").read_text(errors="replace")[-4000:], file=sys.stderr)
        return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
