"""Imports of which single rows may be refused: feeds, where one bad record must not hold up all others."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from django.contrib.auth.models import User

from exo_registry.formats.text import counted

from .importing import ImportReport, Progress, import_tables
from .problems import PackErrors, Problem
from .references import NO_SUCH

# A report names the first problems of a kind only, so many bad rows take several rounds; beyond these, all is refused.
ROUNDS = 25
DEPENDS = "refers to a record that was refused"

# By table, the rows (0-based) that were refused, with their problems.
Refused = dict[str, dict[int, list[Problem]]]


def import_valid_rows(
    tables: Mapping[str, pa.Table],
    *,
    source: str,
    user: User | None = None,
    activate: bool = False,
    progress: Progress | None = None,
) -> tuple[ImportReport | None, Refused]:
    """Import tables without the rows that have problems; otherwise as `import_tables`.

    Returns the report (None if no row was left) and, by table, the refused rows (0-based) with their problems. Raises
    PackErrors for problems that are not of single rows, such as a missing column, or if too many rows are bad.
    """
    left = {name: np.arange(len(table)) for name, table in tables.items()}
    refused: Refused = {}
    for round_ in range(ROUNDS):
        rest = {
            name: table if len(left[name]) == len(table) else table.take(pa.array(left[name]))
            for name, table in tables.items()
            if len(left[name])
        }
        if not rest:
            return None, refused
        try:
            return import_tables(rest, source=source, user=user, activate=activate, progress=progress), refused
        except PackErrors as error:
            bad = _bad_rows(error, left)
            if round_ == ROUNDS - 1 or not bad:
                raise
        for name, rows in bad.items():
            refused_rows = refused.setdefault(name, {})
            for row, problems in rows.items():
                refused_rows.setdefault(int(left[name][row]), []).extend(
                    map(_as_consequence, problems) if round_ else problems
                )
            left[name] = np.delete(left[name], list(rows))
    raise AssertionError("not reached")


def _as_consequence(problem: Problem) -> Problem:
    """A name that is unknown once records with problems are left out is that of one of them."""
    if problem.message not in NO_SUCH.values():
        return problem
    return replace(problem, message=DEPENDS, remedy="Correct that one")


def refused_text(source: str, report: ImportReport | None, refused: Refused, most: int) -> str:
    """What was refused, as text, with the first `most` problems; empty if nothing was."""
    count = sum(len(rows) for rows in refused.values())
    if not count:
        return ""
    problems = [problem for rows in refused.values() for of_row in rows.values() for problem in of_row]
    lines = [str(problem) for problem in problems if problem.message != DEPENDS]
    depend = len(problems) - len(lines)
    if len(lines) > most:
        lines[most:] = [f"and {counted(len(lines) - most, 'more problem')}."]
    if depend:
        lines.append(f"{counted(depend, 'of them refers', 'of them refer')} to another one that was refused.")
    head = counted(count, "record was", "records were")
    rest = "the others were imported" if report else "nothing was imported"
    return "\n".join([f"{source}: {head} refused; {rest}.", *lines])


def _bad_rows(error: PackErrors, left: Mapping[str, np.ndarray]) -> dict[str, dict[int, list[Problem]]]:
    """Rows (of what was tried) by table; empty if a problem is not one of a row."""
    bad: dict[str, dict[int, list[Problem]]] = {}
    for problem in error.problems:
        if problem.row is None or problem.file not in left:
            return {}
        bad.setdefault(problem.file, {}).setdefault(problem.row - 1, []).append(problem)
    return bad
