"""Who asks the API, and whether they may: a token in the header, or the browser's session.

A token is sent as `Authorization: Bearer exo_…`. A header that is there decides: with a bad token the session does not
count. A request by token needs no CSRF token, since no browser adds the header by itself; one by session does.
"""

import datetime as dt
import functools
from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from exo_registry.models import Token

USE_NOTED_EVERY = dt.timedelta(minutes=1)


class Denied(Exception):
    """A request that is refused: 401 if nobody is known to ask, 403 if they may not. The message is for the caller."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> JsonResponse:
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return JsonResponse({"error": str(self)}, status=self.status, headers=headers)


def authorise(request: HttpRequest, scope: str, *, session: bool = True) -> AbstractBaseUser:
    """The user who asks, if they may use the API for `scope`; from then on it is `request.user`.

    A token is `request.api_token` then, too.

    session: whether a browser's session will do, too. Raises Denied.
    """
    token = _token(request)
    if token is not None:
        if not token.allows(scope):
            raise Denied(_refusal(token, scope), 403)
        request.user, request.api_token = token.user, token
    elif not session or not request.user.is_authenticated:
        also = " or log in" if session else ""
        raise Denied(f"Send an API token as the header 'Authorization: Bearer exo_…'{also}.", 401)
    else:
        _check_session(request, scope)
    return request.user


def authorised(scope: str, *, session: bool = True) -> Callable[[Callable], Callable]:
    """A view for those who may use the API for `scope`; all others get an answer in JSON."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_not_required
        @csrf_exempt  # a session's request is checked in `authorise`
        @functools.wraps(view)
        def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            try:
                authorise(request, scope, session=session)
            except Denied as denied:
                return denied.response()
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def _token(request: HttpRequest) -> Token | None:
    """The valid token of the request; None without the header. Raises Denied for any other."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    kind, _, key = header.partition(" ")
    if kind.lower() != "bearer":
        raise Denied("Of the Authorization header, only 'Bearer exo_…' is understood here.", 401)
    token = Token.objects.select_related("user").filter(digest=Token.hash(key.strip())).first()
    now = timezone.now()
    if token is None or not token.is_valid(now):
        raise Denied("This API token is not known, has expired, or its user is inactive.", 401)
    if token.last_used is None or token.last_used < now - USE_NOTED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used=now)
    return token


def _refusal(token: Token, scope: str) -> str:
    if scope not in token.scopes:
        return f"The token {token.name} is not for this: it would need the scope {scope}."
    return f"{token.user}, whom the token {token.name} acts as, lacks the permission {Token.PERMISSIONS[scope]}."


def _check_session(request: HttpRequest, scope: str) -> None:
    permission = Token.PERMISSIONS[scope]
    if permission and not request.user.has_perm(permission):
        raise Denied(f"{request.user} lacks the permission {permission}.", 403)
    if CsrfViewMiddleware(lambda _: HttpResponse()).process_view(request, _checked, (), {}) is not None:
        raise Denied("A request by session needs the page's CSRF token in the header X-CSRFToken.", 403)


def _checked(request: HttpRequest) -> None:
    """Stands for a view that is not exempt."""
