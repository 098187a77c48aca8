"""Runs and steps: read only, with cancel and retry."""

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exo_registry.formats.text import counted
from exo_registry.models import Run, Status, Step
from exo_registry.models.run import ACTIVE
from exo_registry.runs import control, plan

from .base import ReadOnly, ReadOnlyAdmin, link, page, state, total


class StepInline(ReadOnly, admin.TabularInline):
    model = Step
    fields = readonly_fields = ("series_page", "shown_status", "reason", "progress", "gaps", "error", "details")
    ordering = ("position",)
    extra = 0
    verbose_name_plural = "Steps, in the order in which they are computed"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        return super().get_queryset(request).select_related("series", "run").defer("series__state", "series__sparkline")

    @admin.display(description="series")
    def series_page(self, step: Step) -> SafeString:
        return page(step.series)

    @admin.display(description="status")
    def shown_status(self, step: Step) -> SafeString:
        return state(step.status)

    @admin.display(description="sessions")
    def progress(self, step: Step) -> str:
        return f"{step.sessions_done:,} of {step.sessions_total:,}"

    @admin.display(description="")
    def details(self, step: Step) -> SafeString:
        return link(reverse("admin:exo_registry_step_change", args=[step.pk]), "Details")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "run_page", "shown_status", "kind", "mode", "series_count", "progress", "failures", "source", "user", "created",
        "duration", "details",
    )  # fmt: skip
    list_display_links = ("details",)
    list_filter = ("status", "kind", "mode", "source", "created")
    list_select_related = ("user",)
    search_fields = ("=id", "steps__series__name", "user__username")
    search_help_text = "Number of a run, name of a series or user"
    date_hierarchy = "created"
    inlines = (StepInline,)
    actions = ("cancel_runs", "retry_failed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                steps_total=Coalesce(total(Step, "run", Count("pk")), 0),
                steps_failed=Coalesce(total(Step, "run", Count("pk", filter=Q(status=Status.FAILED))), 0),
                sessions_done=Coalesce(total(Step, "run", Sum("sessions_done")), 0),
                sessions_total=Coalesce(total(Step, "run", Sum("sessions_total")), 0),
            )
        )

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("exo_registry.cancel_run")

    @admin.display(description="run", ordering="id")
    def run_page(self, run: Run) -> SafeString:
        return page(run)

    @admin.display(description="status", ordering="status")
    def shown_status(self, run: Run) -> SafeString:
        word = "cancelling" if run.cancel_requested and run.status in ACTIVE else run.status
        return state(word)

    @admin.display(description="series", ordering="steps_total")
    def series_count(self, run: Run) -> int:
        return run.steps_total

    @admin.display(description="sessions")
    def progress(self, run: Run) -> str:
        return f"{run.sessions_done:,} of {run.sessions_total:,}"

    @admin.display(description="failed", ordering="steps_failed")
    def failures(self, run: Run) -> int | str:
        return run.steps_failed or ""

    @admin.display(description="")
    def details(self, run: Run) -> str:
        return "Steps"

    @admin.action(description="Cancel selected runs", permissions=["cancel"])
    def cancel_runs(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        active = [run for run in queryset if run.is_active]
        for run in active:
            control.cancel(run, user=request.user)
        if active:
            named = ", ".join(map(str, active))
            self.message_user(request, f"{named}: cancelled. What is being computed stops within seconds.")
        else:
            self.message_user(request, "None of these runs is active; nothing was cancelled.", messages.WARNING)

    @admin.action(description="Retry failed steps of selected runs", permissions=["cancel"])
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        count = 0
        for run in queryset:
            try:
                count += control.retry_failed(run, user=request.user)
            except plan.AlreadyActive as error:
                self.message_user(request, already_active(error), messages.ERROR)
        if count:
            self.message_user(request, f"{counted(count, 'step waits', 'steps wait')} to be computed again.")
        else:
            self.message_user(request, "No failed steps could be retried.", messages.WARNING)


def already_active(error: plan.AlreadyActive) -> SafeString:
    """Why a run was refused, with a link to the run that stands in the way."""
    return format_html("{} {}", str(error), page(error.run, f"Open run {error.run.pk}"))


@admin.register(Step)
class StepAdmin(ReadOnlyAdmin):
    list_display = (
        "series_page",
        "run_page",
        "shown_status",
        "reason",
        "progress",
        "gaps",
        "error",
        "attempt",
        "details",
    )
    list_display_links = ("details",)
    list_filter = ("status", "product", "series__definition")
    list_select_related = ("series", "run", "product")
    search_fields = ("series__name", "error", "=run__id")
    search_help_text = "Name of a series, text of an error or number of a run"
    ordering = ("-run_id", "position")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        return super().get_queryset(request).defer("series__state", "series__sparkline")

    @admin.display(description="series", ordering="series__name")
    def series_page(self, step: Step) -> SafeString:
        return page(step.series)

    @admin.display(description="run", ordering="run")
    def run_page(self, step: Step) -> SafeString:
        return page(step.run)

    @admin.display(description="status", ordering="status")
    def shown_status(self, step: Step) -> SafeString:
        return state(step.status)

    @admin.display(description="sessions")
    def progress(self, step: Step) -> str:
        return f"{step.sessions_done:,} of {step.sessions_total:,}"

    @admin.display(description="")
    def details(self, step: Step) -> str:
        return "Details"
