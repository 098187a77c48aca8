"""Arrow columns of any physical type, as the few forms that the column rules read.

Whatever wrote a table (pandas, polars, Spark, a database driver, a csv), the same value comes out the same here: text
as codes into distinct texts, numbers as float64, times as whole seconds. A type that cannot hold what a column is for
raises WrongType; a single value that cannot be read is marked, so that its row can be named.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.dictionary(pa.int32(), pa.string())
DAY_SECONDS = 86_400
LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class WrongType(TypeError):
    """The column's type cannot hold what is wanted; the message is the type's name."""


def is_text(kind: pa.DataType) -> bool:
    """Strings and bytes, of whatever width and encoding."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return (
        any(check(value) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))
        or any(check(value) for check in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view))
        or pa.types.is_fixed_size_binary(value)
        or pa.types.is_null(value)
    )


def decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without the encodings that say nothing about its values. Dictionaries of text stay."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if not is_text(kind.storage_type) or pa.types.is_fixed_size_binary(kind.storage_type):
            return column
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if pa.types.is_dictionary(column.type) and not is_text(column.type):
        values = [chunk.dictionary.take(chunk.indices) for chunk in column.chunks]
        column = pa.chunked_array(values, column.type.value_type)
    return pa.chunked_array([], pa.null()) if not len(column) else _without_blanks(column)


def _without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in which there is no value holds nothing of its type: pandas writes blank text as floats."""
    blank = column.null_count == len(column) or (
        pa.types.is_floating(column.type) and pc.all(pc.is_null(column, nan_is_null=True)).as_py()
    )
    return pa.chunked_array([pa.nulls(len(column))]) if blank else column


# -- text ---------------------------------------------------------------------------------------------------------


def texts_of(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array, np.ndarray]:
    """(codes, distinct texts, broken) of text. Texts are trimmed; the code is -1 where there is none.

    broken: rows whose bytes are not UTF-8; their code is -1, too.
    """
    chunks = [_encoded(chunk) for chunk in column.chunks] or [pa.array([], pa.binary()).dictionary_encode()]
    merged = pa.chunked_array(chunks).unify_dictionaries().combine_chunks()
    if isinstance(merged, pa.ChunkedArray):
        merged = merged.chunk(0)
    codes = merged.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    texts, bad = _utf8(merged.dictionary)
    texts = pc.utf8_trim_whitespace(texts)
    broken = spread(codes, bad, False)
    blank = pc.equal(texts, "").fill_null(True).to_numpy(zero_copy_only=False)
    if blank.any():
        codes = np.where((codes >= 0) & blank[codes], np.int32(-1), codes)
    return codes, texts, broken


def _encoded(chunk: pa.Array) -> pa.DictionaryArray:
    """Bytes as a dictionary with 32-bit codes."""
    if not pa.types.is_dictionary(chunk.type):
        return chunk.cast(pa.binary()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int32()), chunk.dictionary.cast(pa.binary()))


def _utf8(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    bad = np.zeros(len(texts), bool)
    try:
        return texts.cast(pa.string()), bad
    except pa.ArrowInvalid:
        decoded = []
        for at, raw in enumerate(texts.to_pylist()):
            try:
                decoded.append(None if raw is None else raw.decode())
            except UnicodeDecodeError:
                decoded.append(None)
                bad[at] = True
        return pa.array(decoded, pa.string()), bad


def spread(codes: np.ndarray, values: np.ndarray, missing: object) -> np.ndarray:
    """One value a row, from one a word."""
    if not len(values):
        return np.full(len(codes), missing, values.dtype)
    rows = values[codes]
    rows[codes < 0] = missing
    return rows


def as_text(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """A decoded column that is to hold text (kind text), times of day (time) or lists of words (words)."""
    own = column.type
    if is_text(own):
        return column
    if pa.types.is_integer(own) or (kind == "time" and pa.types.is_time(own)):
        return column.cast(pa.string())
    if kind == "words" and any(check(own) for check in LISTS):
        return pa.chunked_array([pa.array([_joined(items, own) for items in column.to_pylist()], pa.string())])
    raise WrongType(str(own))


def _joined(items: list | None, kind: pa.DataType) -> str | None:
    return None if items is None else joined(items, str(kind))


def joined(items: list, kind: str) -> str:
    """A list as a pack writes it: its items separated by spaces. Raises WrongType if that would not say the same."""
    texts = [str(item) if type(item) is int else item for item in items]
    if any(not isinstance(word, str) or not word or any(map(str.isspace, word)) for word in texts):
        raise WrongType(f"{kind} with an item that is blank, has a space in it, or is neither text nor a whole number")
    return " ".join(texts)


# -- numbers and times --------------------------------------------------------------------------------------------


def numbers_of(column: pa.ChunkedArray) -> np.ndarray:
    """float64 of a decoded column of numbers, nan for a null: the nearest to each value."""
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.string())  # Arrow's own cast of a decimal is not always the nearest
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise WrongType(str(kind))
    return column.cast(pa.float64(), safe=False).to_numpy()


def seconds_of(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """(instants, wall, whole, zoned) of a decoded column of dates or timestamps.

    Instants are seconds since 1970, in UTC where the column is zoned; wall: the same on the clock of its own time
    zone. whole: the value is one of whole seconds (and is there).
    """
    kind = column.type
    there = column.is_valid().to_numpy()
    if pa.types.is_date32(kind):
        days = column.cast(pa.int32()).fill_null(0).to_numpy().astype(np.int64)
        return days * DAY_SECONDS, days * DAY_SECONDS, there, False
    if pa.types.is_date64(kind):
        column = column.cast(pa.int64()).cast(pa.timestamp("ms"))
    elif not pa.types.is_timestamp(kind):
        raise WrongType(str(kind))
    zoned = column.type.tz is not None
    instants, whole = _whole_seconds(column)
    wall = _whole_seconds(_local(column))[0] if zoned else instants
    return instants, wall, whole & there, zoned


def _local(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return pc.local_timestamp(column)
    except pa.ArrowInvalid:
        raise WrongType(f"{column.type}, a time zone that is not known") from None


def _whole_seconds(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    unit = UNITS[column.type.unit]
    stamps = column.cast(pa.int64()).fill_null(0).to_numpy()
    return stamps // unit, stamps % unit == 0


# -- values for messages ------------------------------------------------------------------------------------------


def plain_value(scalar: pa.Scalar) -> object:
    """A value as a message shows it; dates and times in ISO 8601. Every value has one, however odd."""
    try:
        value = scalar.as_py()
    except UnicodeDecodeError:
        text = scalar.value if isinstance(scalar, pa.DictionaryScalar) else scalar
        return text.as_buffer().to_pybytes()
    except (ValueError, OverflowError, LookupError):  # beyond what datetime holds, or an unknown time zone
        return f"{scalar.value} as {scalar.type}"
    return value.isoformat() if hasattr(value, "isoformat") else value
