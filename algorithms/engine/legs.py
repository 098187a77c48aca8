"""Legs: what a strategy holds, said as parameters."""

from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Leg(BaseModel):
    """One leg of a position: the active future, or an option of the active chain.

    An option is found in one of three ways: by strike offset, by delta, or by moneyness.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    right: Literal["C", "P", "F"] = Field(description="C for a call, P for a put, F for the active future.")
    qty: float = Field(
        description="Contracts, long above zero, short below; never zero.", allow_inf_nan=False, ge=-10_000, le=10_000
    )
    offset: int | None = Field(
        None, description="Strikes above the money, below if negative; 0 is at the money.", ge=-1000, le=1000
    )
    delta: float | None = Field(
        None, description="Delta that the option must have reached: 0 to 1 for a call, -1 to 0 for a put.", gt=-1, lt=1
    )

    moneyness: float | None = Field(
        None,
        description="Strike divided by the future's price: 0.95 is five percent below. The nearest quoted strike.",
        gt=0,
        le=10,
        allow_inf_nan=False,
    )

    @model_validator(mode="after")
    def _one_way_to_find_it(self) -> Self:
        if self.qty == 0:
            raise ValueError("qty is 0: give the number of contracts, or leave the leg out")
        given = [name for name in ("offset", "delta", "moneyness") if getattr(self, name) is not None]
        if self.right == "F" and given:
            raise ValueError(f"a future has no {given[0]}: leave it out")
        if self.right != "F" and len(given) != 1:
            choice = f"has {' and '.join(given)}" if given else "has none"
            raise ValueError(f"an option leg needs one of offset, delta and moneyness; this one {choice}")
        if self.delta is not None and (self.delta == 0 or (self.delta > 0) != (self.right == "C")):
            wanted = "above zero" if self.right == "C" else "below zero"
            raise ValueError(f"the delta of a {'call' if self.right == 'C' else 'put'} is {wanted}, not {self.delta:g}")
        return self

    @property
    def is_option(self) -> bool:
        return self.right != "F"

    @cached_property
    def label(self) -> str:
        """How trades name the leg: F, P[-5] (strike offset), C(0.6) (delta), P(95%) (moneyness)."""
        if not self.is_option:
            return "F"
        if self.moneyness is not None:
            return f"{self.right}({100 * self.moneyness:g}%)"
        return f"{self.right}[{self.offset}]" if self.delta is None else f"{self.right}({self.delta:g})"


def future(qty: float) -> Leg:
    """The active future.

    Args:
        qty: Contracts, long above zero, short below.

    Raises:
        ValueError: `qty` is zero or out of bounds (pydantic's ValidationError).
    """
    return Leg(right="F", qty=qty)


def call(*, qty: float, offset: int | None = None, delta: float | None = None, moneyness: float | None = None) -> Leg:
    """A call of the active chain, found in one of three ways.

    Args:
        qty: Contracts, long above zero, short below.
        offset: Strikes above the money, below if negative.
        delta: What its delta must have reached, between 0 and 1.
        moneyness: Strike / price of the future.

    Raises:
        ValueError: None or several ways are given, or a number is out of bounds (pydantic's ValidationError).
    """
    return Leg(right="C", qty=qty, offset=offset, delta=delta, moneyness=moneyness)


def put(*, qty: float, offset: int | None = None, delta: float | None = None, moneyness: float | None = None) -> Leg:
    """A put of the active chain, found in one of three ways.

    Args:
        qty: Contracts, long above zero, short below.
        offset: Strikes above the money, below if negative.
        delta: What its delta must have reached, between -1 and 0.
        moneyness: Strike / price of the future.

    Raises:
        ValueError: None or several ways are given, or a number is out of bounds (pydantic's ValidationError).
    """
    return Leg(right="P", qty=qty, offset=offset, delta=delta, moneyness=moneyness)
