"""What exoweb keeps in its database. Market data itself is in Delta tables (`market_store`)."""

from .event import Event
from .exo import Definition, Gap, Point, Series, Trade
from .product import Product, Revision
from .run import Run, Status, Step

__all__ = [
    "Definition",
    "Event",
    "Gap",
    "Point",
    "Product",
    "Revision",
    "Run",
    "Series",
    "Status",
    "Step",
    "Trade",
]
