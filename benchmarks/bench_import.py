"""How fast market packs are imported and loaded, and how much memory that takes.

    python benchmarks/bench_import.py [PACK…]

Each pack is imported into an empty store and database in a process of its own, then imported again (nothing changes),
then its largest product is loaded, and loaded for its newest session alone. Bar: 500,000 option records a second,
below 1.5 GB.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import report


def main() -> None:
    parser = report.arguments(__doc__)
    parser.add_argument("packs", nargs="*", type=Path, default=[report.ES_MODELLED], help="Market packs.")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child)))
        return
    figures = {}
    for folder in options.packs:
        report.needs_pack(folder)
        with report.empty_home() as environment:
            command = [sys.executable, __file__, "--child", str(folder)]
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        figures[folder.name] = json.loads(done.stdout.splitlines()[-1])
    header = ["pack", *next(iter(figures.values()))]
    report.table(header, [[name, *measured.values()] for name, measured in figures.items()])
    report.write("import", figures, options.json)


def measure(folder: Path) -> dict:
    report.django_here(os.environ)
    from exo_registry.market import coverage, import_pack, load_market
    from exo_registry.models import Product

    imported, first = timed(lambda: import_pack(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _, again = timed(lambda: import_pack(folder))
    product = max(Product.objects.all(), key=lambda product: coverage(product)["vols"]["rows"])
    market, load = timed(lambda: load_market(product))
    _, late = timed(lambda: load_market(product, since=market.dates[-1]))
    counted = imported.rows.get("options_data") or sum(imported.rows.values())
    return {
        "rows": sum(imported.rows.values()),
        "import s": first,
        "rows/s": counted / first,
        "peak MB": peak,
        "again s": again,
        "load s": load,
        "newest s": late,
    }


def timed(work) -> tuple:
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


if __name__ == "__main__":
    main()
