"""What operators edit and click: Django's admin, one module a model family."""

from django.contrib import admin

from . import definition, event, log_in, notification, product, queue, run, series, token

admin.site.site_header = "exoweb"
admin.site.site_title = "exoweb admin"
admin.site.index_title = "Admin"
admin.site.enable_nav_sidebar = False  # tables need the width, and breadcrumbs lead back

__all__ = ["definition", "event", "log_in", "notification", "product", "queue", "run", "series", "token"]
