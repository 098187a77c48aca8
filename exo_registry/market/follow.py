"""Follows a MongoDB: new documents are imported as they come, until told to stop."""

from collections.abc import Callable

from .. import events
from .importing import ImportReport
from .mongo import MongoMarket
from .problems import MarketDataError
from .salvage import import_valid_rows

TOLD = 5  # refused records that an event names; the rest are counted


def follow(
    market: MongoMarket,
    *,
    pause: Callable[[], bool],
    tell: Callable[[str], None],
    user=None,
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
            found = _in_words(market.place, refused)
        except MarketDataError as error:
            market.rewind(position)
            report, found = None, str(error)
        if found and found != trouble:
            events.record("import", found, level="error", user=user)
            tell(found)
        elif trouble and not found:
            events.record("import", f"{market.place}: read again without problems.", user=user)
            tell(f"{market.place}: read again without problems.")
        trouble = found
        for line in _changes(report):
            tell(line)


def _in_words(place: str, refused: dict) -> str:
    problems = [problem for rows in refused.values() for found in rows.values() for problem in found]
    if not problems:
        return ""
    more = f"\nand {len(problems) - TOLD:,} more." if len(problems) > TOLD else ""
    count = sum(len(rows) for rows in refused.values())
    lines = "\n".join(_line(problem) for problem in problems[:TOLD])
    return f"{place}: {count:,} records were refused, the others imported.\n{lines}{more}"


def _line(problem) -> str:
    """A problem without the row: where a document stood in one read helps nobody."""
    return f"{problem.file}, {problem.column} = {problem.value!r}: {problem.message}. {problem.remedy}."


def _changes(report: ImportReport | None) -> list[str]:
    return [str(product) for product in report.products if product.revision or product.created] if report else []
