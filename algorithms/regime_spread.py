"""Spreads that follow a regime: one set of legs for each zone, chosen by a signal on the product's future."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from typing_extensions import TypeVar

from . import signals
from .bands import Band
from .engine import Algorithm, Leg, Parameters, Session, Signal, can_open, open_legs

UNDERLYING = "ContFut"
ZONES: dict[object, str] = {signals.BULLISH: "bullish", signals.BEARISH: "bearish", signals.NEUTRAL: "neutral"}


class Zone(Parameters):
    """What is held in one regime."""

    legs: list[Leg] = Field(default_factory=list, max_length=50, description="Legs in trade order; none: flat.")
    band: Band = Field(default_factory=lambda: Band(), description="Delta band that keeps the position in shape.")


class RegimeParameters(Parameters):
    """What is held in each regime."""

    bullish: Zone = Field(default_factory=lambda: Zone(), description="Legs and band of the bullish regime.")
    bearish: Zone = Field(default_factory=lambda: Zone(), description="Legs and band of the bearish regime.")
    neutral: Zone = Field(default_factory=lambda: Zone(), description="Legs and band of the neutral regime.")


R = TypeVar("R", bound=RegimeParameters, default=RegimeParameters)


class RegimeSpread(Algorithm[R], ABC):
    """Hold the legs of the regime that a signal tells, and open them anew when delta leaves the zone's band.

    The signal reads the `exo` points of the product's ContFut series up to and including the session. In order:
    rolled in this session, or the regime is not the zone held: close what is left and open the new zone's legs;
    same zone, and delta outside its band: close and reopen; unknown regime: close, and no zone is held.
    Without what the legs are chosen from, nothing is opened, and the next session tries again.

    A subclass names the signal, with the parameters that it takes.
    """

    columns = ("regime",)

    @abstractmethod
    def make_signal(self) -> Signal:
        """The regime signal: 1 bullish, -1 bearish, 0 neutral, None unknown."""

    def signals(self) -> Mapping[str, tuple[str, Signal]]:
        return {"regime": (UNDERLYING, self.make_signal())}

    def open(self, session: Session) -> None:
        regime = session.signal("regime")
        session.record(regime=regime)
        if regime is None:
            session.close("regime")
            session.memory["zone"] = None
            return
        name = ZONES[regime]
        zone: Zone = getattr(self.parameters, name)
        held = session.memory.get("zone")
        if session.rolled or held != name:
            self._change(session, zone, name, reason="roll" if session.rolled else "regime")
        elif session.position and zone.band.is_left(session) and can_open(session, zone.legs):
            session.close("rebalance")
            open_legs(session, zone.legs, "rebalance")

    manage = open

    @staticmethod
    def _change(session: Session, zone: Zone, name: str, reason: str) -> None:
        session.close("regime")
        ready = not zone.legs or can_open(session, zone.legs)
        if zone.legs and ready:
            open_legs(session, zone.legs, reason)
        session.memory["zone"] = name if ready else None


class IchimokuParameters(RegimeParameters):
    """What is held in each regime, and the windows of the cloud."""

    conversion: int = Field(9, ge=1, le=1000, description="Points of the conversion line.")
    base: int = Field(26, ge=1, le=1000, description="Points of the base line.")
    displacement: int = Field(26, ge=0, le=1000, description="Points by which the cloud is displaced forward.")
    span_b: int = Field(52, ge=1, le=1000, description="Points of span B.")
    spans: Literal["both", "a"] = Field("both", description="both, or a: the cloud is span A alone.")


class IchimokuSpread(RegimeSpread[IchimokuParameters]):
    """A regime spread on the Ichimoku cloud of the product's future."""

    def make_signal(self) -> Signal:
        p = self.parameters
        return signals.Ichimoku(p.conversion, p.base, p.displacement, p.span_b, p.spans)


class SwingpointParameters(RegimeParameters):
    """What is held in each regime, and what confirms a swing point."""

    high_threshold: int = Field(2, ge=0, le=1000, description="Points below a running high that confirm it.")
    low_threshold: int = Field(2, ge=0, le=1000, description="Points above a running low that confirm it.")


class SwingpointSpread(RegimeSpread[SwingpointParameters]):
    """A regime spread on the confirmed swing highs and lows of the product's future."""

    def make_signal(self) -> Signal:
        return signals.SwingPoints(self.parameters.high_threshold, self.parameters.low_threshold)
