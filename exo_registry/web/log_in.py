"""Log-ins: their forms, how long one waits after too many wrong passwords, and what the event log says of it.

django-axes counts wrong passwords by user name and address, so that no one can keep a user out from elsewhere. The
counts are in the database, which all web processes share.
"""

import datetime as dt
import math
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from exo_registry.formats.text import counted
from exo_registry.models import event_log

LONGEST_NAME = 64  # characters of a user name that an event shows
# Failures are listed while an address has tried no more than so many user names at a time. Whoever goes through a
# list of names is recorded once, and does not fill the log.
MOST_NAMES = 50


def waiting_time(username: str, address: str | None) -> dt.timedelta:
    """How long a user name that is locked for an address has to wait yet; zero if it need not."""
    now = timezone.now()
    recent = AccessAttempt.objects.filter(
        username=username, ip_address=address, attempt_time__gt=now - settings.AXES_COOLOFF_TIME
    )
    attempts = recent.aggregate(last=Max("attempt_time"), failures=Sum("failures_since_start"))
    if (attempts["failures"] or 0) < settings.AXES_FAILURE_LIMIT:
        return dt.timedelta(0)
    return attempts["last"] + settings.AXES_COOLOFF_TIME - now


class _LogInForm(AuthenticationForm):
    """Says how long to wait, and after a failure puts the caret where the next attempt starts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username = self.fields["username"]
        username.validators.append(MaxLengthValidator(username.max_length))
        if self.data.get("username"):
            username.widget.attrs.pop("autofocus", None)
            self.fields["password"].widget.attrs["autofocus"] = True

    def get_invalid_login_error(self) -> ValidationError:
        if not getattr(self.request, "axes_locked_out", False):
            return super().get_invalid_login_error()
        left = waiting_time(self.cleaned_data["username"], self.request.axes_ip_address)
        minutes = max(1, math.ceil(left / dt.timedelta(minutes=1)))
        return ValidationError(
            "Too many wrong passwords for this user name from your address. Try again in "
            f"{counted(minutes, 'minute')}, or ask an administrator to unlock it.",
            code="locked_out",
        )


class LogInForm(_LogInForm):
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "That user name and password do not match an active account. Both are case-sensitive."
    }


class AdminLogInForm(_LogInForm, AdminAuthenticationForm):
    """The admin's, which takes staff only."""


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any]) -> HttpResponse:
    """The log-in page with its message, as an answer that programs understand as well (called by django-axes)."""
    response.status_code = settings.AXES_HTTP_RESPONSE_CODE
    left = waiting_time(credentials["username"], request.axes_ip_address)
    response["Retry-After"] = math.ceil(left.total_seconds())
    return response


def keep_no_form_data(sender: type[AccessAttempt], instance: AccessAttempt, **_signal: object) -> None:
    """What else was sent with a log-in is not stored: a user may have typed a password into the wrong place."""
    instance.get_data = instance.post_data = ""


def note_failure(sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    """Record a wrong password, and the wait that it begins. Attempts during a wait are not tried and not recorded.

    A receiver of `user_login_failed` that comes after that of django-axes, which counts.
    """
    failures = getattr(request, "axes_failures_since_start", None)
    if failures is None:
        return
    name, address = shown_name(credentials.get("username")), request.axes_ip_address or "an unknown address"
    tried = AccessAttempt.objects.filter(ip_address=request.axes_ip_address).count()
    if tried > MOST_NAMES:
        if tried == MOST_NAMES + 1 and failures == 1:
            message = f"More than {MOST_NAMES} user names were tried from {address}; further failures are not listed."
            event_log.record("login", message, level="warning")
        return
    event_log.record("login", f"Log-in as {name} from {address} failed.")
    if request.axes_locked_out:
        pause = counted(settings.AXES_COOLOFF_TIME // dt.timedelta(minutes=1), "minute")
        message = f"Log-in as {name} from {address} waits {pause} after {counted(failures, 'wrong password')}."
        event_log.record("login", message, level="warning")


def shown_name(name: object) -> str:
    """A user name as it was typed, fit for a line of the log: cut, without control and invisible characters."""
    printable = "".join(letter for letter in str(name or "") if letter.isprintable())
    return repr(printable[:LONGEST_NAME] + ("…" if len(printable) > LONGEST_NAME else ""))
