"""Log-ins that failed lately, and the way to unlock them."""

import datetime as dt

from axes.models import AccessAttempt
from django.contrib import admin

from exo_registry.web.log_in import AdminLogInForm, waiting_time

from .base import ReadOnly

admin.site.login_form = AdminLogInForm


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnly, admin.ModelAdmin):
    """Deleting the rows of a user name and address, one for each browser, unlocks it there."""

    list_display = ("attempt_time", "username", "ip_address", "failures_since_start", "waits")
    list_per_page = 50
    search_fields = ("username", "ip_address")
    fields = ("username", "ip_address", "user_agent", "path_info", "attempt_time", "failures_since_start")

    has_delete_permission = admin.ModelAdmin.has_delete_permission

    @admin.display(description="waits", boolean=True)
    def waits(self, attempt: AccessAttempt) -> bool:
        return waiting_time(attempt.username, attempt.ip_address) > dt.timedelta(0)
