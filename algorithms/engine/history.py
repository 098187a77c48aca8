"""The points of a series that another one reads."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class History:
    """Dates (datetime64[D], ascending) and the `exo` values of a series."""

    dates: np.ndarray
    values: np.ndarray
