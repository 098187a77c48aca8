"""Where two JSON values differ, as deep as it lies."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple


class Absent(Enum):
    """Stands for a value that is not there, which null would not say."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


class Difference(NamedTuple):
    """One difference: its place, such as `legs[0].delta`, and both values; ABSENT: there is none at that place."""

    place: str
    old: Any
    new: Any


def differences(old: Any, new: Any, place: str = "") -> Iterator[Difference]:
    """Each difference of two JSON values. True and 1 differ, as they do in JSON."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{place}.{name}" if place else name)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from differences(_element(old, index), _element(new, index), f"{place}[{index}]")
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Difference(place, old, new)


def _element(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else ABSENT
