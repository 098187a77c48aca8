"""Strategies that take their time, so that there is something to kill: CHAOS_PAUSE seconds a session."""

import os
import time

from algorithms.engine import Session
from algorithms.engine.legs import future
from algorithms.fixed_legs import FixedLegs

PAUSE = float(os.environ.get("CHAOS_PAUSE", "0"))


class SlowLegs(FixedLegs):
    """One future, slowly."""

    legs = [future(+1)]

    def manage(self, session: Session) -> None:
        time.sleep(PAUSE)
        super().manage(session)
