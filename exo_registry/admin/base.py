"""What several admin pages share: rows that are only looked at, and links."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


class ReadOnly:
    """Rows that exoweb writes itself: they can be read, by whoever may view them, and never edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    pass


def total(model: type[models.Model], by: str, aggregate: models.Aggregate) -> Subquery:
    """An aggregate over the rows of a model that belong to each row of a list; None where there are none.

    A subquery of its own, so that neither a search over the same rows nor another total multiplies it.
    """
    belonging = model._default_manager.filter(**{by: OuterRef("pk")}).order_by().values(by)
    return Subquery(belonging.annotate(total=aggregate).values("total"))


def link(url: str, text: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def page(row: models.Model, text: Any = None) -> SafeString:
    """A link to the page that shows a row to a user."""
    return link(row.get_absolute_url(), row if text is None else text)


def admin_list(model: type[models.Model], text: Any, **filters: Any) -> SafeString:
    """A link to the admin's list of a model, filtered."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters)
    return link(url, text)


def state(word: str, why: str = "") -> SafeString:
    """A state as the pages show it: by shape, word and colour."""
    return format_html('<span class="state {}" title="{}">{}</span>', word.split()[0], why, word)


def problem_list(messages: list[str]) -> SafeString:
    """Several problems as the lines of one message."""
    return SafeString("<br>").join(format_html("{}", message) for message in messages)
