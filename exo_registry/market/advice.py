"""What the market data of a product says about its rules."""

from algorithms.engine import advice
from exo_registry.models import Product

from .load import load_futures
from .store import Snapshot


def product_advice(product: Product) -> list[str]:
    """Sentences for whoever keeps the product: contracts that end before their roll, days that are no sessions. Empty
    if all fits, and without market data. Raises MarketStoreError."""
    return (
        advice.advice(load_futures(product, with_options=True)) if Snapshot.of(product.exchangesymbol).symbols else []
    )
