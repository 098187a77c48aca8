"""Finds and reads the tables of a market pack: one file a table, csv, csv.gz or parquet.

Nothing is interpreted here. A csv comes as text, its rows numbered by line, so that `parse` can say where a bad value
stands.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .problems import Problems
from .schema import PACK

SUFFIXES = (".csv", ".csv.gz", ".parquet")
TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass
class SourceTable:
    """A table as it came.

    place: its name to the reader of a report: a file, a collection, a request. extra: columns that no pack has.
    lines: gives the line of each row, asked for only when a row is to be named.
    """

    name: str
    place: str
    data: pa.Table
    extra: tuple[str, ...] = ()
    lines: Callable[[], np.ndarray] | None = None
    in_lines: bool = False

    @cached_property
    def _line_numbers(self) -> np.ndarray:
        return self.lines()

    def row_numbers(self, rows: np.ndarray) -> list[int]:
        """Rows (0-based) as a person counts them."""
        return (self._line_numbers[rows] if self.lines else rows + 1).tolist()

    def row_numbers_of(self, rows: list[int]) -> list[str]:
        """The same, in words: "line 12"."""
        word = "line" if self.in_lines else "row"
        return [f"{word} {number:,}" for number in self.row_numbers(np.asarray(rows, np.int64))]

    def value(self, row: int, column: str) -> object:
        return self.data.column(column)[row].as_py() if column in self.data.column_names else None

    def __len__(self) -> int:
        return self.data.num_rows


@dataclass
class Pack:
    """Tables by name, and where they came from."""

    source: str
    tables: dict[str, SourceTable] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table], source: str) -> "Pack":
        """A pack of Arrow tables from anywhere. Raises ValueError for a name that no table has."""
        if unknown := set(tables) - set(PACK):
            raise ValueError(f"no such tables: {', '.join(sorted(unknown))}; there are {', '.join(PACK)}")
        return cls(source, {name: SourceTable(name, name, tables[name]) for name in PACK if name in tables})


def read_pack(folder: Path, problems: Problems, warnings: Problems) -> Pack:
    """The tables in a folder. What cannot be read becomes a problem; a file that is no table, a warning."""
    pack = Pack(str(folder))
    for name in PACK:
        paths = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            problems.file(name, f"the table is there more than once: {names}", "Keep one of the files")
        elif paths:
            table = _read_table(name, paths[0], problems)
            if table is not None:
                pack.tables[name] = table
    for path in sorted(folder.iterdir()):
        if path.name.endswith(SUFFIXES) and path.name.split(".")[0] not in PACK:
            warnings.file(path.name, "no table of a market pack has this name; the file is left out", _names())
    if not pack.tables and not problems:
        problems.file(str(folder), "no table of a market pack is in this folder", _names())
    return pack


def _names() -> str:
    return f"Tables are {', '.join(PACK)}, each as .csv, .csv.gz or .parquet"


def _read_table(name: str, path: Path, problems: Problems) -> SourceTable | None:
    if path.stat().st_size == 0:
        problems.file(path.name, "the file is empty", "Write a header and rows into it, or remove it")
        return None
    try:
        if path.suffix == ".parquet":
            return _read_parquet(name, path)
        return _read_csv(name, path, problems)
    except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        kind = "parquet" if path.suffix == ".parquet" else "csv (UTF-8, separated by commas)"
        problems.file(path.name, f"cannot be read as {kind}: {error}", "Write the file again")
        return None


def _read_parquet(name: str, path: Path) -> SourceTable:
    schema = pq.read_schema(path)
    known = [column for column in schema.names if column in PACK[name]]
    extra = tuple(column for column in schema.names if column not in PACK[name])
    texts = [column for column in known if pa.types.is_string(schema.field(column).type)]
    return SourceTable(name, path.name, pq.ParquetFile(path, read_dictionary=texts).read(columns=known), extra)


def _open(path: Path) -> TextIO:
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _read_csv(name: str, path: Path, problems: Problems) -> SourceTable | None:
    with _open(path) as file:
        header = next(csv.reader(file), [])
    if twice := sorted({column for column in header if header.count(column) > 1}):
        problems.file(path.name, f"column {twice[0]} is in the header twice", "Keep one of them", column=twice[0])
        return None
    ragged = []

    def skip(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    data = pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(block_size=16 << 20),
        parse_options=pacsv.ParseOptions(newlines_in_values=name == "instruments", invalid_row_handler=skip),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(header, TEXT),
            include_columns=[column for column in header if column in PACK[name]],
        ),
    )
    if ragged:
        for line, count in _ragged_lines(path, len(header)):
            problems.file(
                path.name,
                f"the line has {count} values, the header has {len(header)}",
                "Give each row one value a column, and quote values that hold a comma",
                line=line,
            )
    data = data.select([column for column in data.column_names if column in PACK[name]])  # all, if none was known
    extra = tuple(column for column in header if column not in PACK[name])
    numbers = lambda: _line_numbers(path, data.num_rows, len(header))  # noqa: E731
    return SourceTable(name, path.name, data, extra, numbers, in_lines=True)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line on which the record starts, its values), blank lines passed over, header left out."""
    with _open(path) as file:
        reader = csv.reader(file)
        next(reader, None)
        start = reader.line_num + 1
        for record in reader:
            if record:
                yield start, record
            start = reader.line_num + 1


def _ragged_lines(path: Path, columns: int) -> list[tuple[int, int]]:
    return [(line, len(record)) for line, record in _records(path) if len(record) != columns]


def _line_numbers(path: Path, rows: int, columns: int) -> np.ndarray:
    """The line of each row that was read. Blank lines and values of several lines make it more than row + 2."""
    lines = np.fromiter((line for line, record in _records(path) if len(record) == columns), np.int64)
    return lines if len(lines) == rows else np.arange(2, rows + 2)
