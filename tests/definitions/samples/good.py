"""Strategies with every kind of parameter and dependency."""

import os  # noqa: F401 (a name that is importable from here and no algorithm)
from typing import Literal

from pydantic import Field

from algorithms.continuous_future import ContinuousFuture  # noqa: F401 (an algorithm, imported and not defined here)
from algorithms.engine import Algorithm, Parameters

from . import helper


class Reader(Algorithm):
    """Reads another series.

    A second paragraph that a list does not show.
    """

    class Parameters(Parameters):
        reads: list[str] = Field(default_factory=lambda: ["ContFut"], description="Labels to read.")
        weight: float = Field(1.0, gt=0, le=10, description="How much.")
        kind: Literal["a", "b"] = "a"
        count: int = Field(0, ge=0)

    def needs(self):
        helper.used()
        return tuple(self.parameters.reads)


class Picky(Algorithm):
    """Refuses in its constructor what its parameters allow."""

    class Parameters(Parameters):
        low: int = 0
        high: int = 1

    def __init__(self, parameters=None, direction=""):
        super().__init__(parameters, direction)
        if self.parameters.low > self.parameters.high:
            raise ValueError("low is above high")


class Buggy(Algorithm):
    """Falls over when it is asked what it needs."""

    def needs(self):
        return {}["label"]


class Unfinished(Algorithm):
    """Leaves to its subclasses what it needs."""

    def needs(self):
        raise NotImplementedError


class Needy(Algorithm):
    """Has a parameter without a default."""

    class Parameters(Parameters):
        threshold: float = Field(description="Where it acts.")


class _Private(Algorithm):
    """Not for the catalogue."""
