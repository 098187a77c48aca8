"""The active future, rolled: the plainest EXO, and what regime spreads read."""

from .engine import future
from .fixed_legs import FixedLegs


class ContinuousFuture(FixedLegs):
    """Long one active future. Its series is the product's profit and loss without adjustment of prices."""

    legs = [future(+1)]
