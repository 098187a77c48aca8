"""The engine alone: microseconds a session of each strategy, on ten years of ES in memory, on one core.

    python benchmarks/bench_engine.py [PACK]

Cold: the market has valued nothing yet, as for the first series of a product. Warm: another series has valued the
same contracts before. Processor time, the least of several runs, with the garbage collector paused as in a worker.

Growth: the same ten years computed in pieces of 1, 2, 5 and 10 years, each on a market of those years alone and from
the state before it. What is traded is the same, so a cost that grows with the length of history shows as a difference.

Bars: 10 µs for ContFut and the plain EXOs, 35 µs for regime spreads, growth within 15 %.
"""

import datetime as dt
import gc
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import report

YEARS = (1, 2, 5, 10)
GROWN = ("ContFut", "BullishCollarBW", "IchiSpread", "SwingNeutral")


def main() -> None:
    parser = report.arguments(__doc__)
    parser.add_argument("pack", nargs="?", type=Path, default=report.ES_MODELLED, help="A market pack.")
    parser.add_argument("--repeat", type=int, default=5, help="Runs of which the quickest counts.")
    options = parser.parse_args()
    report.needs_pack(options.pack)
    with report.empty_home() as environment:
        report.manage("importmarket", options.pack, "--activate", environment=environment)
        report.manage("importregistry", report.REGISTRY, environment=environment)
        report.django_here(environment)
        figures = measure(options.repeat)
    report.write("engine", figures, options.json)


def measure(repeat: int) -> dict:
    from algorithms.engine import run
    from exo_registry.market import load_market
    from exo_registry.models import Series
    from exo_registry.series import lineage

    series = Series.objects.select_related("definition", "product").order_by("name")
    product = max((row.product for row in series), key=lambda product: product.exchangesymbol == "ES")
    market = load_market(product)
    strategies = {row.name.partition("_")[2]: lineage.algorithm_of(row) for row in series if row.product == product}
    read = {"ContFut": history(run(strategies["ContFut"], market, first=report.FIRST))}
    print(f"{product.exchangesymbol}: {len(market.dates):,} sessions, {len(market.tables()[4].day):,} rates")
    return {"strategies": compare(strategies, market, read, repeat), "growth": growth(strategies, market, read, repeat)}


def history(result):
    from algorithms.engine import History

    dates = np.array([point.date for point in result.points], "datetime64[D]")
    return History(dates, np.array([point.exo for point in result.points]))


def fresh(market):
    """The same market with nothing valued yet, and its contracts numbered, as they are by the first state read."""
    again = type(market)(market.rules, *market.tables())
    again.number(again.names[0])
    return again


def least(repeat: int, work: Callable[[], object]) -> float:
    """Processor seconds of the quickest of several runs, the collector paused."""
    best = float("inf")
    gc.collect()
    gc.disable()
    for _ in range(repeat):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    gc.enable()
    return best


def compare(strategies: dict, market, read: dict, repeat: int) -> dict:
    from algorithms.engine import run

    costs_by_label, rows = {}, []
    for label, algorithm in strategies.items():
        colds = [fresh(market) for _ in range(repeat)]
        result = run(algorithm, market, histories=read)
        cold = least(repeat, lambda algorithm=algorithm, colds=colds: run(algorithm, colds.pop(), histories=read))
        warm = least(repeat, lambda algorithm=algorithm: run(algorithm, market, histories=read))
        scale = 1e6 / len(market.dates)
        costs_by_label[label] = {"cold_us": cold * scale, "warm_us": warm * scale, "trades": len(result.trades)}
        rows.append([label, cold * scale, warm * scale, len(result.trades), len(result.gaps)])
    report.table(["strategy", "cold µs/session", "warm µs/session", "trades", "gaps"], rows)
    return costs_by_label


def growth(strategies: dict, market, read: dict, repeat: int) -> dict:
    """Cold cost a session, by years of history."""
    costs_by_label, rows = {}, []
    pieces = {years: [cut(market, n, n + years) for n in range(0, YEARS[-1], years)] for years in YEARS}
    for label in GROWN:
        work = {years: [Piece(strategies[label], market, read, *piece) for piece in pieces[years]] for years in YEARS}
        for _ in range(repeat):  # all lengths in turn, so that a slow moment meets each of them
            gc.collect()
            for piece in itertools.chain(*work.values()):
                piece.measure()
        costs = {
            years: sum(part.seconds for part in parts) * 1e6 / sum(part.sessions for part in parts)
            for years, parts in work.items()
        }
        spread = max(costs.values()) / min(costs.values()) - 1.0
        costs_by_label[label] = {"us_by_years": costs, "spread": spread}
        rows.append([label, *costs.values(), f"{spread:.0%}"])
    report.table(["cold µs/session", *(f"{years} years" for years in YEARS), "spread"], rows)
    return costs_by_label


class Piece:
    """A strategy over some years, on a market of those years alone."""

    def __init__(self, algorithm, market, read: dict, part, first: dt.date, end: dt.date) -> None:
        from algorithms.engine import History, run

        self.algorithm, self.part = algorithm, part
        day, last = dt.timedelta(days=1), np.datetime64(end)
        self.span = {"first": first, "last": end - day}
        state = run(algorithm, market, last=first - day, histories=read).state
        self.state = json.dumps(state)
        known = {label: history.dates < last for label, history in read.items()}
        if state is not None:
            known = {
                label: known[label] & (history.dates > np.datetime64(state["session"]))
                for label, history in read.items()
            }
        self.read = {
            label: History(history.dates[known[label]], history.values[known[label]]) for label, history in read.items()
        }
        self.seconds = float("inf")
        self.sessions = sum(first <= date < end for date in part.dates)

    def measure(self) -> None:
        from algorithms.engine import run

        gc.disable()
        for part in [fresh(self.part), fresh(self.part)]:  # the first run brings the code into the processor's cache
            state = json.loads(self.state)
            begin = time.process_time()
            run(self.algorithm, part, **self.span, state=state, histories=self.read)
            self.seconds = min(self.seconds, time.process_time() - begin)
        gc.enable()


def cut(market, low: int, high: int) -> tuple:
    """The market of some years alone, from two months before on for the values that are known by then; the years."""
    from algorithms.engine.tables import Bars, Options, Vols, day_number

    futures, bars, options, vols, rates, calendar = market.tables()
    first, end = (market.dates[0].replace(year=market.dates[0].year + years) for years in (low, high))
    low, high = day_number(first) - 60, day_number(end)
    listed = np.zeros(len(options.name), bool)
    listed[vols.option[(vols.day >= low) & (vols.day < high)]] = True
    inside, known = (bars.day >= low) & (bars.day < high), listed[vols.option] & (vols.day >= low) & (vols.day < high)
    part = type(market)(
        market.rules,
        futures,
        Bars(*(column[inside] for column in vars(bars).values())),
        Options(*(column[listed] for column in vars(options).values())),
        Vols((np.cumsum(listed) - 1)[vols.option[known]].astype(np.int32), vols.day[known], vols.vol[known]),
        rates,
        calendar,
    )
    return part, first, end


if __name__ == "__main__":
    main()
