"""MongoDB documents as columns of a market pack: each BSON value as what it is, or named as what it is not."""

import datetime as dt
import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from bson import Decimal128, ObjectId

from .columns import WrongType, joined
from .schema import HOLDS, RECORD, REFUSED, Column

NAMES = {bool: "a boolean", dict: "an object", list: "a list", ObjectId: "an ObjectId", dt.datetime: "a date"}


class _Refused(ValueError):
    """A value that no column of the kind can hold; the message says what it is."""


class Documents:
    """Some documents as Arrow columns. Of dates and times, `stamps` has (UTC timestamps, what is not one as text).

    newest_id: the highest ObjectId, None if there is none.
    """

    def __init__(self, spec: dict[str, Column], documents: list[dict]) -> None:
        self.columns: dict[str, pa.Array] = {}
        self.stamps: dict[str, tuple[pa.Array, pa.Array]] = {}
        ids = [document.get("_id") for document in documents]
        self.newest_id = max((value for value in ids if isinstance(value, ObjectId)), default=None)
        refused: dict[int, dict[str, str]] = {}
        for name, column in spec.items():
            values = _cells([document.get(name) for document in documents], name, column.kind, refused)
            if column.kind in ("number", "integer"):
                self.columns[name] = _numbers(values)
            elif column.kind in ("date", "moment"):
                self.columns[name] = pa.nulls(len(values), pa.string())  # follows from the stamps of all chunks
                self.stamps[name] = _stamps(values)
            else:
                self.columns[name] = pa.array(values, pa.string())
        self.columns[RECORD] = pa.array(map(str, ids), pa.string())
        notes = [json.dumps(refused[row]) if row in refused else None for row in range(len(documents))]
        self.columns[REFUSED] = pa.array(notes, pa.string())

    def newest(self, column: str | None) -> dt.datetime | None:
        return pc.max(self.stamps[column][0]).as_py() if column in self.stamps else None


def _cells(values: list, name: str, kind: str, refused: dict[int, dict[str, str]]) -> list:
    """The values as a column of the kind has them; None, and a message in `refused`, where it cannot."""
    cells, read = [], READERS[kind]
    for row, value in enumerate(values):
        try:
            cells.append(None if value is None else read(value))
        except _Refused as error:
            cells.append(None)
            refused.setdefault(row, {})[name] = f"holds {error}, not {HOLDS[kind]}"
    return cells


def _refuse(value: object) -> _Refused:
    if isinstance(value, int | float | Decimal128) and not isinstance(value, bool):
        return _Refused(f"the number {value}")
    return _Refused(NAMES.get(type(value), f"a BSON {type(value).__name__}"))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _Refused("bytes that are not UTF-8") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _refuse(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Refused("text that is not UTF-8") from None
    return value


def _words(value: object) -> str:
    if not isinstance(value, list):
        return _text(value)
    try:
        return joined(value, "a list")
    except WrongType as error:
        raise _Refused(str(error)) from None


def _number(value: object) -> float | str:
    if isinstance(value, Decimal128):
        number = value.to_decimal()
        # Decimal has numbers that float has not.
        if number.is_nan():
            return float("nan")
        if abs(float(number)) == float("inf"):
            raise _refuse(value)
        return float(number)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return _text(value)
    raise _refuse(value)


def _moment(value: object) -> dt.datetime | str:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        return _text(value)
    raise _refuse(value)


READERS: dict[str, Callable] = {
    "text": _text,
    "time": _text,
    "words": _words,
    "number": _number,
    "integer": _number,
    "date": _moment,
    "moment": _moment,
}


def _numbers(values: list) -> pa.Array:
    """Numbers; as text, if one of them is."""
    if any(isinstance(value, str) for value in values):
        return pa.array([repr(value) if isinstance(value, float) else value for value in values], pa.string())
    return pa.array(values, pa.float64())


def _stamps(values: list) -> tuple[pa.Array, pa.Array]:
    stamps = [value if isinstance(value, dt.datetime) else None for value in values]
    texts = [None if isinstance(value, dt.datetime) else value for value in values]
    return pa.array(stamps, pa.timestamp("us")), pa.array(texts, pa.string())


def chunked(arrays: list[pa.Array]) -> pa.ChunkedArray:
    """Chunks as one column; as text, if one of them is."""
    if any(pa.types.is_string(array.type) for array in arrays):
        return pa.chunked_array([array.cast(pa.string()) for array in arrays], pa.string())
    return pa.chunked_array(arrays, None if arrays else pa.string())


def date_texts(stamps: pa.ChunkedArray, given: pa.ChunkedArray, *, has_times: bool) -> pa.ChunkedArray:
    """Dates and times as a pack has them. has_times: the column may have times, and a midnight is written as one."""
    dated = pc.and_(pc.equal(stamps, pc.floor_temporal(stamps, unit="day")), not has_times)
    whole = pc.equal(stamps, pc.floor_temporal(stamps, unit="second"))
    seconds = pc.floor_temporal(stamps, unit="second").cast(pa.timestamp("s"))
    times = pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%S+00:00")
    # A fraction of a second is kept, for the checks to refuse.
    exact = pc.strftime(stamps, format="%Y-%m-%dT%H:%M:%S+00:00")
    texts = pc.if_else(dated, pc.strftime(seconds, format="%Y-%m-%d"), pc.if_else(whole, times, exact))
    return pc.coalesce(given, texts)


def without_repeats(table: pa.Table) -> pa.Table:
    """The first of each set of documents that say the same, whatever their ids."""
    fields = [name for name in table.column_names if name != RECORD]
    numbered = table.select(fields).append_column("row", pa.array(range(len(table)), pa.int64()))
    first = numbered.group_by(fields, use_threads=False).aggregate([("row", "min")])["row_min"]
    return table if len(first) == len(table) else table.take(first.sort())
