"""Delta bands: when a position has drifted too far."""

from typing import Self

from pydantic import Field, model_validator

from .engine import Parameters, Session


class Band(Parameters):
    """When a position is closed and opened anew: its delta has left [low, high].

    Deltas are those of the whole position, in futures: +1 gains one point's value for each point that the price rises.
    """

    low: float | None = Field(None, description="Rebalance below this delta; empty: never.", allow_inf_nan=False)
    high: float | None = Field(None, description="Rebalance above this delta; empty: never.", allow_inf_nan=False)
    low_after_days: int = Field(
        0, ge=0, le=366, description="Below low, wait until more than this many weekdays have passed since a trade."
    )
    high_after_days: int = Field(
        0, ge=0, le=366, description="Above high, wait until more than this many weekdays have passed since a trade."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self

    def is_left(self, session: Session) -> bool:
        """Whether the position's delta is outside the band, and has been left alone for long enough.

        Args:
            session: The session at whose prices the delta is taken.

        Raises:
            QuoteMissing: Something held has no quote.
        """
        if self.low is None and self.high is None:
            return False
        delta = session.position_delta()
        if self.low is not None and delta < self.low:
            return self._waited(session, self.low_after_days)
        if self.high is not None and delta > self.high:
            return self._waited(session, self.high_after_days)
        return False

    @staticmethod
    def _waited(session: Session, days: int) -> bool:
        return days == 0 or session.weekdays_since_trade() > days
