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

from .arrays import EMPTY, MISSING, Moments, Text
from .columns import (
    DAY_SECONDS,
    WrongType,
    as_text,
    decoded,
    is_text,
    numbers_of,
    seconds_of,
    spread,
    texts_of,
)
from .pack import SourceTable
from .problems import Problems
from .schema import HOLDS, PACK

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
EARLIEST, LATEST = (int((dt.date(year, 1, 1) - EPOCH.date()).days) for year in (1900, 2200))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
PART_OF_A_SECOND = re.compile(r"[.,]\d*[1-9]")
# What other programs write for no value, in a column of numbers or dates.
NO_VALUE = ("nan", "null", "none", "na", "n/a", "#n/a")
# Control and invisible characters, such as line ends and those that turn the direction of writing. Descriptions may
# have several lines.
INVISIBLE, INVISIBLE_IN_PROSE = r"[\p{C}\p{Zl}\p{Zp}]", r"[^\P{C}\t\n\r]"
PROSE = ("description",)


@dataclass
class Frame:
    """A source table with typed columns; a column that the source lacks is not in `columns`.

    unread: by column of text, the rows whose value was reported since it is no text.
    """

    source: SourceTable
    columns: dict[str, Text | np.ndarray | Moments] = field(default_factory=dict)
    unread: dict[str, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, column: str):
        return self.columns[column]

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __len__(self) -> int:
        return len(self.source)

    def names_all(self, column: str) -> bool:
        """Whether every row of the source has a name here; else a name that is not in the table proves nothing."""
        return not self.source.ragged and bool((self[column].codes >= 0).all())


def parse(source: SourceTable, problems: Problems, warnings: Problems) -> Frame | None:
    """The typed columns of a source table; None if it has no rows or lacks a required column."""
    if not _header_is_good(source, problems, warnings):
        return None
    if not len(source):
        if not source.ragged:
            problems.file(source.place, "the table has no rows", "Write rows into it, or remove it")
        return None
    frame = Frame(source)
    spec = PACK[source.name]
    missing = {
        name: _read(frame, name, column.kind, problems)
        for name, column in spec.items()
        if name in source.data.column_names
    }
    _report_missing(source, {name: rows for name, rows in missing.items() if spec[name].required}, problems)
    return frame


def _report_missing(source: SourceTable, missing: dict[str, np.ndarray], problems: Problems) -> None:
    """Required values that are not there; a row without any is one problem."""
    blank = np.logical_and.reduce(list(missing.values())) if len(missing) > 1 else np.zeros(len(source), bool)
    needed = " and ".join(missing)
    problems.rows(source, np.flatnonzero(blank), "", f"{needed} are missing", "Give them, or leave the row out")
    for name, rows in missing.items():
        problems.rows(source, np.flatnonzero(rows & ~blank), name, "a value is missing", "Give one in every row")


def _header_is_good(source: SourceTable, problems: Problems, warnings: Problems) -> bool:
    spec, header = PACK[source.name], source.header
    for extra in header.extra:
        warnings.file(
            source.place,
            "the table has no such column; it is left out" if extra.strip() else "a column has no name; it is left out",
            f"Columns are {', '.join(spec)}",
            column=extra,
        )
    for name in header.repeated:
        problems.file(source.place, f"column {name} is in the header twice", "Keep one of them", column=name)
    has = f"the file has {', '.join(header.names) or 'none'}"
    if not header.columns and not header.repeated:
        problems.file(source.place, f"no column of the table is in the header; {has}", f"Columns are {', '.join(spec)}")
        return False
    lacking = [
        name
        for name, column in spec.items()
        if column.required and name not in header.columns and name not in header.repeated
    ]
    for name in lacking:
        problems.file(
            source.place,
            f"the column is missing; {has}",
            "Add it, with this name in the header",
            column=name,
        )
    return not lacking and not header.repeated


def _read(frame: Frame, name: str, kind: str, problems: Problems) -> np.ndarray:
    """Read one column into the frame, and report what could not be read; returns where there is nothing."""
    source = frame.source
    refused = [row for row, fields in source.refused.items() if name in fields]
    problems.rows(
        source,
        refused,
        name,
        lambda row: source.refused[row][name],
        "Correct it, or leave the record out",
        kind="refused",
    )
    try:
        frame.columns[name], missing = READERS[kind](_Column.of(source, name, kind), frame, problems)
    except WrongType as error:
        problems.file(
            source.place,
            f"the column has the type {error}, which does not hold {HOLDS[kind]}",
            f"Write it as {HOLDS[kind]}",
            column=name,
        )
        frame.columns[name], missing = EMPTY[kind](len(source)), np.zeros(len(source), bool)
    if refused:
        missing = missing & ~np.isin(np.arange(len(source)), refused)
    if isinstance(values := frame.columns[name], Text):
        frame.unread[name] = (values.codes < 0) & ~missing
    return missing


@dataclass
class _Column:
    """A column on its way: `data` without encodings; of text, also `codes` into `texts`, and the `broken` rows."""

    source: SourceTable
    name: str
    data: pa.ChunkedArray
    codes: np.ndarray | None = None
    texts: pa.Array | None = None
    broken: np.ndarray | None = None

    @classmethod
    def of(cls, source: SourceTable, name: str, kind: str) -> "_Column":
        data = decoded(source.data.column(name))
        if kind in ("text", "time", "words"):
            data = as_text(data, kind)
        if not is_text(data.type):
            return cls(source, name, data)
        codes, texts, broken = texts_of(data)
        if kind not in ("text", "time", "words"):
            codes = _without_no_value(codes, texts)
        return cls(source, name, data, codes, texts, broken)

    @property
    def is_text(self) -> bool:
        return self.texts is not None

    def missing(self) -> np.ndarray:
        """Where there is nothing."""
        return (self.codes < 0) & ~self.broken if self.is_text else self.data.is_null().to_numpy()

    def report(self, bad: np.ndarray, message: str, remedy: str, problems: Problems) -> None:
        """The rows whose value is not what it should be, and those whose bytes are no text at all."""
        problems.rows(self.source, np.flatnonzero(bad), self.name, message, remedy)
        if self.is_text:
            problems.rows(
                self.source, np.flatnonzero(self.broken), self.name, "is not text in UTF-8", "Write text as UTF-8"
            )


def _without_no_value(codes: np.ndarray, texts: pa.Array) -> np.ndarray:
    none = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(NO_VALUE)).to_numpy(zero_copy_only=False)
    return np.where((codes >= 0) & none[codes], np.int32(-1), codes) if none.any() else codes


def _text(column: _Column, frame: Frame, problems: Problems) -> tuple[Text, np.ndarray]:
    codes, texts = column.codes, column.texts
    # Trimming may have made two texts equal.
    if pc.count_distinct(texts).as_py() < len(texts):
        merged = texts.dictionary_encode()
        codes = spread(codes, merged.indices.fill_null(-1).to_numpy(), -1).astype(np.int32)
        texts = merged.dictionary
    pattern = INVISIBLE_IN_PROSE if column.name in PROSE else INVISIBLE
    invisible = pc.match_substring_regex(texts, pattern).fill_null(False).to_numpy(zero_copy_only=False)
    column.report(
        spread(codes, invisible, False),
        "holds a control character or another that cannot be seen",
        "Write it without",
        problems,
    )
    return Text(codes, texts), column.missing()


def _number(column: _Column, frame: Frame, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    if column.is_text:
        numbers, missing = spread(column.codes, _numbers(column.texts), np.nan), column.missing()
        bad = ~np.isfinite(numbers) & (column.codes >= 0)
    else:
        numbers = numbers_of(column.data)
        missing, bad = np.isnan(numbers), np.isinf(numbers)  # a null is nan, too
    column.report(bad, "is not a number", "Write it with digits and a decimal point, such as 0.25", problems)
    return np.where(bad, np.nan, numbers) if bad.any() else numbers, missing


def _numbers(texts: pa.Array) -> np.ndarray:
    try:
        return pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        listed = texts.to_pylist()
        return np.array([float(word) if word and NUMBER.fullmatch(word) else np.nan for word in listed], np.float64)


def _integer(column: _Column, frame: Frame, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    numbers, missing = _number(column, frame, problems)
    broken = np.isfinite(numbers) & (numbers != np.floor(numbers))
    problems.rows(
        column.source, np.flatnonzero(broken), column.name, "is not a whole number", "Write it without decimals"
    )
    return numbers, missing


def _days(texts: pa.Array) -> np.ndarray:
    """Day numbers of ISO dates; MISSING for what is no date between 1900 and 2200."""
    shaped = pc.match_substring_regex(texts, f"^{DATE.pattern}$")
    try:
        days = pc.cast(pc.if_else(shaped, texts, None), pa.date32())
    except pa.ArrowInvalid:
        days = pa.array([_date(word) for word in texts.to_pylist()], pa.date32())
    return _in_range(days.cast(pa.int32()).fill_null(MISSING).to_numpy(zero_copy_only=False))


def _date(word: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(word) if word and DATE.fullmatch(word) else None
    except ValueError:
        return None


def _in_range(days: np.ndarray) -> np.ndarray:
    return np.where((days >= EARLIEST) & (days < LATEST), days, MISSING).astype(np.int32)


def _day(column: _Column, frame: Frame, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    missing = column.missing()
    if column.is_text:
        days = spread(column.codes, _days(column.texts), MISSING)
        bad = (days == MISSING) & (column.codes >= 0)
    else:
        _, wall, whole, _ = seconds_of(column.data)
        days = _in_range(np.where(whole & (wall % DAY_SECONDS == 0), wall // DAY_SECONDS, MISSING))
        bad = (days == MISSING) & ~missing
    column.report(bad, "is not a date", "Write dates as YYYY-MM-DD, between 1900 and 2199", problems)
    return days, missing


def _moment(column: _Column, frame: Frame, problems: Problems) -> tuple[Moments, np.ndarray]:
    missing = column.missing()
    if column.is_text:
        moments = _text_moments(column.codes, column.texts)
        bad = (moments.day == MISSING) & (column.codes >= 0)
    else:
        moments = _stamp_moments(column.data)
        bad = (moments.day == MISSING) & ~missing
    column.report(
        bad,
        "is neither a date nor a date with time in whole seconds",
        "Write YYYY-MM-DD, or ISO 8601 such as 2024-03-08T14:45:00 (local) or 2024-03-08T20:45:00+00:00",
        problems,
    )
    return moments, missing


def _text_moments(codes: np.ndarray, texts: pa.Array) -> Moments:
    day, instant, wall = _days(texts), np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    timed, zoned = np.zeros(len(texts), bool), np.zeros(len(texts), bool)
    for at in np.flatnonzero(day == MISSING).tolist():
        word = texts[at].as_py()
        if not word or not DATE.match(word) or len(word) <= 10 or PART_OF_A_SECOND.search(word):
            continue
        try:
            value = dt.datetime.fromisoformat(word)
        except ValueError:
            continue
        zoned[at] = value.tzinfo is not None
        seconds = (value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - EPOCH
        if 1900 <= value.year < 2200:
            timed[at], instant[at] = True, seconds.days * DAY_SECONDS + seconds.seconds
            day[at] = instant[at] // DAY_SECONDS
            offset = value.utcoffset() or dt.timedelta()
            wall[at] = instant[at] + offset.days * DAY_SECONDS + offset.seconds
    midnight = _midnights(instant, wall, timed)
    columns = ((day, MISSING), (instant, 0), (timed, False), (zoned, False), (midnight, MISSING))
    return Moments(*(spread(codes, values, missing) for values, missing in columns))


def _stamp_moments(column: pa.ChunkedArray) -> Moments:
    """Dates, or timestamps."""
    instants, wall, whole, zoned = seconds_of(column)
    day = _in_range(np.where(whole, instants // DAY_SECONDS, MISSING))
    timed = (day != MISSING) & (not pa.types.is_date32(column.type))
    return Moments(
        day,
        np.where(whole, instants, 0),
        timed,
        np.full(len(wall), zoned),
        _midnights(instants, wall, timed),
    )


def _midnights(instants: np.ndarray, wall: np.ndarray, timed: np.ndarray) -> np.ndarray:
    """The date of each time that is midnight, on the clock of its own offset or in UTC; else MISSING."""
    own, universal = wall % DAY_SECONDS == 0, instants % DAY_SECONDS == 0
    days = np.where(own, wall, instants) // DAY_SECONDS
    return _in_range(np.where(timed & (own | universal), days, MISSING))


READERS = {
    "text": _text,
    "words": _text,
    "time": _text,
    "number": _number,
    "integer": _integer,
    "date": _day,
    "moment": _moment,
}
