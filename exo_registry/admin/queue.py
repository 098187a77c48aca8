"""The task queue's own pages. A schedule or a stored task is code that a worker runs, so superusers only."""

from django.contrib import admin
from django.http import HttpRequest
from django_q import admin as queue_admin  # registers its models first, so that they can be registered anew
from django_q.models import Failure, OrmQ, Schedule, Success


class SuperusersOnly:
    """Whatever permissions a user was given, only a superuser sees or changes these rows."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request) and super().has_delete_permission(request, obj)


for _model, _base in (
    (Schedule, queue_admin.ScheduleAdmin),
    (Success, queue_admin.TaskAdmin),
    (Failure, queue_admin.FailAdmin),
    (OrmQ, queue_admin.QueueAdmin),
):
    if admin.site.is_registered(_model):  # the queue's own list is there with the ORM broker only
        admin.site.unregister(_model)
        admin.site.register(_model, type(_base.__name__, (SuperusersOnly, _base), {}))
