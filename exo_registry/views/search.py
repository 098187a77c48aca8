"""Search over products, EXOs and series: a page, or a fragment for the field in the header."""

from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from exo_registry.models import Definition, Product, Series

LIMIT = 8  # results of each kind in the field
PAGE_LIMIT = 200


@dataclass(frozen=True)
class Found:
    kind: str
    name: str
    about: str
    url: str


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Names that contain the query, the nearest first; a page with one exact answer goes straight there."""
    query = request.GET.get("q", "").strip()
    found = find(query, LIMIT if request.htmx else PAGE_LIMIT) if query else []
    if request.htmx:
        return render(request, "parts/search_results.html", {"found": found, "query": query})
    exact = [one for one in found if one.name.lower() == query.lower()]
    if len(exact) == 1 or len(found) == 1:
        return redirect((exact or found)[0].url)
    return render(request, "search.html", {"found": found, "query": query})


def find(query: str, limit: int) -> list[Found]:
    products = Product.objects.filter(Q(exchangesymbol__icontains=query) | Q(description__icontains=query))
    definitions = Definition.objects.filter(name__icontains=query)
    series = Series.objects.filter(name__icontains=query).select_related("product").only("name", "product__description")
    found = [
        *(Found("product", one.exchangesymbol, one.description, one.get_absolute_url()) for one in products[:limit]),
        *(Found("series", one.name, one.product.description, one.get_absolute_url()) for one in series[:limit]),
        *(Found("EXO", one.name, one.algorithm.rpartition(".")[2], in_book(one)) for one in definitions[:limit]),
    ]
    start = query.lower()
    return sorted(found, key=lambda one: (one.name.lower() != start, not one.name.lower().startswith(start)))


def in_book(definition: Definition) -> str:
    return f"{reverse('book')}?{urlencode({'q': definition.name})}"
