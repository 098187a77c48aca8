"""Fields of a pack that are stored and that no rule of their products uses: named, so that none seems to count."""

from collections.abc import Mapping

import numpy as np

from .parse import Frame
from .problems import Problems

# By table and column: what decides in its place. No rule of a product uses these.
UNUSED = {
    ("contract_settlements", "settlement"): "futures are priced by their bars",
    ("options_data", "price"): "options are priced by the product's model",
}
NAMED = 5  # products; the rest are counted


def note_unused(frames: Mapping[str, Frame], symbols: Mapping[str, list[str]], notes: Problems) -> None:
    """Notes of an import on its fields that are not used. symbols: the products of each table's records."""
    for (table, column), instead in UNUSED.items():
        if table not in frames or column not in frames[table] or not np.isfinite(frames[table][column]).any():
            continue
        listed = symbols.get(table, [])
        if not listed:
            continue
        more = f" and {len(listed) - NAMED:,} more" if len(listed) > NAMED else ""
        notes.file(
            frames[table].source.place,
            f"no rule of {', '.join(listed[:NAMED])}{more} uses it: {instead}",
            "It is stored, and changes no series",
            column=column,
        )
