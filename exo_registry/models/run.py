"""Runs and their steps: what was asked for, who works on it, how far it is."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q, Sum
from django.urls import reverse

from .exo import Series
from .product import Product


class Status(models.TextChoices):
    """The states of a step; a run's own state is derived from its steps."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


ACTIVE = (Status.WAITING, Status.RUNNING)
ENDED = (Status.DONE, Status.FAILED, Status.SKIPPED, Status.CANCELLED)


class RunQuerySet(models.QuerySet["Run"]):
    def with_counts(self) -> "RunQuerySet":
        """With their user and what their steps add up to, the newest first.

        The order is said here because Django leaves a model's own order out of a query that groups.
        """
        return (
            self.select_related("user")
            .order_by("-pk")
            .annotate(
                steps_total=Count("steps"),
                steps_ended=Count("steps", filter=Q(steps__status__in=ENDED)),
                steps_failed=Count("steps", filter=Q(steps__status=Status.FAILED)),
                sessions_done=Sum("steps__sessions_done", default=0),
                # Since the run, or its retry, began: what its pace follows from.
                sessions_timed=Sum("steps__sessions_done", filter=Q(steps__started__gte=F("started")), default=0),
                sessions_total=Sum("steps__sessions_total", default=0),
                gaps=Sum("steps__gaps", default=0),
            )
        )


class Run(models.Model):
    """One request to compute, with a step for each series."""

    class Kind(models.TextChoices):
        BACKFILL = "backfill"
        ONLINE = "online"
        CHECK = "check"

    class Mode(models.TextChoices):
        MISSING = "missing", "Missing sessions only"
        STALE = "stale", "Missing sessions and stale series"
        RESET = "reset", "Everything, from the start"

    class Source(models.TextChoices):
        ADMIN = "admin"
        SHELL = "shell"
        SCHEDULE = "schedule"
        API = "api"
        PAGE = "page"

    kind = models.CharField(max_length=16, choices=Kind)
    mode = models.CharField(max_length=16, choices=Mode, default=Mode.MISSING)
    source = models.CharField(max_length=16, choices=Source)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    start = models.DateField(null=True, blank=True, help_text="First session wanted of series without points.")
    until = models.DateField(null=True, blank=True, help_text="Last session wanted; empty: the newest complete one.")
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    cancel_requested = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-created", "-id"]
        permissions = [("start_run", "Can start runs"), ("cancel_run", "Can cancel and retry runs")]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def requested_by(self) -> str:
        """Who or what asked for the run, for people: "vera (page)", "a shell command"."""
        if self.user:
            return f"{self.user} ({self.source})"
        unattended: dict[str, str] = {self.Source.SHELL: "a shell command", self.Source.SCHEDULE: "the schedule"}
        return unattended.get(self.source, f"a deleted user ({self.source})")

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def duration(self) -> dt.timedelta | None:
        """From start to finish; None while it has not finished."""
        return self.finished - self.started if self.started and self.finished else None


class Step(models.Model):
    """One series of a run. Whoever holds `lease_token` may write; `exo_registry.runs.lease` claims and renews it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="steps")
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField(help_text="Dependency order within the run.")
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    reason = models.TextField(blank=True, help_text="Why the plan computes it, or why it was skipped.")
    from_start = models.BooleanField(default=False, help_text="Compute again from the start and write what differs.")
    sessions_done = models.PositiveIntegerField(default=0)
    sessions_total = models.PositiveIntegerField(default=0)
    gaps = models.PositiveIntegerField(default=0)
    rows_written = models.PositiveIntegerField(default=0, help_text="Points added, changed or removed.")
    warnings = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="Claims so far, without those requeued.")
    faults = models.PositiveSmallIntegerField(
        default=0, help_text="Workers that were gone while no other step's was: it fails after a few."
    )
    orphaned_at = models.DateTimeField(null=True, blank=True, help_text="When its worker was last found gone.")
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=100, blank=True, help_text="Host and process that hold, or held, the lease.")
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run", "position"]
        indexes = [models.Index(fields=["status", "lease_until"], name="step_by_lease")]
        constraints = [
            models.UniqueConstraint(fields=["run", "series"], name="step_once_a_run"),
            # One active run a series, held by the database itself.
            models.UniqueConstraint(
                fields=["series"], condition=Q(status__in=["waiting", "running"]), name="one_active_step_a_series"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.series_id}"
