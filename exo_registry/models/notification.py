"""What the notifier remembers between two digests; `exo_registry.operations.notifications` reads and writes it."""

from django.db import models


class NotifierState(models.Model):
    """One row. Whoever holds `lease_token` may send and write."""

    ONLY = 1

    checked = models.DateTimeField(null=True, blank=True, help_text="Events up to here have been read.")
    pending = models.JSONField(default=dict, help_text="Problems found and not reported yet, by subject.")
    open = models.JSONField(default=dict, help_text="Problems reported and not over, by subject.")
    over = models.JSONField(default=dict, help_text="Problems reported whose end is not reported yet, by subject.")
    last_sent = models.DateTimeField(null=True, blank=True)
    streak = models.PositiveSmallIntegerField(default=0, help_text="Messages since the last quiet hours.")
    failed_at = models.DateTimeField(null=True, blank=True, help_text="When sending last failed; empty: it works.")
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "notifications"
        verbose_name_plural = "notifications"

    def __str__(self) -> str:
        return "Notifications"
