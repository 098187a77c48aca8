"""For machines: /healthz for load balancers and monitors, /metrics for Prometheus."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exo_registry.api.endpoint import Endpoint, operation
from exo_registry.operations import metrics as figures
from exo_registry.operations import status


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 and "ok"; 503 when the database is unavailable, or steps wait and no worker is active. Needs no log-in."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        idle = status.idle_work()
    except DatabaseError:
        return _plain("database unavailable", 503)
    return _plain("no active workers", 503) if idle else _plain("ok", 200)


def _plain(text: str, code: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=code, content_type="text/plain")


@operation()
def read_metrics(request: HttpRequest) -> HttpResponse:
    """Figures in Prometheus' text format, counted when asked; for an API token with the scope read, or a log-in."""
    return HttpResponse(figures.exposition(), content_type=figures.CONTENT_TYPE)


metrics = never_cache(Endpoint(get=read_metrics))
