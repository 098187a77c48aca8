"""What every request and every answer passes, whichever view it is for."""

import codecs
import re
from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.shortcuts import render

from exo_registry.code import loaded_code
from exo_registry.workers import heartbeats

from .api_errors import api_error, is_api

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# The admin of Django and of its add-ons still writes a few inline styles.
ADMIN_POLICY = POLICY | {"style-src": "'self' 'unsafe-inline'"}

LONGEST_QUERY = 8000  # bytes of all parameters of an address, near what web servers take
LONGEST_VALUE = 1000  # characters of one of them: a database reads a search of thousands of words as too complex
# NUL, which no database keeps; half a surrogate pair; what bytes that are not UTF-8 are read as.
UNREADABLE = re.compile("[\x00\ud800-\udfff\ufffd]")

Handler = Callable[[HttpRequest], HttpResponse]


def header(policy: dict[str, str]) -> str:
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


class ContentSecurityPolicy:
    """Adds the Content-Security-Policy header (scripts and styles come from this site's files only) to every response
    that has none of its own, but for Django's debug error pages."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.pages, self.admin = header(POLICY), header(ADMIN_POLICY)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not (settings.DEBUG and response.status_code in (404, 500)):
            policy = self.admin if request.path.startswith("/admin/") else self.pages
            response.headers.setdefault("Content-Security-Policy", policy)
        return response


class CurrentCode:
    """Has strategies that were edited imported anew before a request is answered, and reports the code loaded."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        loaded_code.refresh()
        heartbeats.note_web()
        return self.get_response(request)


class ReadableRequests:
    """Refuses, before any view, a request with text that cannot be read, stored or looked for: NUL, half a surrogate
    pair or bytes that are not UTF-8 in its path, parameters, form fields, names of files or cookies; and addresses
    that are too long."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if len(request.META.get("QUERY_STRING", "")) > LONGEST_QUERY:
            return refused(request, f"The address has more than {LONGEST_QUERY:,} characters: ask for less.", 414)
        try:
            problem = next(problems(request), None)
        except UnreadablePostError:
            problem = "The request broke off: send it again."
        return refused(request, problem) if problem else self.get_response(request)


def problems(request: HttpRequest) -> Iterator[str]:
    """What cannot be used of a request, in sentences."""
    if request.encoding and codecs.lookup(request.encoding).name not in ("utf-8", "ascii"):
        yield "The request is not sent as UTF-8: send it with charset=utf-8."
        return
    if UNREADABLE.search(request.path):
        yield "The address has a character that is not text: check it."
    for name, value in request.COOKIES.items():
        if UNREADABLE.search(name + value):
            yield "A cookie has a character that is not text: delete this site's cookies."
    for name, value in fields(request.GET):
        if len(value) > LONGEST_VALUE:
            yield f"{shown(name)} has more than {LONGEST_VALUE:,} characters: shorten it."
    sent = [*fields(request.GET)]
    if not is_api(request):  # whose bodies are JSON, and read by its views
        sent += [*fields(request.POST), *((name, file.name or "") for name, file in fields(request.FILES))]
    for name, value in sent:
        if UNREADABLE.search(name + value):
            yield f"{shown(name)} has a character that is not text (NUL, or bytes that are not UTF-8): take it out."


def fields(sent: QueryDict) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, values in sent.lists() for value in values)


def shown(name: str) -> str:
    """The name of a field, short and printable."""
    return UNREADABLE.sub("?", name[:40]) or "A field without a name"


def refused(request: HttpRequest, problem: str, status: int = 400) -> HttpResponse:
    if is_api(request):
        return api_error(problem, status)
    return render(request, "400.html", {"problem": problem}, status=status)
