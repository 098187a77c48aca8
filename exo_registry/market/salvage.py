"""Imports of which single rows may be refused: feeds, where one bad record must not hold up all others."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from .importing import ImportReport, import_tables
from .problems import PackErrors, Problem

# A report names the first problems of a kind only, so many bad rows take several rounds; beyond these, all is refused.
ROUNDS = 25


def import_valid_rows(
    tables: Mapping[str, pa.Table], *, source: str, user=None
) -> tuple[ImportReport | None, dict[str, dict[int, list[Problem]]]]:
    """Import tables without the rows that have problems.

    Returns the report (None if no row was left) and, by table, the refused rows (0-based) with their problems. Raises
    PackErrors for problems that are not of single rows, such as a missing column, or if too many rows are bad.
    """
    left = {name: np.arange(len(table)) for name, table in tables.items()}
    refused: dict[str, dict[int, list[Problem]]] = {}
    for last in [False] * (ROUNDS - 1) + [True]:
        rest = {name: tables[name].take(pa.array(rows)) for name, rows in left.items() if len(rows)}
        if not rest:
            return None, refused
        try:
            return import_tables(rest, source=source, user=user), refused
        except PackErrors as error:
            bad = _bad_rows(error, left)
            if last or not bad:
                raise
        for name, rows in bad.items():
            found = refused.setdefault(name, {})
            for row, problems in rows.items():
                found.setdefault(int(left[name][row]), []).extend(problems)
            left[name] = np.delete(left[name], list(rows))
    raise AssertionError("not reached")


def _bad_rows(error: PackErrors, left: Mapping[str, np.ndarray]) -> dict[str, dict[int, list[Problem]]]:
    """Rows (of what was tried) by table; empty if a problem is not one of a row."""
    bad: dict[str, dict[int, list[Problem]]] = {}
    for problem in error.problems:
        if problem.row is None or problem.file not in left:
            return {}
        bad.setdefault(problem.file, {}).setdefault(problem.row - 1, []).append(problem)
    return bad
