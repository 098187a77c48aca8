"""What is wrong with a pack, in sentences that let its author fix it: all of it in one report."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exo_registry.failures import MarketDataError

if TYPE_CHECKING:
    from .pack import SourceTable

# Problems of one kind, in one column of one file, that are listed in full; the rest are counted.
SHOWN = 20
# Characters of a value that a message shows.
LONGEST_VALUE = 100


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `row` counts as a person does: the line of a csv, header included; the row of a parquet file.

    row_name: the same as text, or the name of the record that the row came from.
    """

    file: str
    row: int | None
    column: str
    value: object
    message: str
    remedy: str
    row_name: str = ""

    def __str__(self) -> str:
        place = ", ".join(filter(None, (self.file, self.row_name, self.column)))
        if self.value is not None:
            shown = repr(self.value)
            place += f" = {shown if len(shown) <= LONGEST_VALUE else shown[:LONGEST_VALUE] + ' …'}"
        return f"{place}: {self.message}. {self.remedy}."


class Problems:
    """Collects problems. Every one is counted; of each kind, in one column of one file, the first SHOWN are kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], list[Problem]] = {}
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def __len__(self) -> int:
        return self.counts.total()

    def __iter__(self):
        for kept in self._kept.values():
            yield from kept

    def file(
        self,
        file: str,
        message: str,
        remedy: str,
        *,
        column: str = "",
        value: object = None,
        line: int | None = None,
    ) -> None:
        """A problem of a whole file, or of one line that never became a row."""
        kind = message if line is None else remedy
        shown = len(self._kept.get((file, column, kind), ())) < SHOWN
        row_name = "" if line is None else f"line {line:,}"
        shown_problems = [Problem(file, line, column, value, message, remedy, row_name)] if shown else []
        self._keep(file, column, kind, 1, shown_problems)

    def rows(
        self,
        source: "SourceTable",
        rows: Iterable[int],
        column: str,
        message: str | Callable[[int], str],
        remedy: str,
        value: Callable[[int], object] | None = None,
        kind: str = "",
    ) -> None:
        """Problems of rows (0-based) of a SourceTable. `message` and `value` may depend on the row."""
        rows = np.asarray(rows, np.int64)
        if not len(rows):
            return
        key = (source.place, column, kind or (message if isinstance(message, str) else remedy))
        first = rows[: max(0, SHOWN - len(self._kept.get(key, ())))]
        value = value or (lambda row: source.value(row, column))
        shown_problems = [
            Problem(
                source.place,
                number,
                column,
                value(row),
                message if isinstance(message, str) else message(row),
                remedy,
                source.row_name(row),
            )
            for row, number in zip(first.tolist(), source.row_numbers(first), strict=True)
        ]
        self._keep(*key, len(rows), shown_problems)

    def _keep(self, file: str, column: str, kind: str, count: int, shown_problems: list[Problem]) -> None:
        self.counts[file, column, kind] += count
        self._kept.setdefault((file, column, kind), []).extend(shown_problems)

    def lines(self) -> list[str]:
        """The report, a line a problem, and a line for those of a kind that are only counted."""
        lines = []
        for (file, column, kind), kept in self._kept.items():
            lines += [str(problem) for problem in kept]
            if more := self.counts[file, column, kind] - len(kept):
                where = f"{file}, {column}" if column else file
                lines.append(f"{where}: {more:,} more like the last one.")
        return lines


class PackErrors(MarketDataError):
    """A pack that was refused; the store is as it was. `problems` are in the order of the tables."""

    def __init__(self, source: str, problems: Problems):
        self.source = source
        self.problems: list[Problem] = list(problems)
        self.count = len(problems)
        self.lines = problems.lines()
        noun = "problem" if self.count == 1 else "problems"
        super().__init__(f"{source}: {self.count:,} {noun}; nothing was imported.\n" + "\n".join(self.lines))
