"""Notifications: where they go, what was sent, and a button that tries them."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from exo_registry.formats.text import counted
from exo_registry.models import NotifierState
from exo_registry.operations import notifications

from .base import ReadOnlyAdmin


@admin.register(NotifierState)
class NotificationAdmin(ReadOnlyAdmin):
    """One page instead of a list: there is one row, and it holds nothing to edit. For those who may start runs."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("exo_registry.start_run")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        test = self.admin_site.admin_view(self.test_view)
        return [path("test/", test, name="exo_registry_notifierstate_test"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        state = NotifierState.objects.filter(pk=NotifierState.ONLY).first() or NotifierState()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Notifications",
            "addresses": [notifications.scheme(url) for url in settings.NOTIFY_URLS],
            "state": state,
            "waiting": _rows(state.pending),
            "sent": _rows(state.open),
            "shortest": notifications.SHORTEST,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/exo_registry/notifierstate/page.html", context)

    @method_decorator(require_POST)
    def test_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        result = notifications.send_test(request.user)
        if result.accepted:
            self.message_user(request, f"A test was sent to {counted(result.accepted, 'address')}.")
        for problem in result.problems:
            self.message_user(request, f"{problem[0].upper()}{problem[1:]}.", messages.ERROR)
        if not result.accepted and not result.problems:
            self.message_user(request, "No address is set: give some in EXOWEB_NOTIFY_URLS.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:exo_registry_notifierstate_changelist"))


def _rows(problems: dict[str, dict]) -> list[dict]:
    rows = [problem | {"since": dt.datetime.fromisoformat(problem["since"])} for problem in problems.values()]
    return sorted(rows, key=lambda row: row["since"], reverse=True)
