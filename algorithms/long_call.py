"""A bought call."""

from algorithms.engine import call
from algorithms.fixed_legs import FixedLegs


class BullishCall(FixedLegs):
    """Long one call at the money."""

    legs = [call(offset=0, qty=+1)]
