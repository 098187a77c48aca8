"""The event log: what happened, to what, in words an operator understands."""

from django.conf import settings
from django.db import models

from .exo import Series
from .product import Product
from .run import Run, Step


class Event(models.Model):
    """One line of the log. A run's log is its events."""

    class Level(models.TextChoices):
        INFO = "info"
        WARNING = "warning"
        ERROR = "error"

    time = models.DateTimeField(auto_now_add=True, db_index=True)
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    kind = models.CharField(
        max_length=32, help_text="import, run, step, online, delay, worker, registry, notify, prune, login"
    )
    message = models.TextField()
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    step = models.ForeignKey(Step, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    series = models.ForeignKey(Series, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        ordering = ["-time", "-id"]

    def __str__(self) -> str:
        return self.message
