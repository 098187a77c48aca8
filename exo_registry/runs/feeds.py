"""Bars that are late, and that have come after all: one event each, for a session and product."""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q

from exo_registry.market.calendars import decision_instant
from exo_registry.models import Feed, event_log
from exo_registry.series.product_data import DELAY

from .due import ProductWork

KIND = "delay"


def report(work: Iterable[ProductWork], now: dt.datetime) -> tuple[int, int]:
    """Report delays and recoveries that have not been reported yet; returns how many of each.

    Left out are products without a computed series, synthetic data, which has no feed, and data that cannot be read,
    which is reported as that.
    """
    watched = [
        product_work
        for product_work in work
        if product_work.computed and not product_work.product.is_synthetic and not product_work.problem
    ]
    feeds = {
        feed.product_id: feed
        for feed in Feed.objects.filter(product__in=[product_work.product for product_work in watched])
    }
    reported = [_report(product_work, feeds.get(product_work.product.pk), now) for product_work in watched]
    return reported.count("late"), reported.count("recovered")


def _report(work: ProductWork, feed: Feed | None, now: dt.datetime) -> str | None:
    expected, newest = work.data.punctual.expected, work.data.computable
    if expected is not None and newest < expected:
        return _late(work, feed, expected, now)
    if feed is not None and feed.late_session is not None and newest >= feed.late_session:
        return _recovered(work, feed)
    return None


@transaction.atomic
def _late(work: ProductWork, feed: Feed | None, session: dt.date, now: dt.datetime) -> str | None:
    if feed is not None and feed.late_session is not None and feed.late_session >= session:
        return None
    Feed.objects.get_or_create(product=work.product)
    # Of several processes that see it at once, one changes the row, and reports.
    unreported = Feed.objects.filter(Q(late_session=None) | Q(late_session__lt=session), product=work.product)
    since = feed.late_since if feed is not None and feed.late_session is not None else now
    if not unreported.update(late_session=session, late_since=since):
        return None
    minutes = DELAY // dt.timedelta(minutes=1)
    message = (
        f"{work.product}: no bar of {session} {minutes} minutes after its decision time "
        f"({decision_instant(work.product, session):%H:%M} UTC); {_newest(work, session)}. "
        "It is computed when the bar comes."
    )
    event_log.record(KIND, message, level="warning", product=work.product)
    return "late"


def _newest(work: ProductWork, session: dt.date) -> str:
    end = work.data.end
    if end.session == session and end.bar is not None:
        return f"the newest is of {end.bar.astimezone(dt.UTC):%H:%M} UTC, too old for it"
    return f"the newest is of {end.session}"


@transaction.atomic
def _recovered(work: ProductWork, feed: Feed) -> str | None:
    held = Feed.objects.filter(product=work.product, late_session=feed.late_session)
    if not held.update(late_session=None, late_since=None):
        return None
    newest, end = work.data.computable, work.data.end
    came = f"bars of {newest} have come"
    if feed.late_session not in (newest, end.session, end.previous):
        came += (
            f", none of {feed.late_session} so far: a holiday that the calendar does not know, or a hole in the data"
        )
    since = f"late since {feed.late_since.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    event_log.record(KIND, f"{work.product}: {came} ({since}).", product=work.product)
    return "recovered"
