"""What a price, a strike and other numbers can be at all."""

import numpy as np

from .parse import Frame
from .problems import Problems

LARGEST_PRICE = 1e9  # and the most negative one; what lies beyond is what some programs write for no value
LEAVE_OUT = "Correct it, or leave the row out: no record is a gap that shows, a wrong one is not"


def check_price(frame: Frame, name: str, noun: str, problems: Problems) -> None:
    """Prices and strikes of futures may be zero or negative, as crude oil's were on 2020-04-20."""
    rows = np.flatnonzero(np.abs(frame[name]) > LARGEST_PRICE)
    message = f"is no {noun}: beyond {LARGEST_PRICE:,.0f} it stands for no value"
    problems.rows(frame.source, rows, name, message, LEAVE_OUT)


def check_above_zero(frame: Frame, name: str, noun: str, problems: Problems) -> None:
    problems.rows(frame.source, np.flatnonzero(frame[name] <= 0), name, f"a {noun} is above zero", LEAVE_OUT)


def check_not_negative(frame: Frame, name: str, problems: Problems) -> None:
    problems.rows(frame.source, np.flatnonzero(frame[name] < 0), name, "is negative", "Correct it, or leave it blank")
