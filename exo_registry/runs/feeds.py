"""Bars that are late, and that have come after all: one event each, for a session and product."""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q

from exo_registry import events
from exo_registry.calendars import decision_instant
from exo_registry.models import Feed

from .due import DELAY, Standing, expected_session

KIND = "delay"


def report(standings: Iterable[Standing], now: dt.datetime) -> tuple[int, int]:
    """Report delays and recoveries that have not been told; returns how many of each.

    Products without a computed series are nobody's concern yet, and made-up data is fed by nobody.
    """
    watched = [one for one in standings if one.computed and not one.product.synthetic]
    feeds = {feed.product_id: feed for feed in Feed.objects.filter(product__in=[one.product for one in watched])}
    told = [_report(one, feeds.get(one.product.pk), now) for one in watched]
    return told.count("late"), told.count("recovered")


def _report(one: Standing, feed: Feed | None, now: dt.datetime) -> str | None:
    expected = expected_session(one.product, now - DELAY)
    if expected is not None and one.session < expected:
        return _late(one, feed, expected, now)
    if feed is not None and feed.late_session is not None and one.session >= feed.late_session:
        return _recovered(one, feed)
    return None


@transaction.atomic
def _late(one: Standing, feed: Feed | None, session: dt.date, now: dt.datetime) -> str | None:
    if feed is not None and feed.late_session is not None and feed.late_session >= session:
        return None
    Feed.objects.get_or_create(product=one.product)
    # Of several who see it at once, one changes the row, and tells.
    untold = Feed.objects.filter(Q(late_session=None) | Q(late_session__lt=session), product=one.product)
    since = feed.late_since if feed is not None and feed.late_session is not None else now
    if not untold.update(late_session=session, late_since=since):
        return None
    minutes = DELAY // dt.timedelta(minutes=1)
    message = (
        f"{one.product}: no bar of {session} {minutes} minutes after its decision time "
        f"({decision_instant(one.product, session):%H:%M} UTC); {_newest(one, session)}. "
        "It is computed when the bar comes."
    )
    events.record(KIND, message, level="warning", product=one.product)
    return "late"


def _newest(one: Standing, session: dt.date) -> str:
    if one.end.session == session and one.end.bar is not None:
        return f"the newest is of {one.end.bar.astimezone(dt.UTC):%H:%M} UTC, too old for it"
    return f"the newest is of {one.end.session}"


@transaction.atomic
def _recovered(one: Standing, feed: Feed) -> str | None:
    held = Feed.objects.filter(product=one.product, late_session=feed.late_session)
    if not held.update(late_session=None, late_since=None):
        return None
    came = f"bars of {one.session} have come"
    if feed.late_session not in (one.session, one.end.session, one.end.previous):
        came += (
            f", none of {feed.late_session} so far: a holiday that the calendar does not know, or a hole in the data"
        )
    since = f"late since {feed.late_since.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    events.record(KIND, f"{one.product}: {came} ({since}).", product=one.product)
    return "recovered"
