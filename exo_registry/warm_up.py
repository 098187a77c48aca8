"""What a web process does once before its first request, so that no user waits for it."""

import logging

from django.template.loader import get_template
from django.urls import get_resolver

from .models import Series
from .runs import freshness

log = logging.getLogger(__name__)

PAGES = ("book.html", "series.html", "parts/statistics.html", "parts/position.html", "product.html", "runs.html")


def warm_up() -> None:
    """Import the pages and what they need, read their templates, and find how every series stands: that loads the
    exchange calendars and hashes the algorithms' code. A failure is logged and no more: pages do the same work
    later, and say what is wrong with it."""
    try:
        _ = get_resolver().url_patterns
        for page in PAGES:
            get_template(page)
        freshness.states(Series.objects.select_related("product", "definition").defer("state", "sparkline"))
    except Exception as error:  # of whatever kind: a server that starts slowly is better than none
        log.warning("the first page will be slow: %s: %s", type(error).__name__, error)
