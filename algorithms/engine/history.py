"""The points of a series that another one reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from .rows import PointRow
from .tables import ProductRules


def history_column(rules: ProductRules) -> str:
    """The column of a series' points that others read: profit and loss before costs, so that a commission changes no
    signal. Legacy: `exo`."""
    return "exo" if rules.legacy else "gross"


@dataclass(frozen=True)
class History:
    """The points of a series.

    Attributes:
        dates: datetime64[D], ascending, shape (points,).
        values: `gross` in the currency, float64, shape (points,). Legacy: `exo`.
    """

    dates: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, points: Iterable[PointRow], rules: ProductRules) -> Self:
        """What those that read a series are given of its points."""
        points, column = list(points), history_column(rules)
        return cls(
            np.array([point.date for point in points], "datetime64[D]"),
            np.array([getattr(point, column) for point in points], np.float64),
        )
