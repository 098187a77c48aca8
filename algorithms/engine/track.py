"""One contract's terms, and its values over a run of sessions."""

from dataclasses import dataclass
from typing import NamedTuple


class OptionTerms(NamedTuple):
    """An option's underlying future (number), expiry (day number), strike in points, and right."""

    future: int
    expiry: int
    strike: float
    is_call: bool


@dataclass(slots=True)
class Track:
    """One contract valued at the sessions [start, stop); nan where it has no quote.

    Attributes:
        start: The first session's number.
        stop: The number after the last session's.
        prices: In points, one a session.
        deltas: One a session.
        ages: Calendar days between the session and the futures bar that the value rests on, one a session.
        fresh: Whether that bar is of the session itself, so that the contract can be traded; one a session.
    """

    start: int
    stop: int
    prices: list[float]
    deltas: list[float]
    ages: list[int]
    fresh: list[bool]
