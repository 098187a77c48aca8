"""Series follow whatever the admin saves, reverts or deletes of definitions and products."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from exo_registry import definitions as registry
from exo_registry.formats.text import listed
from exo_registry.models import Definition

MOST_NAMES = 8  # series that a message names


class SeriesFollow:
    """For the ModelAdmin of definitions and of products."""

    def sync_series(self, request: HttpRequest, definitions: Iterable[Definition] | None = None) -> None:
        """Make the series of definitions (None: all) what they should be, and say what changed."""
        report = registry.sync_series(definitions)
        for text, names in (
            ("Series added", report.added),
            ("Series removed, as they had no points", report.removed),
            ("Series renamed", [f"{old} is now {new}" for old, new in report.renamed]),
        ):
            if names:
                self.message_user(request, f"{text}: {listed(names, MOST_NAMES)}.", messages.INFO)
        for name, reason in report.blocked.items():
            self.message_user(request, f"There is no new series {name}: {reason}.", messages.WARNING)

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool) -> None:
        """A definition's products are saved by now, so the series can follow."""
        super().save_related(request, form, formsets, change)
        self.sync_series(request, [form.instance] if isinstance(form.instance, Definition) else None)

    def history_form_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A version that is taken back is saved without `save_related`."""
        response = super().history_form_view(request, *args, **kwargs)
        if request.method == "POST":
            self.sync_series(request)
        return response

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        super().delete_model(request, obj)
        self.sync_series(request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        self.sync_series(request)
