"""How fast market packs are imported and loaded, and how much memory that takes.

    python benchmarks/import_market.py PACK…

Each pack is imported into an empty store and database in a process of its own, then imported again (nothing changes),
then its largest product is loaded. Bar: 500,000 option records a second, below 1.5 GB.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = "{:<16} {:>12} {:>9} {:>12} {:>9} {:>9} {:>9} {:>9}"


def measure(folder: str) -> dict:
    """Runs in a process of its own, with an empty home."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exoweb.settings")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    from exo_registry.market_store import coverage, import_pack, load_market
    from exo_registry.models import Product

    call_command("migrate", verbosity=0)

    def timed(work):
        start = time.perf_counter()
        result = work()
        return result, time.perf_counter() - start

    report, first = timed(lambda: import_pack(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _, again = timed(lambda: import_pack(folder))
    product = max(Product.objects.all(), key=lambda product: coverage(product)["vols"]["rows"])
    market, load = timed(lambda: load_market(product))
    _, late = timed(lambda: load_market(product, since=market.dates[-1]))
    return {
        "rows": sum(report.rows.values()),
        "options": report.rows.get("options_data", 0),
        "first": first,
        "again": again,
        "load": load,
        "since": late,
        "peak": peak,
    }


def main() -> None:
    print(ROW.format("pack", "rows", "import s", "rows/s", "peak MB", "again s", "load s", "since s"))
    for folder in sys.argv[1:] or sys.exit(__doc__):
        with tempfile.TemporaryDirectory() as home:
            environment = {name: value for name, value in os.environ.items() if name != "MARKET_DATA_URI"}
            environment |= {"EXOWEB_HOME": home, "DATABASE_URL": f"sqlite:///{home}/db.sqlite3"}
            command = [sys.executable, __file__, "--measure", folder]
            output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        figures = json.loads(output.splitlines()[-1])
        print(
            ROW.format(
                Path(folder).name,
                f"{figures['rows']:,}",
                f"{figures['first']:.2f}",
                f"{(figures['options'] or figures['rows']) / figures['first']:,.0f}",
                f"{figures['peak']:,.0f}",
                f"{figures['again']:.2f}",
                f"{figures['load']:.2f}",
                f"{figures['since']:.3f}",
            )
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main()
