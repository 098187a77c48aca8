"""The URL map: the admin, log-in, and everything else from the registry app."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("", include("exo_registry.urls")),
]
