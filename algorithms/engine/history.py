"""The points of a series that another one reads."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class History:
    """The points of a series.

    Attributes:
        dates: datetime64[D], ascending, shape (points,).
        values: `exo` in the currency, float64, shape (points,).
    """

    dates: np.ndarray
    values: np.ndarray
