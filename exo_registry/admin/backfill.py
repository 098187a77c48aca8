"""The backfill action: choose rows, see the plan, start the run. `exo_registry.runs` does the work."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from exo_registry.models import Run, Series
from exo_registry.runs import plan, tasks
from exo_registry.runs.sessions import calendars

from .run import already_active

SHOWN = 6  # rows named in the title


class BackfillForm(forms.Form):
    """From when, until when and how thoroughly; `arguments` are those of `plan.make_plan`."""

    start = forms.DateField(
        label="From",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="First session of series without points. Earlier than what is stored: computed again from there.",
    )
    until = forms.DateField(
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="Last session. Empty: the newest complete one.",
    )
    mode = forms.ChoiceField(label="What", choices=Run.Mode.choices, initial=Run.Mode.MISSING)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        start, until = cleaned.get("start"), cleaned.get("until")
        if start and until and until < start:
            self.add_error("until", f"{until} is before the first session asked for, {start}.")
        return cleaned


class BackfillMixin:
    """Adds the action to a ModelAdmin. `backfill_choice` is the argument of `plan.make_plan` that takes its rows."""

    backfill_choice: str
    actions = ("backfill",)

    def has_start_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("exo_registry.start_run")

    @admin.action(description="Backfill selected %(verbose_name_plural)s", permissions=["start_run"])
    def backfill(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """The confirmation page with the plan; when it is confirmed, the run's page."""
        rows = list(queryset)
        arrived = not {"preview", "confirm"} & request.POST.keys()
        form = BackfillForm(_first_values(self.backfill_choice, rows) if arrived else request.POST)
        planned = plan.make_plan(**{self.backfill_choice: rows}, **form.cleaned_data) if form.is_valid() else None
        if planned and "confirm" in request.POST and (run := self._start(request, planned)):
            return redirect(run)
        names = ", ".join(map(str, rows[:SHOWN]))
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Backfill {names}{more}",
            "form": form,
            "plan": planned,
            "rows": rows,
            "hidden": _chosen(request),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/exo_registry/backfill.html", context)

    def _start(self, request: HttpRequest, planned: plan.Plan) -> Run | None:
        try:
            run = plan.start(planned, user=request.user, source=Run.Source.ADMIN)
        except plan.AlreadyActive as error:
            self.message_user(request, already_active(error), messages.ERROR)
            return None
        except plan.NothingToDo as error:
            self.message_user(request, str(error), messages.WARNING)
            return None
        tasks.enqueue(run)
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


def _first_values(choice: str, rows: list[Any]) -> dict[str, Any]:
    """What the form starts with: from the first session there is, if none of the series has any yet."""
    values: dict[str, Any] = {"mode": Run.Mode.MISSING}
    lookup = {"products": "product__in", "exos": "definition__in", "series": "pk__in"}[choice]
    chosen = Series.objects.filter(**{lookup: [row.pk for row in rows]}).select_related("product")
    series = list(chosen.only("last_session", "product"))
    if series and all(one.last_session is None for one in series):
        known = calendars({one.product for one in series}).values()
        values["start"] = min((calendar.dates[0].item() for calendar in known if calendar), default=None)
    return values
