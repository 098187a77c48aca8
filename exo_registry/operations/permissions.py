"""The groups that every installation starts with, made after each migration.

A group that exists is left as it is, so that what an administrator changed stays. To use the admin, a person
also needs the staff status. Users, groups, schedules and stored tasks are for superusers.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig

VIEWED = ("product", "revision", "definition", "series", "point", "trade", "gap", "run", "step", "event")
VIEWER = tuple(f"view_{model}" for model in VIEWED)
TRADER = (*VIEWER, "start_run")
OPERATOR = (*TRADER, "cancel_run", "change_product")
QUANT = (
    *OPERATOR,
    "add_product",
    "delete_product",
    "add_definition",
    "change_definition",
    "delete_definition",
    "delete_series",
)
GROUPS = {"viewer": VIEWER, "trader": TRADER, "operator": OPERATOR, "quant": QUANT}
# The same in words, for the admin and docs/security.md.
MAY = {
    "viewer": "see everything in the registry and on the pages, and read it over the API",
    "trader": "also start runs",
    "operator": "also cancel and retry runs, and change products (put them in and out of calculation)",
    "quant": "also add and delete products and EXO definitions, and delete series (forget what was computed)",
}


def make_groups(sender: AppConfig, using: str = "default", **kwargs: Any) -> None:
    """Make the groups that are missing (a post_migrate handler)."""
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    create_permissions(sender, verbosity=0, using=using)  # its own handler may come after this one
    for name, codenames in GROUPS.items():
        group, created = Group.objects.using(using).get_or_create(name=name)
        if created:
            group.permissions.set(_permissions(Permission.objects.using(using), sender.label, codenames))


def _permissions(permissions: Any, app_label: str, codenames: Iterable[str]) -> list[Any]:
    return list(permissions.filter(content_type__app_label=app_label, codename__in=codenames))
