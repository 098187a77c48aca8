"""What a price and a strike can be at all."""

import numpy as np

from .parse import Frame
from .problems import Problems

LARGEST_PRICE = 1e9  # and the most negative one; what lies beyond is what some programs write for no value


def check_price(frame: Frame, name: str, noun: str, problems: Problems) -> None:
    """Prices and strikes of futures may be zero or negative, as crude oil's were on 2020-04-20."""
    problems.rows(
        frame.source,
        np.flatnonzero(np.abs(frame[name]) > LARGEST_PRICE),
        name,
        f"is no {noun}: beyond {LARGEST_PRICE:,.0f} it stands for no value",
        "Correct it, or leave the row out: no record is a gap that shows, a wrong one is not",
    )
