"""The schedules that exoweb needs; `migrate` makes those that are missing and leaves an operator's changes alone."""

import datetime as dt

from django.db import connections
from django.utils import timezone

EVERY_MINUTE = {
    "Reconcile runs": "exo_registry.runs.control.reconcile",
    "Compute what is due": "exo_registry.runs.online.tick",
    "Send notifications": "exo_registry.operations.notifications.send_digest",
}

EVERY_DAY = {"Remove old records": "exo_registry.operations.retention.prune"}
QUIET_HOUR = 4  # UTC: no exchange that the desk trades decides then


def ensure(using: str = "default", **_signal: object) -> None:
    """Make the missing schedules. Called after `migrate`; does nothing while django-q has no tables yet."""
    from django_q.models import Schedule

    if Schedule._meta.db_table not in connections[using].introspection.table_names():
        return
    minutely = {"schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
    tomorrow = (timezone.now() + dt.timedelta(days=1)).replace(hour=QUIET_HOUR, minute=7, second=0, microsecond=0)
    daily = {"schedule_type": Schedule.DAILY, "next_run": tomorrow, "repeats": -1}
    for functions, when in ((EVERY_MINUTE, minutely), (EVERY_DAY, daily)):
        for name, func in functions.items():
            Schedule.objects.using(using).get_or_create(name=name, defaults={"func": func, **when})
