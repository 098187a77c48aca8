"""Market data at rest <-> the engine: the one door to `exo_registry.market`.

Reading:   load_market, load_futures, rules, sessions, last_bar, coverage
Importing: import_pack (a folder), import_tables (Arrow tables from any other source)
Exporting: export_pack
"""

from .market.coverage import coverage
from .market.export import export_pack
from .market.importing import ImportReport, ProductReport, import_pack, import_tables
from .market.load import last_bar, load_futures, load_market, rules, sessions
from .market.problems import MarketDataError, PackErrors, Problem

__all__ = [
    "ImportReport",
    "MarketDataError",
    "PackErrors",
    "Problem",
    "ProductReport",
    "coverage",
    "export_pack",
    "import_pack",
    "import_tables",
    "last_bar",
    "load_futures",
    "load_market",
    "rules",
    "sessions",
]
