"""Pages and JSON of the registry (DESIGN: pages and API)."""

from django.urls import path  # noqa: F401

urlpatterns: list = []
