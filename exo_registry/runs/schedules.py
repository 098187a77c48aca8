"""The schedules that exoweb needs; `migrate` makes those that are missing and leaves an operator's changes alone."""

from django.db import connections

EVERY_MINUTE = {
    "Reconcile runs": "exo_registry.runs.control.reconcile",
    "Compute what is due": "exo_registry.runs.online.tick",
    "Send notifications": "exo_registry.notify.send_digest",
}


def ensure(using: str = "default", **_signal: object) -> None:
    """Make the missing schedules. Called after `migrate`; does nothing while django-q has no tables yet."""
    from django_q.models import Schedule

    if Schedule._meta.db_table not in connections[using].introspection.table_names():
        return
    for name, func in EVERY_MINUTE.items():
        Schedule.objects.using(using).get_or_create(
            name=name,
            defaults={"func": func, "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1},
        )
