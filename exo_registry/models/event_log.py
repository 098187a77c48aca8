"""The event log: one function that writes a line of it."""

import logging

from django.contrib.auth.models import AnonymousUser, User

from algorithms.engine.text import shorten

from . import Event, Product, Run, Series, Step

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 10_000

_LOG_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def record(
    kind: str,
    message: str,
    *,
    level: str = "info",
    run: Run | None = None,
    step: Step | None = None,
    series: Series | None = None,
    product: Product | None = None,
    user: User | AnonymousUser | None = None,
) -> Event:
    """Add a line to the event log, and to the process's own log.

    `kind` groups lines: import, run, step, online, worker, registry, notify, login. What `step` belongs to
    (its run, series and product) is filled in. A line written inside a transaction shares its fate. A long message is
    cut, and what a database refuses in a text is written as escapes.
    """
    message = shorten(message, MESSAGE_LIMIT)
    run_id = step.run_id if step else run.pk if run else None
    series_id = step.series_id if step else series.pk if series else None
    product_id = step.product_id if step else product.pk if product else series.product_id if series else None
    log.log(_LOG_LEVELS[level], "%s: %s", kind, message)
    return Event.objects.create(
        kind=kind,
        message=message,
        level=level,
        run_id=run_id,
        step=step,
        series_id=series_id,
        product_id=product_id,
        user=user if user is not None and user.is_authenticated else None,
    )
