"""Bounds of sense: what a number, a date and a text can be at all, whichever way they come in.

Forms, parameters of addresses, registry files, market packs, CSV files and the API check against these.
"""

import datetime as dt
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible

FIRST_DATE, LAST_DATE = dt.date(1900, 1, 1), dt.date(2200, 12, 31)
LARGEST_KEY = 2**63 - 1  # of a row, in SQLite and PostgreSQL
LARGEST_NUMBER = 1e12  # of an algorithm's parameters
LONGEST_QUERY = 200  # characters of a search

# No database keeps a NUL in a text, and half a surrogate pair cannot be encoded at all.
UNUSABLE = re.compile("[\x00\ud800-\udfff]")


@deconstructible
class Between:
    """A validator of numbers and dates: from `low` to `high`, both included. NaN is not."""

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = low, high

    def __call__(self, value: Any) -> None:
        if not self.low <= value <= self.high:
            above_zero = not isinstance(value, dt.date) and self.low > 0 >= value
            bounds = f"from {_written(self.low)} to {_written(self.high)}"
            raise ValidationError(f"Must be {'above zero' if above_zero else bounds}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Between) and (self.low, self.high) == (other.low, other.high)

    def __hash__(self) -> int:
        return hash((self.low, self.high))


def _written(bound: Any) -> str:
    if isinstance(bound, dt.date):
        return f"{bound:%Y-%m-%d}"
    text = f"{bound:,.9f}"
    return text.rstrip("0").rstrip(".")


SENSIBLE_DATE = Between(FIRST_DATE, LAST_DATE)
SENSIBLE_TIME = Between(*(dt.datetime.combine(date, dt.time(), dt.UTC) for date in (FIRST_DATE, LAST_DATE)))
POSITIVE = Between(1e-9, 1e9)  # tick sizes, their worth, strike increments
YIELD = Between(-1.0, 1.0)  # of dividends, a fraction a year
COST = Between(0.0, 1e6)  # per contract and side
CAPITAL = Between(0.01, 1e15)


def validate_text(value: str) -> None:
    """Refuses a text that not every database can keep."""
    if UNUSABLE.search(value):
        raise ValidationError("Has a character that cannot be stored (NUL, or half a surrogate pair): take it out.")


def parse_date(text: str) -> dt.date:
    """The date of YYYY-MM-DD; ValueError with the remedy for any other text, and for a year out of all sense."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date: write it as YYYY-MM-DD, such as 2011-06-01") from None
    if not FIRST_DATE <= date <= LAST_DATE:
        raise ValueError(f"{text} is out of range: dates go from {FIRST_DATE} to {LAST_DATE}")
    return date
