"""How a series stands, for the book and the status page: fresh, late, stale, never run or failed, and why."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from exo_registry.calendars import CalendarError, newest_complete_session
from exo_registry.models import Product, Series, Status, Step
from exo_registry.models.run import ENDED

from . import lineage
from .sessions import Calendar, calendars

# How long after a session's decision time its point may take before the series is called late.
GRACE = dt.timedelta(minutes=15)

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
    now = now or timezone.now()
    products = {one.product for one in series}
    known = calendars(products, now - GRACE)
    expected = {product.pk: _expected(product, now - GRACE) for product in products}
    stale = lineage.staleness(series)
    failures = _failures(series)
    return {
        one.pk: _state(one, known[one.product_id], expected[one.product_id], stale[one.pk], failures.get(one.pk))
        for one in series
    }


def _expected(product: Product, now: dt.datetime) -> dt.date | None:
    """The newest session that the exchange has completed; None for made-up data, which nobody feeds."""
    if product.synthetic:
        return None
    try:
        return newest_complete_session(product, now)
    except CalendarError:
        return None


def _state(
    series: Series, calendar: Calendar, expected: dt.date | None, stale: list[str], failure: str | None
) -> Freshness:
    if failure is not None:
        return Freshness(FAILED, failure)
    if series.last_session is None:
        return Freshness(NEVER_RUN, "never backfilled")
    if stale:
        return Freshness(STALE, "; ".join(stale))
    if calendar and series.last_session < calendar.newest:
        behind = len(calendar.after(series.last_session))
        return Freshness(LATE, f"{behind} session{'s' if behind > 1 else ''} behind {calendar.newest}")
    if expected is not None and calendar.newest is not None and calendar.newest < expected:
        return Freshness(LATE, f"market data ends on {calendar.newest}; a session was expected on {expected}")
    return Freshness(FRESH)


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
