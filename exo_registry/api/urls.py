"""The addresses under /api/v1/."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, reverse

from exo_registry.formats.json_text import JsonAnswer

from . import openapi
from .endpoint import Answer, Endpoint, answer, operation
from .schemas import Index

app_name = "api"
LINKS = ("api:series", "api:runs", "api:market-bars", "api:market-rates", "api:openapi", "api-docs")


@operation(answers={200: Answer(Index)})
def index(request: HttpRequest) -> HttpResponse:
    """Read the version, and where everything is"""
    return answer(Index(version=settings.VERSION, links={name.removeprefix("api:"): reverse(name) for name in LINKS}))


@operation(answers={200: Answer(dict, "An OpenAPI 3.1 document.")})
def read_document(request: HttpRequest) -> HttpResponse:
    """Read this description of the API"""
    return JsonAnswer(openapi.document(urlpatterns))


urlpatterns: list[URLPattern | URLResolver] = [
    path("", Endpoint(get=index), name="index"),
    path("openapi.json", Endpoint(get=read_document), name="openapi"),
    path("series/", include("exo_registry.api.series")),
    path("runs/", include("exo_registry.api.runs")),
    path("market/", include("exo_registry.api.market")),
]
