"""What processes that live long do once before their work begins, so that nobody waits for it."""

import logging

from django.template.loader import get_template
from django.urls import get_resolver

from .models import Series
from .series.assessment import assess

log = logging.getLogger(__name__)

PAGES = ("book.html", "series.html", "parts/statistics.html", "parts/position.html", "product.html", "runs.html")


def import_slow_packages() -> None:
    """Import what commands import on use only. A cluster does so before it forks its workers, which share it then."""
    import pandas  # noqa: F401
    import scipy.optimize
    import scipy.special  # noqa: F401


def warm_up() -> None:
    """Of a web process: import the pages and what they need, read their templates, and assess every series; that loads
    the exchange calendars and hashes the algorithms' code. A failure is logged and no more: pages do the same work
    later, and say what is wrong with it."""
    try:
        import_slow_packages()
        _ = get_resolver().url_patterns
        for page in PAGES:
            get_template(page)
        assess(Series.objects.light())
    except Exception as error:  # of whatever kind: a server that starts slowly is better than none
        log.warning("the first page will be slow: %s: %s", type(error).__name__, error)
