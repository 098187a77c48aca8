"""Database work that meets an error that passes (a lock, a deadlock, a lost connection), or an interrupt."""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from django.db import Error, InterfaceError, OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
# SQLSTATE, or the beginning of it: a transaction rolled back for others' sake, a lock not had, a lost connection,
# a server that is shut down, has crashed or is not up yet.
TRANSIENT_STATES = ("40", "55P03", "08", "57P")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may well succeed in a moment, on a new connection."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if is_lost_connection(error):
        return True
    state = getattr(error.__cause__, "sqlstate", None)
    return state.startswith(TRANSIENT_STATES) if state else "locked" in str(error) or "deadlock" in str(error)


def is_lost_connection(error: Error) -> bool:
    """Whether the server was not reached, or hung up: psycopg's errors without a SQLSTATE come from the client."""
    if connection.vendor != "postgresql" or not isinstance(error.__cause__, connection.Database.Error):
        return False
    state = error.__cause__.sqlstate
    return state is None or state.startswith(("08", "57P"))


@contextmanager
def interrupts_first() -> Iterator[None]:
    """Raise an interrupt, or a task's time limit, itself where a database error came of it.

    One that strikes during a query leaves the connection in the middle of an answer, and ending the transaction then
    fails with an error that would pass for a fault of the step.
    """
    try:
        yield
    except Error as error:
        cause: BaseException | None = error
        while isinstance(cause, Error | connection.Database.Error):
            cause = cause.__cause__ or cause.__context__
        if cause is None or isinstance(cause, Exception):
            raise
        raise cause from None


def drop_connection() -> None:
    """Let the next query of this thread open a new connection. Nothing happens inside a transaction of the caller."""
    if not connection.in_atomic_block:
        connection.close()


def retry_transient(work: Callable[P, R]) -> Callable[P, R]:
    """Call `work` again if it fails on an error that passes. `work` leaves nothing behind when it fails.

    Inside a caller's own transaction nothing can be tried again: the error goes on.
    """

    @functools.wraps(work)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(ATTEMPTS):
            try:
                with interrupts_first():
                    return work(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if connection.in_atomic_block or attempt == ATTEMPTS - 1 or not is_transient(error):
                    raise
                if is_lost_connection(error):
                    connection.close()
                time.sleep(random.uniform(0.05, 0.3) * 2**attempt)  # noqa: S311
        raise AssertionError("not reached")

    return retried
