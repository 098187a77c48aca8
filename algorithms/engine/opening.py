"""Legs opened at a session: whether there is what they are chosen from, and their trades."""

from collections.abc import Iterable

from .legs import Leg
from .session import Session


def can_open(session: Session, legs: Iterable[Leg]) -> bool:
    """Whether there is what the legs are chosen from: an active future, and a chain if one is an option.

    Raises:
        Gap: The active chain cannot be looked at.
    """
    if any(leg.is_option for leg in legs):
        return session.chain is not None
    return session.future is not None


def open_legs(session: Session, legs: Iterable[Leg], reason: str) -> None:
    """Find every leg's contract, then trade them in order.

    Args:
        session: Where they are traded.
        legs: In trade order.
        reason: Of the trades, of at most 16 characters.

    Raises:
        Gap: A leg cannot be found or has no quote; nothing of the session is kept.
    """
    contracts = [(session.find(leg), leg) for leg in legs]
    session.market.value_together([contract for contract, _ in contracts], session.index)
    for contract, leg in contracts:
        session.trade(contract, leg.qty, leg=leg.label, reason=reason)
