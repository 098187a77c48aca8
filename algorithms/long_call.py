"""A bought call."""

from .engine import call
from .fixed_legs import FixedLegs


class BullishCall(FixedLegs):
    """Long one call at the money."""

    legs = [call(offset=0, qty=+1)]
