"""How a series stands, for the book and the status page: fresh, late, stale, never run or failed, and why."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from exo_registry.models import Series, Status, Step
from exo_registry.models.run import ENDED

from . import lineage
from .due import DELAY, expected_session
from .sessions import DataEnd, calendar_at, data_ends

FRESH, LATE, STALE, NEVER_RUN, FAILED = "fresh", "late", "stale", "never run", "failed"


@dataclass(frozen=True)
class Freshness:
    """One of the five states, and why in words (empty for a fresh series)."""

    state: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.why}" if self.why else self.state


def state(series: Series, now: dt.datetime | None = None) -> Freshness:
    """How one series stands."""
    return states([series], now)[series.pk]


def states(series: Iterable[Series], now: dt.datetime | None = None) -> dict[int, Freshness]:
    """How each series stands, by id: the worst that holds. Four queries whatever their number.

    Definition and product should come with the series (select_related).
    """
    series = list(series)
    # A point may take a while after its session's decision time before the series is called late.
    now = (now or timezone.now()) - DELAY
    products = {one.product for one in series}
    stale = lineage.staleness(series)
    failures = _failures(series)
    ends = data_ends(products)
    newest = {pk: end.newest(now) for pk, end in ends.items()}
    expected = {product.pk: expected_session(product, now) for product in products}
    found = {}
    for one in series:
        product = one.product_id
        why = _late(one.last_session, ends[product], newest[product], expected[product], now)
        found[one.pk] = _state(one, why, stale[one.pk], failures.get(one.pk))
    return found


def _state(series: Series, late: str, stale: list[str], failure: str | None) -> Freshness:
    if failure is not None:
        return Freshness(FAILED, failure)
    if series.last_session is None:
        return Freshness(NEVER_RUN, "never backfilled")
    if stale:
        return Freshness(STALE, "; ".join(stale))
    return Freshness(LATE, late) if late else Freshness(FRESH)


def _late(
    last: dt.date | None, end: DataEnd, newest: dt.date | None, expected: dt.date | None, now: dt.datetime
) -> str:
    """What a series whose newest session is `last` lacks; empty if nothing."""
    if last is None or newest is None:
        return ""
    if last < newest:
        behind = len(calendar_at(end, now).after(last))
        return f"{behind} session{'s' if behind > 1 else ''} behind {newest}"
    if expected is not None and newest < expected:
        return f"market data ends on {newest}; a session was expected on {expected}"
    return ""


def _failures(series: list[Series]) -> dict[int, str]:
    """Errors of the series whose newest ended step failed."""
    newest = Step.objects.filter(series=OuterRef("pk"), status__in=ENDED).order_by("-run_id")
    rows = (
        Series.objects.filter(pk__in=[one.pk for one in series])
        .order_by()
        .annotate(step=Subquery(newest.values("pk")[:1]))
        .values_list("step", flat=True)
    )
    failed = Step.objects.filter(pk__in=rows, status=Status.FAILED)
    return {pk: f"run {run}: {error}" for pk, run, error in failed.values_list("series", "run", "error")}
