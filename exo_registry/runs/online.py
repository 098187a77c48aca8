"""Online work: bring series up to the newest complete session, exactly as a backfill would have."""

from collections.abc import Iterable

from exo_registry.models import Definition, Product, Run

from . import plan as plans


def plan_now(
    products: Iterable[Product] | None = None, *, exos: Iterable[Definition] | None = None, now=None
) -> plans.Plan:
    """What it takes to bring the series of some products (None: all active ones) up to date.

    Sessions missed before are part of it: no series is extended across a hole. A series that was never
    backfilled is a problem of the plan, since only somebody who knows can say from when it should start.
    """
    return plans.make_plan(products=products, exos=exos, kind=Run.Kind.ONLINE, now=now)


def run_now(
    products: Iterable[Product] | None = None,
    *,
    exos: Iterable[Definition] | None = None,
    user=None,
    source: str = Run.Source.SCHEDULE,
    now=None,
) -> Run:
    """Start a run for the newest session; the caller computes it (tasks.work) or queues it (tasks.enqueue).

    Raises NothingToDo when all is up to date or refused (the message says which), AlreadyActive as plan.start.
    """
    return plans.start(plan_now(products, exos=exos, now=now), user=user, source=source)
