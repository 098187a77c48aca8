"""What a user sees of an error that nothing else has answered."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from exo_registry.failures import explain
from exo_registry.web.api_errors import SENTENCES, api_error, is_api


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with one sentence for what fails around exoweb, such as its database or the market data; otherwise 500.

    The API answers in JSON, a part of a page in plain text, which the page shows in the place of the part. Needs no
    database. Django has logged the error by now.
    """
    reason = explain(sys.exc_info()[1])
    status = 503 if reason else 500
    if is_api(request):
        return api_error(reason or SENTENCES[500], status)
    if reason and "HX-Request" in request.headers:
        return HttpResponse(reason, status=status, content_type="text/plain; charset=utf-8")
    return render(None, "500.html", {"reason": reason}, status=status)
