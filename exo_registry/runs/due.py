"""What online work has to do now: a few queries, and no read of market data but after an import that changed the past.

A series is due when its product's newest session can be computed and the series lacks it, when an earlier session's
bars came after all, or when a bar of the newest session came or changed after the series was computed. A session can
be computed once its decision time has passed and its newest bar is fresh enough: a bar that is a date alone, or one
that was at most BAR_AGE old at the decision time.

Products whose data ended more than LIVE before the session that is expected are history, not a feed: they are left to
backfills.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import F, Q

from exo_registry.calendars import CalendarError, newest_complete_session
from exo_registry.models import Product, Run, Series, Status, Step
from exo_registry.models.run import ACTIVE

from . import lineage
from .sessions import DataEnd, calendar_at, data_ends

BAR_AGE = dt.timedelta(minutes=30)  # older at decision time: the feed has stopped, and the price is not the session's
DELAY = dt.timedelta(minutes=15)  # after decision time without a fresh bar: late
LIVE = dt.timedelta(days=30)  # data that ended longer ago is history


@dataclass
class Standing:
    """How a product stands at a moment. `session`: the newest that can be computed, None if there is none.

    `missing` and `corrected` are the series (ids) that are due: for want of sessions, or since the newest one's bars
    changed.
    `busy`: those of them that a run is computing. `never`: series without a first backfill.
    """

    product: Product
    end: DataEnd
    session: dt.date | None
    expected: dt.date | None
    computed: int = 0
    missing: set[int] = field(default_factory=set)
    corrected: set[int] = field(default_factory=set)
    busy: set[int] = field(default_factory=set)
    never: dict[int, str] = field(default_factory=dict)

    @property
    def due(self) -> set[int]:
        return (self.missing | self.corrected) - self.busy


def look(now: dt.datetime, products: Iterable[int] | None = None) -> list[Standing]:
    """How active products (ids; None: all) that have data and a live feed stand at `now`."""
    active = Product.objects.filter(active=True)
    if products is not None:
        active = active.filter(pk__in=list(products))
    found = {pk: _standing(end, now) for pk, end in data_ends(active).items() if end.number}
    found = {pk: one for pk, one in found.items() if _is_live(one, now)}
    if not found:
        return []
    for product_id, *series in _series(found):
        _place(found[product_id], now, *series)
    _leave_out_tried(found)
    return list(found.values())


def _standing(end: DataEnd, now: dt.datetime) -> Standing:
    return Standing(end.product, end, end.newest(now, BAR_AGE), expected_session(end.product, now))


def expected_session(product: Product, now: dt.datetime) -> dt.date | None:
    """The newest session that the exchange has completed; None for made-up data, which nobody feeds."""
    if product.synthetic:
        return None
    try:
        return newest_complete_session(product, now)
    except CalendarError:
        return None


def _is_live(one: Standing, now: dt.datetime) -> bool:
    if one.session is None:
        return False
    return (one.expected or now.date()) - one.session <= LIVE


def _series(products: Iterable[int]) -> Iterable[tuple]:
    """The series in calculation: product, and what `_place` takes."""
    meant = Q(definition__products=None) | Q(definition__products=F("product"))
    return (
        Series.objects.filter(meant, product__in=products, definition__enabled=True)
        .order_by("name")
        .annotate(corrected=lineage.corrected_from(), stored=F("points_count") + F("gaps_count"))
        .values_list("product_id", "pk", "name", "start", "last_session", "stored", "corrected")
    )


def _place(
    one: Standing,
    now: dt.datetime,
    pk: int,
    name: str,
    start: dt.date | None,
    last: dt.date | None,
    stored: int,
    corrected: dt.date | None,
) -> None:
    if last is None:
        one.never[pk] = name
        return
    one.computed += 1
    if last < one.session:
        one.missing.add(pk)
    elif corrected is None:
        return
    elif last == one.session == corrected:
        one.corrected.add(pk)
    elif stored != len(calendar_at(one.end, now).between(start, last)):
        one.missing.add(pk)


def _leave_out_tried(found: dict[int, Standing]) -> None:
    """Take out what an online run has tried for this session and this data without success: once is enough.

    New data, the next session or an operator's retry try again.
    """
    due = {pk: one for one in found.values() for pk in one.due}
    if not due:
        return
    tried = Q(run__kind=Run.Kind.ONLINE, status__in=(Status.FAILED, Status.SKIPPED, Status.CANCELLED))
    steps = Step.objects.filter(Q(status__in=ACTIVE) | tried, series__in=due)
    for pk, status, until, created in steps.values_list("series", "status", "run__until", "run__created"):
        one = due[pk]
        if status in ACTIVE:
            one.busy.add(pk)
        elif until == one.session and created >= one.end.imported:
            one.missing.discard(pk)
            one.corrected.discard(pk)
