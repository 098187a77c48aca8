"""One algorithm, whose `how` says in which way its third session fails."""

import os
from collections.abc import Callable

import numpy as np

from algorithms.engine import Algorithm, Gap, Parameters, Session

FAILS_AT = 2  # the third session


class TextRaises(Exception):
    def __str__(self):
        raise SystemExit(4)


class EndlessText:
    def __repr__(self):
        return repr([self])


def recurse() -> None:
    recurse()


def raised(error: BaseException) -> Callable[[Session], None]:
    def fail(session: Session) -> None:
        raise error

    return fail


def recorded(value: object) -> Callable[[Session], None]:
    return lambda session: session.record(column=value)


def remembered(value: object) -> Callable[[Session], None]:
    return lambda session: session.memory.update(key=value)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


# What the session does, and what its step's error says of it.
FAILURES: dict[str, tuple[Callable[[Session], None], str]] = {
    "long message": (raised(ValueError("x" * 3_000_000)), "ValueError: xxx"),
    "nul": (raised(ValueError("a\0b")), r"ValueError: a\x00b"),
    "surrogate": (raised(ValueError("a\ud800b")), r"ValueError: a\ud800b"),
    "no message": (raised(ZeroDivisionError()), "ZeroDivisionError"),
    "system exit": (raised(SystemExit(3)), "SystemExit: 3"),
    "interrupt": (raised(KeyboardInterrupt()), "KeyboardInterrupt"),
    "memory": (lambda session: bytearray(1 << 60), "MemoryError"),
    "recursion": (lambda session: recurse(), "RecursionError: maximum recursion depth exceeded"),
    "text raises": (raised(TextRaises()), "TextRaises: (its message cannot be shown: SystemExit)"),
    "endless text": (raised(ValueError(EndlessText())), "ValueError: (its message cannot be shown: RecursionError)"),
    "group": (raised(ExceptionGroup("both", [ValueError("a"), ValueError("b")])), "ExceptionGroup: both (2 sub"),
    "other base": (raised(GeneratorExit()), "GeneratorExit"),
    "quantity nan": (lambda s: s.trade(s.future, float("nan")), "a quantity of nan cannot be traded"),
    "quantity huge": (lambda s: s.trade(s.future, 1e300), "a quantity of 1e+300 cannot be traded"),
    "quantity text": (lambda s: s.trade(s.future, "1"), "a quantity is a number of contracts, not of type str"),
    "no contract": (lambda s: s.trade(None, 1), "None is no contract"),
    "last contract": (lambda s: s.trade(-1, 1), "-1 is no contract"),
    "long leg": (lambda s: s.trade(s.future, 1, leg="l" * 65), "is too long: 64 characters are kept"),
    "endless trades": (
        lambda s: [s.trade(s.future, 1) for _ in range(20_000)],
        "more than 10,000 trades in one session",
    ),
    "long reason": (lambda s: s.trade(s.future, 1, reason="because of everything"), "is too long: 16 characters"),
    "record nan": (recorded(np.float64("nan")), "record['column'] is nan: use None where there is no value"),
    "record infinity": (recorded([1.0, float("-inf")]), "record['column'][1] is -inf"),
    "record array": (recorded(np.zeros(2)), "record['column'] is of type numpy.ndarray: use numbers, text"),
    "record nul": (recorded("a\0"), "record['column'] has a NUL character in it"),
    "record surrogate": (recorded("\ud800"), "record['column'] has half a surrogate pair in it"),
    "record huge": (recorded("x" * 3_000_000), "record is too large: at most 10,000 values and characters are kept"),
    "record integer": (recorded(1 << 64), "record['column'] is a whole number of more than 64 bits"),
    "record deep": (recorded(nested(5000)), "record is nested more than 20 deep"),
    "record keys": (recorded({1: 2}), "record['column'] has the key 1, of type int: keys are text"),
    "memory nan": (remembered({"a": float("nan")}), "session.memory['key']['a'] is nan"),
    "memory set": (remembered({1, 2}), "session.memory['key'] is of type set"),
    "memory replaced": (lambda session: setattr(session, "memory", None), "session.memory is a dict"),
}


class Awkward(Algorithm):
    """Holds the future and fails at its third session, in the way that `how` names."""

    class Parameters(Parameters):
        how: str

    def open(self, session: Session) -> None:
        if session.index == FAILS_AT:
            FAILURES[self.parameters.how][0](session)

    manage = open


class WorkerDies(Algorithm):
    """Ends its process."""

    def open(self, session: Session) -> None:
        os._exit(3)


class Talks(Algorithm):
    """Warns at length, and leaves gaps with awkward reasons."""

    def open(self, session: Session) -> None:
        session.warn("w" * 100_000 + "\0")
        if session.index == FAILS_AT:
            raise Gap("g" * 3_000_000 + "\0")
        session.record(
            float=np.float64(1.5), int=np.int64(3), bool=np.bool_(True), text=np.str_("t"), pair=(1, None), zero=-0.0
        )
