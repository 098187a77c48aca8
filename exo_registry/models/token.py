"""API tokens: how scripts and feeds log in. Only a hash is kept, so a token is shown once, when it is made."""

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from .bounds import SENSIBLE_TIME, validate_text


class Scope(models.TextChoices):
    """What a token may be used for."""

    READ = "read", "Read series, points and trades"
    MARKET = "market", "Write market data"
    RUNS = "runs", "Start and cancel runs"


def validate_scopes(scopes: list) -> None:
    if not isinstance(scopes, list) or not scopes:
        raise ValidationError("Choose at least one thing that the token may be used for.")
    if unknown := [scope for scope in scopes if scope not in Scope.values]:
        raise ValidationError(f"{unknown[0]!r} is not a use of tokens; there are {', '.join(Scope.values)}.")


class Token(models.Model):
    """A key to the API. It acts as its user, for its scopes only, and can never do more than that user."""

    PREFIX = "exo_"
    # What the user must be allowed to do for a scope to count; None: to log in is enough.
    PERMISSIONS = {
        Scope.READ: None,
        Scope.MARKET: "exo_registry.add_revision",
        Scope.RUNS: "exo_registry.start_run",
    }

    name = models.CharField(
        max_length=64, unique=True, validators=[validate_text], help_text="What uses it, such as settlement feed."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens", help_text="Whom it acts as."
    )
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    # The keys are random and long, so that a plain hash cannot be turned back by guessing.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True, validators=[SENSIBLE_TIME], help_text="Empty: never.")
    last_used = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API token"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def new_key(self) -> str:
        """Give the token a new key and return it. It is not stored: this is the only time it can be seen."""
        key = self.PREFIX + secrets.token_urlsafe(32)
        self.digest = self.hash(key)
        return key

    @staticmethod
    def hash(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    def clean(self) -> None:
        if self.user_id is None or not isinstance(self.scopes, list):
            return
        for scope in self.scopes:
            permission = self.PERMISSIONS.get(scope)
            if permission and not self.user.has_perm(permission):
                raise ValidationError(
                    {"scopes": f"{self.user} may not {Scope(scope).label.lower()}: the permission is {permission}."}
                )

    def is_valid(self, now: dt.datetime | None = None) -> bool:
        """Whether it has not expired and its user may log in."""
        return self.user.is_active and (self.expires is None or self.expires > (now or timezone.now()))

    def allows(self, scope: str) -> bool:
        """Whether it may be used for a scope: it has it, and its user (still) has the permission."""
        permission = self.PERMISSIONS[Scope(scope)]
        return scope in self.scopes and (permission is None or self.user.has_perm(permission))
