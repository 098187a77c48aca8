"""Short database work that is tried again when SQLite is too busy to take it."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5


def when_locked(work: Callable[P, R]) -> Callable[P, R]:
    """Call `work` again if it fails on a locked database or a deadlock, both of which pass.

    Inside a caller's own transaction nothing can be tried again: the error goes on.
    """

    @functools.wraps(work)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(ATTEMPTS):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                passing = "locked" in str(error) or "deadlock" in str(error)
                if not passing or connection.in_atomic_block or attempt == ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.05, 0.3) * 2**attempt)  # noqa: S311
        raise AssertionError("not reached")

    return retried
