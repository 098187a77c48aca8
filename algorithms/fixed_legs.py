"""A position of fixed legs, opened when flat and held until it is rolled."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field, create_model

from .engine import Algorithm, Leg, Parameters, Session, can_open, open_legs

LEGS_HELP = "Legs in trade order: right, qty, and for options one of offset, delta and moneyness."


class FixedLegsParameters(Parameters):
    """The legs that are held."""

    legs: list[Leg] = Field(description=LEGS_HELP, min_length=1, max_length=50)


class FixedLegs(Algorithm[FixedLegsParameters]):
    """Hold a list of legs, each the active future or an option by strike offset, delta or moneyness, and roll it.

    A strategy of its own is a subclass that sets `legs`: a list, or, with several `directions`, a list for each.
    They become its default parameters, so that a definition can change them. Without what the legs are chosen
    from (an active future; a chain, if one is an option) the series stays flat and still records its point.
    """

    legs: ClassVar[Sequence[Leg] | Mapping[str, Sequence[Leg]]] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "legs" in cls.__dict__:
            by_name = cls.legs if isinstance(cls.legs, Mapping) else {"legs": cls.legs}
            fields: dict[str, Any] = {
                name: (list[Leg], Field(list(legs), description=LEGS_HELP, min_length=1, max_length=50))
                for name, legs in by_name.items()
            }
            cls.Parameters = create_model("Parameters", __base__=Parameters, **fields)

    def open(self, session: Session) -> None:
        legs = getattr(self.parameters, self.direction or "legs")
        if can_open(session, legs):
            open_legs(session, legs, reason="roll" if session.rolled else "open")
