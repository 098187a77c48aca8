"""Two years of online work by a simulated clock: is each session computed exactly once, and as a backfill would have?

    python benchmarks/online_simulation.py [--days 730] [--seed 1]

Six products in three time zones, with holidays and half days of their exchanges, wrong holiday tables, late bars,
bars sent twice, feeds and a machine that are off for 1 to 10 days, and corrections of old data. The tick runs every
hour and a minute after each arrival. Runs on SQLite in a temporary folder, or on DATABASE_URL (an empty database).
"""

import argparse
import datetime as dt
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"EXOWEB_HOME": home, "DJANGO_SETTINGS_MODULE": "exoweb.settings", "MARKET_DATA_URI": f"{home}/m"}
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{home}/db.sqlite3")
        os.environ.pop("REDIS_URL", None)
        sys.path.insert(0, str(ROOT))
        simulate(options.days, options.seed)


def simulate(days: int, seed: int) -> None:
    import logging

    import django

    django.setup()
    logging.disable(logging.ERROR)
    from django.core.management import call_command

    from exo_registry.models import Event
    from tests.runs.online_world import World

    call_command("migrate", verbosity=0)
    first = dt.date(2023, 1, 2)
    years = max(1, round(days / 365))
    world = World(first, first + dt.timedelta(days=days), seed=seed)
    begun = time.monotonic()
    world.begin()
    world.upset(holidays=2 * years, outages=3 * years, offs=3 * years, corrections=2 * years)
    print(f"{days} days, {len(world.markets)} products, {len(world.held)} series", flush=True)
    world.live()
    lived = time.monotonic() - begun
    figures = world.check()
    tally = world.tally
    print(f"what happened: {json.dumps(tally.kinds, sort_keys=True)}")
    print(f"machine off: {', '.join(str((end - begin).days) for begin, end in sorted(tally.offline))} days")
    print(f"{tally.ticks:,} ticks, {tally.imports:,} imports, {tally.tasks:,} tasks and {tally.twice} of them twice")
    for name, value in figures.items():
        print(f"{name:<32} {value:,}")
    print(f"{'events written':<32} {Event.objects.count():,}")
    print(f"{'seconds':<32} {lived:,.0f}")


if __name__ == "__main__":
    main()
