"""304 for a series' data that the caller has already."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date, quote_etag

from exo_registry.models import Series


def conditional(
    request: HttpRequest, series: Series, build: Callable[[], HttpResponse], label: str = ""
) -> HttpResponse:
    """The answer that `build` gives, or 304 when the caller's copy is of the series' last computation.

    label: what else the answer shows.
    Callers keep a copy for themselves only, and ask every time.
    """
    moment = series.computed_at.timestamp() if series.computed_at else 0
    etag = quote_etag(f"{series.pk}-{series.generation}-{series.points_count}-{moment}{label}")
    response = get_conditional_response(request, etag=etag, last_modified=int(moment) or None)
    if response is None:
        response = build()
        response["ETag"] = etag
        if moment:
            response["Last-Modified"] = http_date(moment)
    patch_cache_control(response, private=True, no_cache=True)
    return response
