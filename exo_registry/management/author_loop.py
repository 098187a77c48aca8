"""`runexo --watch`: definitions are checked and computed whenever their code is saved. Nothing is stored."""

import os
import sys
import time
from collections.abc import Callable, Sequence

from exo_registry.code import loaded_code
from exo_registry.definitions import catalogue, check
from exo_registry.formats.text import counted
from exo_registry.models import Definition, Product
from exo_registry.runs import scratch
from exo_registry.templatetags.exoweb import number, signed

EVERY = 0.3  # seconds between looks at the files


def watch(definitions: Sequence[Definition], products: Sequence[Product], say: Callable[[str], None]) -> None:
    """Check and compute, then again after each change of code, until a KeyboardInterrupt.

    Market data is read once. A change of the engine starts the command again: it cannot be exchanged while it runs.
    """
    samples = check.Samples(scratch.TWO_YEARS)
    computed: dict[str, scratch.Scratch] = {}
    seen: dict[int, str] = {}
    while True:
        if loaded_code.outdated():
            say("The engine's code changed: starting again.")
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command
        for definition in definitions:
            if seen.get(definition.pk) != (code := code_of(definition)):
                seen[definition.pk] = code
                definition.refresh_from_db()
                for line in report(definition, products, samples, computed):
                    say(line)
                say(f"Watching {definition.algorithm}; nothing is stored. Ctrl-C ends.")
        time.sleep(EVERY)


def code_of(definition: Definition) -> str:
    """What changes with the definition's code on disk: its hash, or why it has none."""
    try:
        return catalogue.source_hash(definition.algorithm)
    except catalogue.CatalogueError as error:
        return str(error)


def report(
    definition: Definition,
    products: Sequence[Product],
    samples: check.Samples,
    computed: dict[str, scratch.Scratch],
) -> list[str]:
    """What the check says, and each series with its statistics and what changed; `computed` is brought up to date."""
    loaded_code.refresh()
    problems = check.problems(definition, samples)
    lines = ["", f"{time.strftime('%H:%M:%S')} {definition}: {'check passed' if not problems else 'check failed'}"]
    lines += [f"  {problem}" for problem in problems]
    try:
        results = list(scratch.series(definition, samples, products))
    except catalogue.CatalogueError as error:
        return lines if problems else [*lines, f"  {error}"]
    for series in results:
        if isinstance(series, str):
            lines.append(series)
            continue
        lines += [*describe(series), *changes(computed.get(series.name), series)]
        computed[series.name] = series
    return lines


def describe(series: scratch.Scratch) -> list[str]:
    """A series' span and key figures."""
    figures, gaps = series.performance, len(series.result.gaps)
    rows = [
        (f"profit, {series.currency}", signed(figures.profit, 0)),
        ("Sharpe", number(figures.sharpe)),
        ("Calmar", number(figures.calmar)),
        ("max drawdown", number(figures.max_drawdown, 0)),
        ("trades", number(figures.trades, 0)),
        ("costs", number(figures.costs, 0)),
    ]
    return [
        f"{series.name}: {series.first} to {series.last}, {counted(figures.points, 'session')}"
        + (f", {counted(gaps, 'gap')}; last: {series.result.gaps[-1][1]}" if gaps else ""),
        "  " + "   ".join(f"{label} {value}" for label, value in rows),
    ]


def changes(before: scratch.Scratch | None, after: scratch.Scratch) -> list[str]:
    """What differs from the computation before; nothing for the first one."""
    if before is None:
        return []
    change = scratch.change(before, after)
    if not change.sessions:
        return ["  unchanged"]
    return [
        f"  changed: {counted(change.sessions, 'session')} from {change.first} on, "
        f"profit {signed(change.profit, 0)}, trades {signed(change.trades, 0)}"
    ]
