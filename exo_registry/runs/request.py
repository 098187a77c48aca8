"""Asking for a run: what may be asked for, by which defaults, and the one service that plans, stores and enqueues it.

Pages, admin, API and shell read their input into a `RunRequest`. Its plan is what a preview shows; `request_run` makes
the run of it.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Product, Run, Series

from . import plan, worker

DEFAULT_MODE = Run.Mode.MISSING


class RequestError(ValueError):
    """What is asked for makes no sense; `field` of the request says where, the message why and what to do."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Which series (None: all of a kind), which sessions and how thoroughly, as `plan.make_plan` takes them.

    Raises RequestError where they contradict each other.
    """

    products: Collection[Product] | None = None
    definitions: Collection[Definition] | None = None
    series: Collection[Series] | None = None
    start: dt.date | None = None
    until: dt.date | None = None
    mode: str = DEFAULT_MODE
    kind: str = Run.Kind.BACKFILL

    def __post_init__(self) -> None:
        if self.start and self.until and self.until < self.start:
            raise RequestError("until", f"{self.until} is before the first session asked for, {self.start}. Swap them.")

    def plan(self) -> plan.Plan:
        """What the run would compute. Nothing is written."""
        return plan.make_plan(
            products=self.products,
            definitions=self.definitions,
            series=self.series,
            start=self.start,
            until=self.until,
            mode=self.mode,
            kind=self.kind,
        )


def request_run(asked: RunRequest, *, source: str, user: object = None, queue: bool = True) -> tuple[Run, plan.Plan]:
    """Plan what is asked for, store it as a run and enqueue it; the run and its plan.

    Series of directions that an algorithm's code has got since are made first. `source`: a Run.Source. `user`: who
    asks, None for the shell. `queue=False`: the caller computes it. Raises what `plan.start` raises.
    """
    sync_series()
    planned = asked.plan()
    run = plan.start(planned, user=user, source=source)
    if queue:
        worker.enqueue(run)
    return run, planned
