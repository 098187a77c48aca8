"""What an author's code may hand over: values that every database keeps as they are, refused where they are made."""

import math
from numbers import Real
from typing import Any

import numpy as np

from .errors import EngineError
from .text import shorten

LARGEST_QUANTITY = 1e9
LARGEST_INTEGER = 2**63 - 1
DEEPEST = 20
PLACE_LIMIT = 100
SHORT = 40
LEAVES = (type(None), bool, int, float, str)


def quantity(value: Any) -> float:
    """A number of contracts as a float.

    Raises:
        EngineError: It is no number, not finite, or beyond a billion.
    """
    is_number = type(value) is float or isinstance(value, Real)
    if not is_number:
        raise EngineError(f"a quantity is a number of contracts, not {_kind(value)}")
    if not -LARGEST_QUANTITY <= value <= LARGEST_QUANTITY:
        raise EngineError(
            f"a quantity of {shorten(str(value), PLACE_LIMIT)} cannot be traded: it is to be finite "
            f"and at most {LARGEST_QUANTITY:,.0f} contracts"
        )
    return float(value)


def label(value: object, name: str, limit: int) -> str:
    """A short text, such as the leg of a trade.

    Args:
        value: The text.
        name: What it is, for the error's message.
        limit: Most characters.

    Raises:
        EngineError: It is no text, too long or cannot be stored.
    """
    if not isinstance(value, str):
        raise EngineError(f"{name} is a text, not {_kind(value)}")
    if len(value) > limit:
        raise EngineError(f"{name} {shorten(value, PLACE_LIMIT)!r} is too long: {limit} characters are kept")
    return _text(value, name)


def plain(value: Any, place: str, limit: int) -> Any:
    """The value as JSON keeps it: numpy scalars become Python numbers, tuples become lists, -0.0 becomes 0.0.

    Args:
        value: Numbers, text, True, False, None, and lists, tuples or dicts of these.
        place: Names it in errors.
        limit: Of its size, which is the number of values in it plus the length of its texts.

    Raises:
        EngineError: JSON or a database cannot keep it: NaN and infinities, other types, keys that are not text, text
            with NUL or lone surrogates, and what is too large or nested too deeply. It names the place and the type.
    """
    if type(value) is dict and len(value) * 2 * SHORT < limit and all(map(_is_simple, value, value.values())):
        return value  # what is recorded at each session is nearly always such
    return _Converter(place, limit).convert(value, place, 0)


def _is_simple(name: object, value: Any) -> bool:
    """Whether a name and its value can be told at a glance to be kept as they are."""
    if not _is_short_name(name):
        return False
    kind = type(value)
    if kind is str:
        return _is_short_name(value)
    if kind is float:
        return value != 0.0 and math.isfinite(value)
    return value is None or kind is bool or (kind is int and abs(value) <= LARGEST_INTEGER)


def _is_short_name(value: object) -> bool:
    return type(value) is str and len(value) < SHORT and value.isidentifier()


class _Converter:
    """One value being made plain; counts its size."""

    def __init__(self, place: str, limit: int):
        self.place, self.limit, self.size = place, limit, 0

    def convert(self, value: object, place: str, depth: int) -> object:
        if isinstance(value, np.generic):
            value = _from_numpy(value, place)
        self._count(1)
        if isinstance(value, LEAVES):
            return self._leaf(value, place)
        if depth == DEEPEST:
            raise EngineError(f"{self.place} is nested more than {DEEPEST} deep: keep it flat")
        if isinstance(value, list | tuple):
            return [self.convert(item, f"{place}[{at}]", depth + 1) for at, item in enumerate(value)]
        if isinstance(value, dict):
            return {
                self._key(key, place): self.convert(item, f"{place}[{_shown(key)}]", depth + 1)
                for key, item in value.items()
            }
        raise EngineError(
            f"{_cut(place)} is {_kind(value)}: use numbers, text, True, False, None, and lists or dicts of these"
        )

    def _leaf(self, value: bool | float | str | None, place: str) -> object:
        if isinstance(value, str):
            self._count(len(value))
            return _text(value, place)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise EngineError(f"{_cut(place)} is {float(value)}: use None where there is no value")
            return float(value) + 0.0
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) > LARGEST_INTEGER:
                raise EngineError(f"{_cut(place)} is a whole number of more than 64 bits: use a float")
            return int(value)
        return value

    def _key(self, key: object, place: str) -> str:
        if not isinstance(key, str):
            raise EngineError(f"{_cut(place)} has the key {_shown(key)}, {_kind(key)}: keys are text")
        self._count(len(key))
        return _text(key, f"a key of {_cut(place)}")

    def _count(self, more: int) -> None:
        self.size += more
        if self.size > self.limit:
            raise EngineError(f"{self.place} is too large: at most {self.limit:,} values and characters are kept")


def _from_numpy(value: np.generic, place: str) -> object:
    for kind, convert in ((np.bool_, bool), (np.integer, int), (np.floating, float), (np.str_, str)):
        if isinstance(value, kind):
            return convert(value)
    raise EngineError(f"{_cut(place)} is {_kind(value)}: use numbers, text, True, False or None")


def _text(value: str, place: str) -> str:
    if value.isascii() and "\0" not in value:
        return str(value)
    if "\0" in value:
        raise EngineError(f"{_cut(place)} has a NUL character in it: leave it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise EngineError(f"{_cut(place)} has half a surrogate pair in it, which is no text: leave it out") from None
    return str(value)


def _kind(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"of type {_cut(name)}"


def _shown(key: object) -> str:
    return repr(shorten(key, PLACE_LIMIT)) if isinstance(key, str) else shorten(repr(key), PLACE_LIMIT)


def _cut(place: str) -> str:
    return shorten(place, 2 * PLACE_LIMIT)
