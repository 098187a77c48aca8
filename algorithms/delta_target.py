"""Legs that are opened anew when their delta has drifted or they have been held for long enough."""

from typing import Literal

from pydantic import Field

from .bands import Band
from .engine import Algorithm, Leg, Parameters, Session, can_open, open_legs
from .fixed_legs import LEGS_HELP

WAITS_FOR = "waits_for"


class DeltaTargetParameters(Parameters):
    """The legs that are held, and when they are opened anew."""

    legs: list[Leg] = Field(description=LEGS_HELP, min_length=1, max_length=50)
    band: Band = Field(default_factory=lambda: Band(), description="Delta band that keeps the position in shape.")
    max_days: int = Field(
        0, ge=0, le=10_000, description="Close when held for more than this many weekdays; 0: no limit."
    )
    reopen: Literal["same_session", "next_session", "next_roll"] = Field(
        "same_session",
        description="When the legs are opened again after the band or the limit of days closed them: in the same "
        "session, at the next one, or when another future or chain has become the active one.",
    )


class DeltaTarget(Algorithm[DeltaTargetParameters]):
    """Hold a list of legs, and close them when their delta leaves a band or they were held for a number of weekdays.

    In order, at each session that holds a position: delta outside the band, or more than `max_days`
    weekdays since the position was opened: close it. What then happens is the reopen rule: `same_session` opens
    the legs anew at once, and closes only if there is what they are chosen from; `next_session` opens them at the
    next session; `next_roll` stays flat until another future or chain is the active one. Before expiry the engine
    closes the position, and the legs are opened anew in the same session.
    Without what the legs are chosen from the series stays flat and still records its point.
    """

    def open(self, session: Session) -> None:
        legs = self.parameters.legs
        if not can_open(session, legs) or self._waits(session):
            return
        open_legs(session, legs, reason="roll" if session.rolled else "open")
        session.memory[WAITS_FOR] = None

    def manage(self, session: Session) -> None:
        p = self.parameters
        if not (self._held_for_long(session) or p.band.is_left(session)):
            return
        if p.reopen == "same_session":
            if can_open(session, p.legs):
                session.close("rebalance")
                open_legs(session, p.legs, "rebalance")
            return
        session.close("close")
        if p.reopen == "next_roll":
            session.memory[WAITS_FOR] = self._active(session)

    def _held_for_long(self, session: Session) -> bool:
        # All trades open or close the whole position, so the newest one opened it.
        return self.parameters.max_days > 0 and session.weekdays_since_trade() > self.parameters.max_days

    def _waits(self, session: Session) -> bool:
        """Whether it must stay flat because the future and chain it was closed on are still the active ones."""
        left = session.memory.get(WAITS_FOR)
        return left is not None and left == self._active(session)

    def _active(self, session: Session) -> list[object]:
        """What the legs are chosen from now: the future and, if one is an option, the chain's expiry and code."""
        name = None if session.future is None else session.market.names[session.future]
        # A chain has no price while its future has none, which is no matter to legs without options.
        if not any(leg.is_option for leg in self.parameters.legs) or session.chain is None:
            return [name, None, None]
        return [name, session.chain.chain.expiry, session.chain.chain.code]
