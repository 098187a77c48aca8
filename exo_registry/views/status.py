"""The state of the installation, live."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exo_registry.models import Event
from exo_registry.operations.status import overview

EVENTS_SHOWN = 10


@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Workers, queues, schedules and products; the same again, without the frame, for the page's own polling."""
    serious = Event.objects.exclude(level=Event.Level.INFO).select_related("run", "series", "product")
    context = {
        "version": settings.VERSION,
        "overview": overview(),
        "events": serious.defer("series__state", "series__sparkline").order_by("-pk")[:EVENTS_SHOWN],
    }
    return render(request, "parts/status.html" if request.htmx else "status.html", context)
