"""Collars: a future with options on both sides of the money."""

from .engine import call, future, put
from .fixed_legs import FixedLegs


class BrokenWingCollar(FixedLegs):
    """A collar with a second, further option on the side of the sold call (bullish) or bought puts (bearish).

    Bullish: long put 5 strikes below the money, long future, short call 5 above, long call 9 above.
    Bearish: long call 5 above, short future, long put 9 below, short put 5 below.
    """

    directions = {"bullish": "Bullish{name}", "bearish": "Bearish{name}"}
    legs = {
        "bullish": [put(offset=-5, qty=+1), future(+1), call(offset=5, qty=-1), call(offset=9, qty=+1)],
        "bearish": [call(offset=5, qty=+1), future(-1), put(offset=-9, qty=+1), put(offset=-5, qty=-1)],
    }


class BullishCollar(FixedLegs):
    """Long future, short call five strikes above the money, long put five below."""

    legs = [future(+1), call(offset=5, qty=-1), put(offset=-5, qty=+1)]
