"""What exoweb keeps in its database. Market data itself is in Delta tables (`exo_registry.market`)."""

from .code import CodeVersion
from .event import Event
from .exo import Definition, Gap, Point, Series, Trade
from .notification import NotifierState
from .product import Feed, Product, Revision
from .run import Run, Status, Step
from .token import Scope, Token

__all__ = [
    "CodeVersion",
    "Definition",
    "Event",
    "Feed",
    "Gap",
    "NotifierState",
    "Point",
    "Product",
    "Revision",
    "Run",
    "Scope",
    "Series",
    "Status",
    "Step",
    "Token",
    "Trade",
]
