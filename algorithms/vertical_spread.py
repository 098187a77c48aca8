"""Vertical spreads."""

from .engine import call, put
from .fixed_legs import FixedLegs


class VerticalSpread(FixedLegs):
    """Long an option two strikes in the money, short one ten strikes out of it: calls or puts."""

    directions = {"call": "Call{name}", "put": "Put{name}"}
    legs = {
        "call": [call(offset=-2, qty=+1), call(offset=10, qty=-1)],
        "put": [put(offset=2, qty=+1), put(offset=-10, qty=-1)],
    }
