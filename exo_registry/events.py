"""The event log: one function that writes a line of it."""

import logging

from django.contrib.auth.models import AbstractBaseUser

from .models import Event, Product, Run, Series, Step

log = logging.getLogger(__name__)

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
    user: AbstractBaseUser | None = None,
) -> Event:
    """Add a line to the event log, and to the process's own log.

    `kind` groups lines: import, run, step, online, worker, registry, notify. What `step` belongs to
    (its run, series and product) is filled in. A line written inside a transaction shares its fate.
    """
    if step is not None:
        run_id, series_id, product_id = step.run_id, step.series_id, step.product_id
    else:
        run_id = run.pk if run else None
        series_id = series.pk if series else None
        product_id = product.pk if product else series.product_id if series else None
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
