"""The backfill action: choose rows, see the plan, start the run. `exo_registry.runs` does the work."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from exo_registry.formats.text import listed
from exo_registry.models import Run
from exo_registry.runs import plan
from exo_registry.runs.request import RunRequest, request_run
from exo_registry.web.backfill_form import BackfillForm

from .run import already_active

SHOWN = 6  # rows named in the title


class BackfillMixin:
    """Adds the action to a ModelAdmin. `backfill_choice` is the field of BackfillForm that its rows stand for."""

    backfill_choice: str
    actions = ("backfill",)

    def has_start_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("exo_registry.start_run")

    @admin.action(description="Backfill selected %(verbose_name_plural)s", permissions=["start_run"])
    def backfill(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """The confirmation page with the plan; when it is confirmed, the run's page."""
        rows = list(queryset)
        opened = not {"preview", "confirm"} & request.POST.keys()
        form = BackfillForm(QueryDict() if opened else request.POST, {self.backfill_choice: rows})
        valid = form.is_valid()
        if valid and "confirm" in request.POST and (run := self._start(request, form.asked)):
            return redirect(run)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Backfill {listed(rows, SHOWN)}",
            "form": form,
            "plan": form.asked.plan() if valid else None,
            "rows": rows,
            "hidden": _chosen(request),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/exo_registry/backfill.html", context)

    def _start(self, request: HttpRequest, asked: RunRequest) -> Run | None:
        try:
            run, _ = request_run(asked, user=request.user, source=Run.Source.ADMIN)
        except plan.AlreadyActive as error:
            self.message_user(request, already_active(error), messages.ERROR)
            return None
        except plan.NothingToDo as error:
            self.message_user(request, str(error), messages.WARNING)
            return None
        return run


def _chosen(request: HttpRequest) -> list[tuple[str, str]]:
    """What was ticked on the list, to be sent along with the confirmation."""
    everything = request.POST.get("select_across") == "1"
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    return [
        ("action", "backfill"),
        ("select_across", "1" if everything else "0"),
        *((ACTION_CHECKBOX_NAME, key) for key in (selected[:1] if everything else selected)),
    ]
