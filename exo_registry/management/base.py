"""The base of the commands."""

from django.core.management.base import BaseCommand as DjangoCommand


class BaseCommand(DjangoCommand):
    """A command that starts at once: Django's system checks import every page and the admin, which takes longer than
    most commands do. `manage.py check` runs them, and so do the tests."""

    requires_system_checks = ()
