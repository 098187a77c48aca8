"""What operators edit and click: Django's admin, one module a model family."""

from django.contrib import admin

from . import definition, event, product, queue, run, series

admin.site.site_header = "exoweb"
admin.site.site_title = "exoweb admin"
admin.site.index_title = "Registry"

__all__ = ["definition", "event", "product", "queue", "run", "series"]
