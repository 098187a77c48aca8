"""The page that describes the API and tries it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Every operation of the OpenAPI document, to be read and sent; the log-in counts as it does for any request."""
    return render(request, "api_docs.html")
