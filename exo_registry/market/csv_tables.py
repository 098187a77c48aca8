"""Reads one csv or csv.gz of a market pack as text, and says what is wrong with a file that is no such csv.

A csv is UTF-8, separated by commas, with a header. Anything else that a spreadsheet may have saved is recognised and
named, with what to do; nothing is guessed.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from .columns import TEXT, spread

HEAD = 1 << 16  # bytes that are looked at before a file is read
BLOCK = 16 << 20
UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException, csv.Error)
SAVE = "Save it as CSV UTF-8, separated by commas"
OTHER_FILES = {
    b"\xff\xfe\0\0": ("the file is in UTF-32, not in UTF-8", SAVE),
    b"\xff\xfe": ("the file is in UTF-16, not in UTF-8", SAVE),
    b"\xfe\xff": ("the file is in UTF-16, not in UTF-8", SAVE),
    b"PK\x03\x04": ("the file is a spreadsheet or a zip archive, not a csv", SAVE),
    b"\x1f\x8b": ("the file is compressed, which its name does not say", "Name it .csv.gz"),
    b"PAR1": ("the file is Parquet, which its name does not say", "Name it .parquet"),
}
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# A value may be of any length: a lost quotation mark makes one of a whole file, and is to be named.
csv.field_size_limit(1 << 30)


class CsvError(ValueError):
    """A file that is not read: message, remedy, and where they are known, line, column and value."""

    def __init__(self, message: str, remedy: str, line: int | None = None, column: str = "", value: object = None):
        super().__init__(message)
        self.message, self.remedy, self.line, self.column, self.value = message, remedy, line, column, value


@dataclass
class CsvTable:
    """names: the header. data: the wanted columns, as text. lines: gives the line of each row.

    ragged: (line, number of values) of the lines that have more or fewer values than the header, and are not in data.
    """

    names: list[str]
    data: pa.Table
    lines: Callable[[], np.ndarray]
    ragged: list[tuple[int, int]] = field(default_factory=list)


def read_csv(
    path: Path, columns: Iterable[str], wanted: Callable[[list[str]], list[str]], *, multiline: bool
) -> CsvTable:
    """The columns of a csv that `wanted` picks from its header. `columns`: all that the table may have.

    Lines without any value are passed over. multiline: values may have line breaks in them (which is slower). Raises
    CsvError, or one of UNREADABLE.
    """
    names = _header(path, set(columns))
    picked = wanted(names)
    if not picked or next(_records(path), None) is None:
        return CsvTable(names, pa.table({name: pa.array([], TEXT) for name in picked}), lambda: np.array([], np.int64))
    try:
        data, is_ragged = _parsed(path, names, picked, multiline), False
    except pa.ArrowInvalid:
        _explain(path, names)
        data, is_ragged = _parsed(path, names, picked, multiline, skip_ragged=True), True
    if any(_has_line_break(column) for column in data.columns):
        _check_quotes(path)
    ragged = []
    if is_ragged:
        ragged = [(line, len(row)) for line, row in _records(path) if len(row) != len(names)]
        if len(_blank_records(path, len(names))) != len(data):
            raise CsvError("the lines cannot be separated; a quotation mark is misplaced", "Write the file again")
    data, lines = _without_blank_rows(path, data, len(names))
    return CsvTable(names, data, lines, ragged)


def _parsed(path: Path, names: list[str], picked: list[str], multiline: bool, skip_ragged: bool = False) -> pa.Table:
    skip = (lambda row: "skip") if skip_ragged else None
    return pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(block_size=BLOCK),
        parse_options=pacsv.ParseOptions(newlines_in_values=multiline, invalid_row_handler=skip),
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, TEXT), include_columns=picked),
    ).select(picked)


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _text(path: Path) -> io.TextIOWrapper:
    """For counting and explaining: a byte that is not UTF-8 does not end it."""
    return io.TextIOWrapper(_open(path), encoding="utf-8-sig", errors="surrogateescape", newline="")


def _header(path: Path, columns: set[str]) -> list[str]:
    with _open(path) as file:
        head = file.read(HEAD)
    for start, (message, remedy) in OTHER_FILES.items():
        if head.startswith(start):
            raise CsvError(message, remedy)
    first = re.split(rb"[\r\n]", head.strip(b"\r\n"), maxsplit=1)[0]
    if b"\0" in first:
        raise CsvError("the header has NUL bytes in it, as UTF-16 has, which is not UTF-8", SAVE)
    with _text(path) as file:
        names = next(filter(None, csv.reader(file)), [])
    if not names:
        raise CsvError("the file is empty", "Write a header and rows into it, or remove it")
    if not all(_is_utf8(name) for name in names):
        raise CsvError("the header is not UTF-8", SAVE, line=1)
    if len(names) == 1 and names[0].lower().startswith("sep="):
        raise CsvError(f"the first line is {names[0]!r}, which only Excel reads", f"Leave it out. {SAVE}", line=1)
    for separator, noun in SEPARATORS.items():
        split = [name.strip().lower() for name in next(csv.reader(names, delimiter=separator), [])]
        if len(columns.intersection(split)) > len(columns.intersection(name.strip().lower() for name in names)):
            raise CsvError(f"the values are separated by {noun}, not by commas", f"{SAVE}, with decimal points")
    return names


def _is_utf8(text: str) -> bool:
    """Whether text read with surrogateescape was UTF-8."""
    return not re.search("[\ud800-\udfff]", text)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line on which the record starts, its values) below the header; those without any value are passed over."""
    with _text(path) as file:
        reader = csv.reader(file)
        next(filter(None, reader), None)
        start = reader.line_num + 1
        for record in reader:
            if any(value.strip() for value in record):
                yield start, record
            start = reader.line_num + 1


def _without_blank_rows(path: Path, data: pa.Table, width: int) -> tuple[pa.Table, Callable[[], np.ndarray]]:
    """The rows that have a value in any column, and what gives their lines."""
    blank = np.ones(len(data), bool)
    for column in data.columns:
        blank &= _blanks(column)
    if blank.any() and width > data.num_columns:  # a column that is left out may have a value there
        records = _blank_records(path, width)
        blank &= records if len(records) == len(blank) else False
    if blank.any():
        data = data.filter(pa.array(~blank))

    def lines() -> np.ndarray:
        numbers = np.fromiter((line for line, record in _records(path) if len(record) == width), np.int64)
        return numbers if len(numbers) == len(data) else np.arange(2, len(data) + 2)

    return data, lines


def _blanks(column: pa.ChunkedArray) -> np.ndarray:
    """Which rows have no value in a column of TEXT."""
    parts = [np.zeros(0, bool)]
    for chunk in column.chunks:
        blank = pc.equal(pc.utf8_trim_whitespace(chunk.dictionary), "").fill_null(True)
        codes = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        parts.append(spread(codes, blank.to_numpy(zero_copy_only=False), True))
    return np.concatenate(parts)


def _blank_records(path: Path, width: int) -> np.ndarray:
    with _text(path) as file:
        reader = csv.reader(file)
        next(filter(None, reader), None)
        return np.array([not any(value.strip() for value in record) for record in reader if len(record) == width])


def _has_line_break(column: pa.ChunkedArray) -> bool:
    return any(
        pc.any(pc.match_substring_regex(chunk.dictionary, r"[\r\n]")).as_py() for chunk in column.chunks if len(chunk)
    )


# -- what is wrong with a file ------------------------------------------------------------------------------------


def _explain(path: Path, names: list[str]) -> None:
    """Raise CsvError for the commonest causes of a file that Arrow cannot read."""
    _check_quotes(path)
    for line, record in _records(path):
        for at, value in enumerate(record):
            if not _is_utf8(value):
                raw = value.encode("utf-8", "surrogateescape")
                raise CsvError(
                    f"the value is not UTF-8; Windows-1252 reads it as {raw.decode('cp1252', 'replace')!r}",
                    SAVE,
                    line=line,
                    column=names[at] if at < len(names) else "",
                    value=raw,
                )


def _check_quotes(path: Path) -> None:
    """Raise CsvError if a quotation mark is opened and never closed."""
    with _text(path) as file:
        reader = csv.reader(file, strict=True)
        start = 1
        try:
            for _ in reader:
                start = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise CsvError(
                    "a quotation mark is opened and never closed",
                    "Close it, or write one that is part of a value twice",
                    line=start,
                ) from None
            raise CsvError(
                f"a quotation mark is misplaced ({error})", "Quote a whole value, or none of it", line=start
            ) from None
