"""Who asks the API, and whether they may: by a token, or by the browser's session.

A token is sent as `Authorization: Bearer exo_…`; for reading it may also be the password of HTTP Basic, with any user
name, which is what spreadsheets can send. A header that is there decides: with a bad token the session does not count.

A request by Bearer needs no CSRF token, since no browser adds that header by itself; one by session does. Browsers do
add Basic by themselves once they know a password, so that it never writes.
"""

import base64
import binascii
import datetime as dt

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone

from exo_registry.models import Event, Scope, Token, event_log
from exo_registry.web.client_address import client_address

from .problem import Problem

USE_NOTED_EVERY = dt.timedelta(minutes=1)
REFUSAL_NOTED_EVERY = dt.timedelta(hours=1)
READING = ("GET", "HEAD")


def authorise(request: HttpRequest, scope: Scope, *, session: bool = True) -> AbstractBaseUser:
    """The user who asks, if they may use the API for `scope`; from then on it is `request.user`.

    A token is `request.api_token` then, too.

    session: whether a browser's session will do, too. Raises Problem: 401 if no valid token or session came, 403 if its
    user may not.
    """
    token = _token(request)
    if token is not None:
        if not token.allows(scope):
            raise Problem(_refusal(token, scope), 403)
        request.user, request.api_token = token.user, token
    elif not session or not request.user.is_authenticated:
        basic = ", or as the password of HTTP Basic" if request.method in READING else ""
        log_in = ", or log in" if session else ""
        raise _unknown(request, f"Send an API token as the header 'Authorization: Bearer exo_…'{basic}{log_in}.")
    else:
        _check_session(request, scope)
    return request.user


def _unknown(request: HttpRequest, message: str) -> Problem:
    challenges = ['Bearer realm="exoweb"']
    if request.method in READING:
        challenges.append('Basic realm="exoweb: an API token as the password", charset="UTF-8"')
    return Problem(message, 401, headers={"WWW-Authenticate": ", ".join(challenges)})


def _token(request: HttpRequest) -> Token | None:
    """The valid token of the request; None without the header. Raises Problem for any other."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    key = _key(request, header)
    token = Token.objects.select_related("user").filter(digest=Token.hash(key)).first()
    now = timezone.now()
    if token is None or not token.is_valid(now):
        _note_refused(token, request, now)
        raise _unknown(request, "This API token is not known, has expired, or its user is inactive: make a new one.")
    if token.last_used is None or token.last_used < now - USE_NOTED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used=now)
    return token


def _key(request: HttpRequest, header: str) -> str:
    """The token's key in an Authorization header. Raises Problem for a header that holds none."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic":
        raise _unknown(request, "Of the Authorization header, only 'Bearer exo_…' and, to read, Basic are understood.")
    if request.method not in READING:
        raise _unknown(request, "HTTP Basic only reads: to write, send the token as 'Authorization: Bearer exo_…'.")
    try:
        _user_name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = password = ""
    if not colon:
        raise _unknown(request, "The Basic header is not 'user:password' in base64: send any user name and the token.")
    if not password.startswith(Token.PREFIX):
        raise _unknown(request, "The password of HTTP Basic is an API token (exo_…) here, not that of the log-in.")
    return password


def _note_refused(token: Token | None, request: HttpRequest, now: dt.datetime) -> None:
    """Record a token that is not valid, for a feed may have lost its own; the same from one address once an hour.

    Such requests do not wait as log-ins do: keys are too long to be guessed, and a client that waits loses data.
    """
    if token is None:
        what = "An API token that is not known"
    else:
        reason = "has expired" if token.user.is_active else "acts as an inactive user"
        what = f"The API token {token.name}, which {reason},"
    message = f"{what} was sent from {client_address(request) or 'an unknown address'}."
    if not Event.objects.filter(time__gt=now - REFUSAL_NOTED_EVERY, kind="login", message=message).exists():
        event_log.record("login", message, level="warning")


def _refusal(token: Token, scope: Scope) -> str:
    if scope not in token.scopes:
        return f"The token {token.name} is not for this: it would need the scope {scope}."
    return f"{token.user}, whom the token {token.name} acts as, lacks the permission {Token.PERMISSIONS[scope]}."


def _check_session(request: HttpRequest, scope: Scope) -> None:
    permission = Token.PERMISSIONS[scope]
    if permission and not request.user.has_perm(permission):
        raise Problem(f"{request.user} lacks the permission {permission}.", 403)
    if CsrfViewMiddleware(lambda _: HttpResponse()).process_view(request, _checked, (), {}) is not None:
        raise Problem("A request by session needs the page's CSRF token in the header X-CSRFToken.", 403)


def _checked(request: HttpRequest) -> HttpResponse:
    """Stands for a view that is not exempt."""
    return HttpResponse()
