"""What saving a definition did to its series, said after the save: which are stale now, which have no points yet."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from exo_registry.formats.text import counted
from exo_registry.models import Definition, Run, Series
from exo_registry.runs.request import DEFAULT_MODE
from exo_registry.series.assessment import State, assess

from .base import page

MOST_NAMES = 8  # series that a message names


def to_backfill(definition: Definition, user: AbstractBaseUser) -> Iterator[tuple[int, SafeString]]:
    """(level, message) for the stale series of a definition and for those without points, if there are any.

    Each names its series with links, and has a link to their backfill for a user who may start one.
    """
    query = Series.objects.in_calculation().filter(definition=definition).select_related("definition", "product")
    series = list(query.defer("state", "sparkline").order_by("name"))
    assessments = assess(series)
    for state, level, singular, plural in (
        (State.STALE, messages.WARNING, "series is stale now", "series are stale now"),
        (State.NEVER_RUN, messages.INFO, "series has no points yet", "series have no points yet"),
    ):
        chosen = [item for item in series if assessments[item.pk].state == state]
        if chosen:
            mode = Run.Mode.STALE if state == State.STALE else DEFAULT_MODE
            backfill = _backfill_link(definition, mode) if user.has_perm("exo_registry.start_run") else ""
            text = format_html("{}: {}.{}", counted(len(chosen), singular, plural), _linked(chosen), backfill)
            yield level, text


def _backfill_link(definition: Definition, mode: str) -> SafeString:
    query = urlencode({"exo": definition.name, "mode": mode})
    return format_html(' <a href="{}?{}">Backfill</a>', reverse("run-new"), query)


def _linked(series: Sequence[Series]) -> SafeString:
    """Links to the first few series, and how many more there are."""
    links = format_html_join(", ", "{}", ((page(item),) for item in series[:MOST_NAMES]))
    rest = len(series) - MOST_NAMES
    return format_html("{} and {} more", links, rest) if rest > 0 else links
