"""What the steps of runs add up to, for the pages and the API."""

from django.db.models import Count, Q, QuerySet, Sum

from exo_registry.models import Run, Status
from exo_registry.models.run import ENDED


def runs_with_counts() -> QuerySet[Run]:
    """Runs with their user and what their steps add up to, the newest first.

    The order is said here because Django leaves a model's own order out of a query that groups.
    """
    return (
        Run.objects.select_related("user")
        .order_by("-pk")
        .annotate(
            steps_total=Count("steps"),
            steps_ended=Count("steps", filter=Q(steps__status__in=ENDED)),
            steps_failed=Count("steps", filter=Q(steps__status=Status.FAILED)),
            sessions_done=Sum("steps__sessions_done", default=0),
            sessions_total=Sum("steps__sessions_total", default=0),
            gaps=Sum("steps__gaps", default=0),
        )
    )
