"""The typed arrays that the columns of a pack are read into, and the same with nothing in them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = np.iinfo(np.int32).min  # a day that is not there


@dataclass
class Text:
    """Strings as codes into distinct texts; -1 where there is none."""

    codes: np.ndarray
    texts: pa.Array

    def at(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.texts[code].as_py()

    def match(self, names: pa.Array) -> np.ndarray:
        """Index into `names` of each row; -1 where there is none."""
        if not len(self.texts):
            return np.full(len(self.codes), -1, np.int32)
        positions = pc.index_in(self.texts, names).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        return np.where(self.codes < 0, np.int32(-1), positions[self.codes])

    def arrow(self) -> pa.Array:
        indices = pa.array(self.codes, mask=self.codes < 0)
        return pa.DictionaryArray.from_arrays(indices, self.texts).cast(pa.string())


@dataclass
class Moments:
    """Dates (`day`) and times: `instant` in seconds, since 1970 in UTC where `zoned`, else on the local clock.

    timed: written with a time. midnight: the date that a time stands for if it is midnight, in UTC or on the clock of
    its own offset; else MISSING.
    """

    day: np.ndarray
    instant: np.ndarray
    timed: np.ndarray
    zoned: np.ndarray
    midnight: np.ndarray


def _no_text(rows: int) -> Text:
    return Text(np.full(rows, -1, np.int32), pa.array([], pa.string()))


def _no_numbers(rows: int) -> np.ndarray:
    return np.full(rows, np.nan)


def _no_days(rows: int) -> np.ndarray:
    return np.full(rows, MISSING, np.int32)


def _no_moments(rows: int) -> Moments:
    nothing = np.zeros(rows, bool)
    return Moments(_no_days(rows), np.zeros(rows, np.int64), nothing, nothing.copy(), _no_days(rows))


# A column of which nothing could be read.
EMPTY = {
    "text": _no_text,
    "words": _no_text,
    "time": _no_text,
    "number": _no_numbers,
    "integer": _no_numbers,
    "date": _no_days,
    "moment": _no_moments,
}
