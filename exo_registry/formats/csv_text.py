"""The one writer of CSV for people: events, admin exports, points and trades.

A spreadsheet runs a cell as a formula that begins with =, +, - or @, or with one of their wide forms, white space in
front or not. Such text gets an apostrophe in front, which spreadsheets take for "this is text"; so does text that has
apostrophes before such a beginning, so that `unguard` gives back exactly what was there. Numbers stay as they are.
Market packs are data for programs and not written here.
"""

import csv
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n])")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def guard(value: object) -> object:
    """The value as it may stand in a cell: text that would run as a formula is marked as text."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def unguard(value: object) -> object:
    """What `guard` was given."""
    if isinstance(value, str) and value.startswith("'") and _FORMULA.match(value):
        return value[1:]
    return value


def lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table, line by line, so that a long one need not be in memory. None and NaN are empty cells."""
    writer = csv.writer(_Echo(), lineterminator="\r\n")  # has both letters quoted where they are part of a cell
    for row in itertools.chain([header], rows):
        line = writer.writerow(["" if value != value else guard(value) for value in row])
        yield line.removesuffix("\r\n") + "\n"


def frame_lines(frame: "pd.DataFrame") -> Iterator[str]:
    """A frame without its index."""
    return lines(frame.columns, frame.itertuples(index=False, name=None))


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text
