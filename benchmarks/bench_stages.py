"""All in: `manage.py runexo ES -B 2011-06-01 --reset` with the EXOs of registry.yaml, by stage, in its own process.

    python benchmarks/bench_stages.py [PACK]

import: Python, Django and the packages, up to the command's first line. load: market data from the store. compute:
the engine. store: rows into the database. other: the plan, claiming steps, ending the run. First: into empty tables.
Again: everything computed once more and compared with what is stored. Stages are seconds by the clock; processor is
what the process used of the processors, which other work on the machine disturbs less.

Bars: under 5 s on two processors, and storing not the largest stage.
"""

import argparse
import io
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import report

STAGES = ("import", "load", "compute", "store", "other")


def main() -> None:
    parser = report.arguments(__doc__)
    parser.add_argument("pack", nargs="?", type=Path, default=report.ES_MODELLED, help="A market pack.")
    parser.add_argument("--symbol", default="ES", help="The product to compute.")
    parser.add_argument("--repeat", type=int, default=3, help="Runs of which the quickest counts.")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child, options.symbol)
    report.needs_pack(options.pack)
    first, again = [], []
    for _ in range(options.repeat):
        with report.empty_home() as environment:
            begin = time.perf_counter()
            report.manage("importmarket", options.pack, "--activate", environment=environment)
            imported = time.perf_counter() - begin
            report.manage("importregistry", report.REGISTRY, environment=environment)
            first.append(run(options.symbol, environment) | {"importmarket": imported})
            again.append(run(options.symbol, environment))
    figures = {"first": min(first, key=total), "again": min(again, key=total)}
    rows = [
        [name, *(figures[which][name] for which in figures)]
        for name in (*STAGES, "total", "processor", "peak MB", "series")
    ]
    report.table(["seconds", *figures], rows)
    print(f"importmarket of the pack, once, before: {min(seconds['importmarket'] for seconds in first):.1f} s\n")
    report.write("stages", figures, options.json)
    return None


def total(figures: dict) -> float:
    return figures["total"]


def run(symbol: str, environment: dict) -> dict:
    """One run in a process of its own; seconds by stage, which add up to the total as seen from outside."""
    begin = time.monotonic()
    command = [sys.executable, __file__, "--child", str(begin), "--symbol", symbol]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    figures["total"] = time.monotonic() - begin
    figures["other"] = figures["total"] - sum(figures[name] for name in STAGES if name != "other")
    return figures


def child(begin: float, symbol: str) -> None:
    report.django_here(os.environ)
    from django.core.management import call_command, load_command_class

    command = load_command_class("exo_registry", "runexo")
    imported = time.monotonic() - begin
    output = io.StringIO()
    call_command(command, symbol, "-B", report.FIRST.isoformat(), "--reset", verbosity=2, stdout=output)
    seconds = {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+) s\b", output.getvalue())}
    figures = {name: seconds[name] for name in ("load", "compute", "store")}
    series = int(re.search(r"(\d+) series", output.getvalue())[1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures |= {"import": imported, "processor": used.ru_utime + used.ru_stime, "peak MB": used.ru_maxrss / 1024}
    print(json.dumps(figures | {"series": series}))


if __name__ == "__main__":
    main()
