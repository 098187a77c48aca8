"""The Content-Security-Policy header: scripts and styles come from this site's files only."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

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


def header(policy: dict[str, str]) -> str:
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


class ContentSecurityPolicy:
    """Adds the header to every response that has none of its own, but for Django's debug error pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.pages, self.admin = header(POLICY), header(ADMIN_POLICY)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not (settings.DEBUG and response.status_code in (404, 500)):
            policy = self.admin if request.path.startswith("/admin/") else self.pages
            response.headers.setdefault("Content-Security-Policy", policy)
        return response
