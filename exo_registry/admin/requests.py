"""Requests to the admin that its own code, Django's or an add-on's, would answer with a server error."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.db import DataError
from django.db.models import GenericIPAddressField, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from exo_registry.web.middleware import fields, refused, shown

WHOLE_NUMBER = re.compile(r"\d{1,18}")


class AdminRequests:
    """Middleware: refuses lookups that no list can do, and finds nothing under a key that no row can have."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.root = reverse("admin:index")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        problem = next(problems(request), None) if request.path.startswith(self.root) else None
        return refused(request, problem) if problem else self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: tuple, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if not request.path.startswith(self.root):
            return None
        # Arguments without a name are those of django-simple-history: numbers of rows.
        if not all(WHOLE_NUMBER.fullmatch(str(key)) for key in args):
            raise Http404
        if (model_admin := getattr(view, "model_admin", None)) is None:
            return None
        if "object_id" in kwargs and not is_key(model_admin.model, unquote(kwargs["object_id"])):
            raise Http404
        if not all(is_key(model_admin.model, key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            return refused(request, "What was selected is not on the list: go back and select again.")
        if not all(is_address(model_admin.model, name, value) for name, value in fields(request.GET)):
            return refused(request, "The list cannot be filtered like this: an address is written as 203.0.113.7.")
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not request.path.startswith(self.root):
            return None
        if isinstance(error, IncorrectLookupParameters):  # left to whoever may catch it by an export
            return refused(request, "The list cannot be filtered like this: choose its filters again.")
        if isinstance(error, OverflowError | DataError):  # what SQLite and PostgreSQL say of too large a number
            return refused(request, "A number in the address or the form is too large: correct it.")
        return None


def problems(request: HttpRequest) -> Iterator[str]:
    for name, value in fields(request.GET):
        if name.endswith("regex"):
            yield f"{shown(name)}: lists cannot be searched by patterns; use the search field."
        if name == TO_FIELD_VAR and not value.isidentifier():
            yield f"{shown(name)} is not the name of a field."


def is_address(model: type[Model], lookup: str, text: str) -> bool:
    """False for a lookup in a column of IP addresses by a text that is none: PostgreSQL's has no such value."""
    field = next((field for field in model._meta.fields if field.name == lookup.partition("__")[0]), None)
    if not isinstance(field, GenericIPAddressField):
        return True
    try:
        validate_ipv46_address(text)
    except ValidationError:
        return False
    return True


def is_key(model: type[Model], text: str) -> bool:
    """Whether a row of the model could have this key."""
    try:
        model._meta.pk.clean(text, None)
    except ValidationError:
        return False
    return True
