"""Turns the columns of a source table into typed arrays, and says which values could not be read.

Missing values: text code -1, number nan, day MISSING. A value that is missing where one is required, or that cannot be
read, has been reported when `parse` returns; later checks pass over it.
"""

import datetime as dt
import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .pack import SourceTable
from .problems import Problems
from .schema import PACK

MISSING = np.iinfo(np.int32).min
MICROSECONDS = 1_000_000
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
EARLIEST, LATEST = (int((dt.date(year, 1, 1) - EPOCH.date()).days) for year in (1900, 2200))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Text:
    """Strings as codes into distinct words; -1 where there is none."""

    codes: np.ndarray
    words: pa.Array

    def at(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.words[code].as_py()

    def match(self, names: pa.Array) -> np.ndarray:
        """Index into `names` of each row; -1 where there is none."""
        if not len(self.words):
            return np.full(len(self.codes), -1, np.int32)
        found = pc.index_in(self.words, names).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        return np.where(self.codes < 0, np.int32(-1), found[self.codes])

    def arrow(self) -> pa.Array:
        indices = pa.array(self.codes, mask=self.codes < 0)
        return pa.DictionaryArray.from_arrays(indices, self.words).cast(pa.string())


@dataclass
class Moments:
    """Dates (`day`) and times: `instant` in seconds, since 1970 in UTC where `zoned`, else on the local clock."""

    day: np.ndarray
    instant: np.ndarray
    timed: np.ndarray
    zoned: np.ndarray


@dataclass
class Frame:
    """A source table with typed columns; a column that the source lacks is not in `columns`."""

    source: SourceTable
    columns: dict[str, Text | np.ndarray | Moments] = field(default_factory=dict)

    def __getitem__(self, column: str):
        return self.columns[column]

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __len__(self) -> int:
        return len(self.source)


def parse(source: SourceTable, problems: Problems, warnings: Problems) -> Frame | None:
    """The typed columns of a source table; None if it has no rows or lacks a required column."""
    spec = PACK[source.name]
    names = source.data.column_names
    for extra in (*source.extra, *(name for name in names if name not in spec)):
        warnings.file(
            source.place, "the table has no such column; it is left out", f"Columns are {', '.join(spec)}", column=extra
        )
    lacking = [name for name, column in spec.items() if column.required and name not in names]
    for name in lacking:
        problems.file(
            source.place,
            f"the column is missing; the file has {', '.join([*names, *source.extra]) or 'none'}",
            "Add it, with this name in the header",
            column=name,
        )
    if lacking:
        return None
    if not len(source):
        problems.file(source.place, "the table has no rows", "Write rows into it, or remove it")
        return None
    frame = Frame(source)
    for name, column in spec.items():
        if name in names:
            values, missing = READERS[column.kind](source, name, problems)
            if column.required:
                problems.rows(source, np.flatnonzero(missing), name, "a value is missing", "Give one in every row")
            frame.columns[name] = values
    return frame


def _dictionary(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Codes (-1 where null or blank) and distinct words of a text column."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    merged = column.unify_dictionaries().combine_chunks()
    if isinstance(merged, pa.ChunkedArray):  # no chunks at all
        merged = pa.array([], pa.string()).dictionary_encode()
    words = pc.utf8_trim_whitespace(merged.dictionary.cast(pa.string()))
    codes = merged.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    blank = pc.equal(words, "").fill_null(True).to_numpy(zero_copy_only=False)
    if blank.any():
        codes = np.where((codes >= 0) & blank[codes], np.int32(-1), codes)
    return codes, words


def _is_text(column: pa.ChunkedArray) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)


def _spread(codes: np.ndarray, values: np.ndarray, missing: object) -> np.ndarray:
    """One value a row, from one a word."""
    if not len(values):
        return np.full(len(codes), missing, values.dtype)
    spread = values[codes]
    spread[codes < 0] = missing
    return spread


def _text(source: SourceTable, name: str, problems: Problems) -> tuple[Text, np.ndarray]:
    codes, words = _dictionary(source.data.column(name))
    # Trimming may have made two words equal.
    if pc.count_distinct(words).as_py() < len(words):
        merged = words.dictionary_encode()
        codes = _spread(codes, merged.indices.to_numpy(), -1).astype(np.int32)
        words = merged.dictionary
    return Text(codes, words), codes < 0


def _number(source: SourceTable, name: str, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    column = source.data.column(name)
    if _is_text(column):
        codes, words = _dictionary(column)
        values, bad_words = _numbers(words)
        numbers, missing = _spread(codes, values, np.nan), codes < 0
        bad = _spread(codes, bad_words, False)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        missing = np.isnan(numbers)  # a null, too
        bad = np.isinf(numbers)
    else:
        _wrong_type(source, name, problems, "numbers")
        return np.full(len(source), np.nan), np.zeros(len(source), bool)
    if bad.any():
        numbers = np.where(bad, np.nan, numbers)
        problems.rows(
            source,
            np.flatnonzero(bad),
            name,
            "is not a number",
            "Write it with digits and a decimal point, such as 0.25",
        )
    return numbers, missing


def _numbers(words: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    try:
        values = pc.cast(words, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        listed = words.to_pylist()
        values = np.array([float(word) if NUMBER.fullmatch(word) else np.nan for word in listed], np.float64)
    return values, ~np.isfinite(values)


def _integer(source: SourceTable, name: str, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    numbers, missing = _number(source, name, problems)
    broken = np.isfinite(numbers) & (numbers != np.floor(numbers))
    problems.rows(source, np.flatnonzero(broken), name, "is not a whole number", "Write it without decimals")
    return numbers, missing


def _days(words: pa.Array) -> np.ndarray:
    """Day numbers of ISO dates; MISSING for what is no date between 1900 and 2200."""
    shaped = pc.match_substring_regex(words, f"^{DATE.pattern}$")
    try:
        days = pc.cast(pc.if_else(shaped, words, None), pa.date32())
    except pa.ArrowInvalid:
        days = pa.array([_date(word) for word in words.to_pylist()], pa.date32())
    days = days.cast(pa.int32()).fill_null(MISSING).to_numpy(zero_copy_only=False)
    return np.where((days >= EARLIEST) & (days < LATEST), days, np.int32(MISSING))


def _date(word: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(word) if DATE.fullmatch(word) else None
    except ValueError:
        return None


def _day(source: SourceTable, name: str, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    column = source.data.column(name)
    if _is_text(column):
        codes, words = _dictionary(column)
        days, missing = _spread(codes, _days(words), MISSING), codes < 0
    elif pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        missing = column.is_null().to_numpy()
        days = _whole_days(column)
    else:
        _wrong_type(source, name, problems, "dates")
        return np.full(len(source), MISSING, np.int32), np.zeros(len(source), bool)
    bad = np.flatnonzero((days == MISSING) & ~missing)
    problems.rows(source, bad, name, "is not a date", "Write dates as YYYY-MM-DD, between 1900 and 2199")
    return days, missing


def _whole_days(column: pa.ChunkedArray) -> np.ndarray:
    """Day numbers of dates, and of timestamps at midnight; MISSING for the rest."""
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64())
        stamps = stamps.fill_null(1).to_numpy()
        days = np.where(stamps % (86_400 * MICROSECONDS) == 0, stamps // (86_400 * MICROSECONDS), MISSING)
    else:
        days = column.cast(pa.date32()).cast(pa.int32()).fill_null(MISSING).to_numpy()
    return np.where((days >= EARLIEST) & (days < LATEST), days, MISSING).astype(np.int32)


def _moment(source: SourceTable, name: str, problems: Problems) -> tuple[Moments, np.ndarray]:
    column = source.data.column(name)
    if _is_text(column):
        codes, words = _dictionary(column)
        moments, missing = _text_moments(codes, words), codes < 0
    elif pa.types.is_timestamp(column.type):
        missing = column.is_null().to_numpy()
        moments = _stamp_moments(column)
    elif pa.types.is_date(column.type):
        missing = column.is_null().to_numpy()
        nothing = np.zeros(len(source), bool)
        moments = Moments(_whole_days(column), np.zeros(len(source), np.int64), nothing, nothing)
    else:
        _wrong_type(source, name, problems, "dates, or dates with time")
        nothing = np.zeros(len(source), bool)
        return Moments(
            np.full(len(source), MISSING, np.int32), np.zeros(len(source), np.int64), nothing, nothing
        ), nothing
    bad = np.flatnonzero((moments.day == MISSING) & ~missing)
    problems.rows(
        source,
        bad,
        name,
        "is neither a date nor a date with time in whole seconds",
        "Write YYYY-MM-DD, or ISO 8601 such as 2024-03-08T14:45:00 (local) or 2024-03-08T20:45:00+00:00",
    )
    return moments, missing


def _text_moments(codes: np.ndarray, words: pa.Array) -> Moments:
    day, instant = _days(words), np.zeros(len(words), np.int64)
    timed, zoned = np.zeros(len(words), bool), np.zeros(len(words), bool)
    for at in np.flatnonzero(day == MISSING).tolist():
        word = words[at].as_py()
        if not word or not DATE.match(word) or len(word) <= 10:
            continue
        try:
            value = dt.datetime.fromisoformat(word)
        except ValueError:
            continue
        zoned[at] = value.tzinfo is not None
        seconds = (value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - EPOCH
        if value.microsecond == 0 and 1900 <= value.year < 2200:
            timed[at], instant[at] = True, seconds.days * 86_400 + seconds.seconds
            day[at] = instant[at] // 86_400
    return Moments(
        _spread(codes, day, MISSING),
        _spread(codes, instant, 0),
        _spread(codes, timed, False),
        _spread(codes, zoned, False),
    )


def _stamp_moments(column: pa.ChunkedArray) -> Moments:
    """Timestamps. A column without zone that is midnight throughout holds dates: pandas has no other way to say so."""
    days = _whole_days(column)
    stamps = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64()).fill_null(1).to_numpy()
    seconds, zoned = stamps // MICROSECONDS, column.type.tz is not None
    dated = not zoned and bool(np.all((days != MISSING) | column.is_null().to_numpy()))
    whole = (stamps % MICROSECONDS == 0) & (seconds >= EARLIEST * 86_400) & (seconds < LATEST * 86_400)
    if not dated:
        days = np.where(whole, seconds // 86_400, MISSING).astype(np.int32)
    return Moments(days, seconds, np.full(len(days), not dated), np.full(len(days), zoned))


def _wrong_type(source: SourceTable, name: str, problems: Problems, wanted: str) -> None:
    problems.file(
        source.place,
        f"the column has the type {source.data.column(name).type}, which does not hold {wanted}",
        f"Write it as {wanted}",
        column=name,
    )


READERS = {"text": _text, "number": _number, "integer": _integer, "date": _day, "moment": _moment}
