"""Products: the list, and one with its terms, contracts, data and series."""

import difflib

from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from exo_registry import market
from exo_registry.models import Product, Revision

from .rows import series_rows

REVISIONS_SHOWN = 20
TABLES = (
    ("Futures bars", "bars"),
    ("Futures settlements", "settlements"),
    ("Option volatilities", "vols"),
    ("Risk-free rates", "rates"),
)


@require_safe
def products(request: HttpRequest) -> HttpResponse:
    """Every product with its number of series and the newest revision of its data."""
    newest = Revision.objects.filter(product=OuterRef("pk")).order_by("-number")
    products = Product.objects.order_by("exchangesymbol").annotate(
        series_count=Count("series"),
        revision=Subquery(newest.values("number")[:1]),
        imported=Subquery(newest.values("created")[:1]),
    )
    return render(request, "products.html", {"products": products})


@require_safe
def product(request: HttpRequest, symbol: str) -> HttpResponse:
    """One product by symbol; an unknown symbol gets the nearest ones."""
    product = Product.objects.filter(exchangesymbol=symbol).first()
    if product is None:
        return unknown(request, symbol)
    revisions = list(product.revisions.select_related("user")[:REVISIONS_SHOWN])
    coverage, problem, advice = None, "", []
    try:
        if revisions:
            coverage, advice = market.coverage(product), market.product_advice(product)
    except market.MarketStoreError as error:
        problem = str(error)
    context = {
        "product": product,
        "rows": series_rows(product.series.select_related("product", "definition").defer("state")),
        "revisions": revisions,
        "coverage": coverage,
        "advice": advice,
        "problem": problem,
        "spans": [(label, coverage[table]) for label, table in TABLES] if coverage else [],
    }
    return render(request, "product.html", context)


def unknown(request: HttpRequest, symbol: str) -> HttpResponse:
    symbols = list(Product.objects.values_list("exchangesymbol", flat=True))
    close = difflib.get_close_matches(symbol.upper(), symbols, n=4, cutoff=0.4)
    context = {
        "kind": "product",
        "name": symbol,
        "nearest": [(reverse("product", args=[other]), other) for other in close],
        "remedy": "Products arrive with a market pack (manage.py importmarket FOLDER) or are added in the admin.",
    }
    return render(request, "unknown.html", context, status=404)
