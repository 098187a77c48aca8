"""Finds and reads the tables of a market pack: one file a table, csv, csv.gz or parquet.

Nothing is interpreted here. A csv comes as text, its rows numbered by line, so that `parse` can say where a bad value
stands.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .columns import plain_value
from .csv_tables import UNREADABLE, CsvError, read_csv
from .problems import Problems
from .schema import PACK, RECORD, REFUSED

SUFFIXES = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class Header:
    """The names of a table's columns as they came. Case and spaces around a name say nothing.

    columns: the columns of a pack, each with its name in the source. extra: names that no pack has. repeated: columns
    of a pack that are there more than once.
    """

    names: tuple[str, ...]
    columns: dict[str, str]
    extra: tuple[str, ...]
    repeated: tuple[str, ...]

    @classmethod
    def of(cls, table: str, names: list[str]) -> "Header":
        columns = {name.strip().lower(): name for name in names}
        counts = Counter(name.strip().lower() for name in names)
        known = {column: columns[column] for column in PACK[table] if counts[column] == 1}
        extra = tuple(name for name in names if name.strip().lower() not in PACK[table])
        return cls(tuple(names), known, extra, tuple(column for column in PACK[table] if counts[column] > 1))


@dataclass
class SourceTable:
    """A table as it came, its columns named as a pack names them.

    place: its name to the reader of a report: a file, a collection, a request. lines: gives the line of each row, asked
    for only when a row is to be named. ragged: rows were left out, and reported. records: the name of the record that
    each row came from, where it has one. refused: by row, fields that no column can hold, and what is wrong with them.
    """

    name: str
    place: str
    data: pa.Table
    header: Header
    lines: Callable[[], np.ndarray] | None = None
    in_lines: bool = False
    ragged: bool = False
    records: pa.ChunkedArray | None = None
    refused: dict[int, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, table: pa.Table) -> "SourceTable":
        """A table that was read elsewhere; it may have the columns RECORD and REFUSED."""
        notes = table[REFUSED] if REFUSED in table.column_names else pa.chunked_array([], pa.string())
        refused = {row: json.loads(note) for row, note in enumerate(notes.to_pylist()) if note}
        records = table[RECORD] if RECORD in table.column_names else None
        table = table.select([at for at, column in enumerate(table.column_names) if column not in (RECORD, REFUSED)])
        header = Header.of(name, table.column_names)
        return cls(name, name, _named(table, header), header, records=records, refused=refused)

    @cached_property
    def _line_numbers(self) -> np.ndarray:
        return self.lines() if self.lines else np.arange(1, len(self) + 1)

    def row_numbers(self, rows: np.ndarray) -> list[int]:
        """Rows (0-based) as a person counts them."""
        return self._line_numbers[rows].tolist()

    def row_name(self, row: int) -> str:
        """A row as text: "line 12", "row 3", "document 65e1…"."""
        if self.records is not None:
            return f"document {self.records[row].as_py()}"
        return f"{'line' if self.in_lines else 'row'} {self.row_numbers(np.array([row]))[0]:,}"

    def value(self, row: int, column: str) -> object:
        return plain_value(self.data.column(column)[row]) if column in self.data.column_names else None

    def __len__(self) -> int:
        return self.data.num_rows


def _named(table: pa.Table, header: Header) -> pa.Table:
    """The columns of a pack, by the names that a pack gives them."""
    return table.select(list(header.columns.values())).rename_columns(list(header.columns))


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
        return cls(source, {name: SourceTable.of(name, tables[name]) for name in PACK if name in tables})


def read_pack(folder: Path, problems: Problems, warnings: Problems) -> Pack:
    """The tables in a folder. What cannot be read becomes a problem; a file that is no table, a warning."""
    pack = Pack(str(folder))
    for name in PACK:
        paths = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").exists()]
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            problems.file(name, f"the table is there more than once: {names}", "Keep one of the files")
        elif paths:
            table = _read_table(name, paths[0], problems)
            if table is not None:
                pack.tables[name] = table
    for path in sorted(folder.iterdir()):
        if _looks_like_a_table(path):
            warnings.file(path.name, "no table of a market pack has this name; the file is left out", _names())
    if not pack.tables and not problems:
        problems.file(str(folder), "no table of a market pack is in this folder", _names())
    return pack


def _looks_like_a_table(path: Path) -> bool:
    """A file that is left out, though it may have been meant: CONTRACTS.CSV, contracts.xlsx, notes.csv."""
    name = path.name.lower()
    used = any(path.name == f"{table}{suffix}" for table in PACK for suffix in SUFFIXES)
    return not used and (name.endswith(SUFFIXES) or name.partition(".")[0] in PACK)


def _names() -> str:
    return f"Tables are {', '.join(PACK)}, each as .csv, .csv.gz or .parquet"


def _read_table(name: str, path: Path, problems: Problems) -> SourceTable | None:
    is_parquet = path.suffix == ".parquet"
    if not path.is_file():
        problems.file(path.name, "is a folder, not a file", "Write the table as one file")
        return None
    if path.stat().st_size == 0:
        problems.file(path.name, "the file is empty", "Write a header and rows into it, or remove it")
        return None
    try:
        return _read_parquet(name, path) if is_parquet else _read_csv(name, path, problems)
    except CsvError as error:
        problems.file(path.name, error.message, error.remedy, line=error.line, column=error.column, value=error.value)
    except UnicodeDecodeError:
        problems.file(path.name, "a column's name is not UTF-8", "Write the file again, with names in UTF-8")
    except UNREADABLE as error:
        reason = next(iter(str(error).splitlines()), "").rstrip(". ") or type(error).__name__
        remedy = "Write it without encryption" if "crypt" in reason else "Write the file again"
        kind = "parquet" if is_parquet else "csv (UTF-8, separated by commas)"
        problems.file(path.name, f"cannot be read as {kind}: {reason}", remedy)
    return None


def _read_parquet(name: str, path: Path) -> SourceTable:
    schema = pq.read_schema(path)
    header = Header.of(name, schema.names)
    wanted = list(header.columns.values())
    texts = [column for column in wanted if pa.types.is_string(schema.field(column).type)]
    data = pq.ParquetFile(path, read_dictionary=texts).read(columns=wanted)
    return SourceTable(name, path.name, _named(data, header), header)


def _read_csv(name: str, path: Path, problems: Problems) -> SourceTable:
    table = read_csv(
        path,
        PACK[name],
        lambda names: list(Header.of(name, names).columns.values()),
        multiline=name == "instruments",
    )
    for line, count in table.ragged:
        problems.file(
            path.name,
            f"the line has {count} values, the header has {len(table.names)}",
            "Give each row one value a column, write decimals with a point, and quote values that hold a comma",
            line=line,
        )
    header = Header.of(name, table.names)
    data = _named(table.data, header)
    return SourceTable(name, path.name, data, header, table.lines, in_lines=True, ragged=bool(table.ragged))
