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
    hits = find(query, LIMIT if request.htmx else PAGE_LIMIT) if query else []
    if request.htmx:
        return render(request, "parts/search_results.html", {"hits": hits, "query": query})
    exact = [hit for hit in hits if hit.name.lower() == query.lower()]
    if len(exact) == 1 or len(hits) == 1:
        return redirect((exact or hits)[0].url)
    return render(request, "search.html", {"hits": hits, "query": query})


def find(query: str, limit: int) -> list[Found]:
    products = Product.objects.filter(Q(exchangesymbol__icontains=query) | Q(description__icontains=query))
    definitions = Definition.objects.filter(name__icontains=query)
    series = Series.objects.filter(name__icontains=query).select_related("product").only("name", "product__description")
    hits = [
        *(
            Found("product", product.exchangesymbol, product.description, product.get_absolute_url())
            for product in products[:limit]
        ),
        *(Found("series", row.name, row.product.description, row.get_absolute_url()) for row in series[:limit]),
        *(
            Found("definition", definition.name, definition.algorithm.rpartition(".")[2], in_book(definition))
            for definition in definitions[:limit]
        ),
    ]
    start = query.lower()
    return sorted(hits, key=lambda hit: (hit.name.lower() != start, not hit.name.lower().startswith(start)))


def in_book(definition: Definition) -> str:
    return f"{reverse('book')}?{urlencode({'q': definition.name})}"
