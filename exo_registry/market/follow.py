"""Follows a MongoDB: new documents are imported as they arrive, until it is stopped."""

from collections.abc import Callable

from django.contrib.auth.models import User

from exo_registry.failures import MarketDataError
from exo_registry.models import event_log

from .importing import ImportReport
from .mongo import MongoMarket
from .salvage import import_valid_rows, refused_text

TOLD = 5  # problems that an event names; the rest are counted


def follow(
    market: MongoMarket,
    *,
    pause: Callable[[], bool],
    tell: Callable[[str], None],
    user: User | None = None,
) -> None:
    """Poll `market`, after its first `read`, until `pause` (which waits) says that it is enough.

    A record with a problem is left out and reported; a database that cannot be reached is tried again. Both are
    events, once, and so is the end of the trouble. tell: gets a line for each thing worth showing.
    """
    trouble = ""
    while not pause():
        position = market.position()
        try:
            tables = market.read_new()
            report, refused = import_valid_rows(tables, source=market.place, user=user) if tables else (None, {})
            problem = refused_text(market.place, report, refused, TOLD)
        except MarketDataError as error:
            market.rewind(position)
            report, problem = None, str(error)
        if problem and problem != trouble:
            event_log.record("import", problem, level="error", user=user)
            tell(problem)
        elif trouble and not problem:
            event_log.record("import", f"{market.place}: read again without problems.", user=user)
            tell(f"{market.place}: read again without problems.")
        trouble = problem
        for line in _changes(report):
            tell(line)


def _changes(report: ImportReport | None) -> list[str]:
    return [str(product) for product in report.products if product.revision or product.created] if report else []
