"""Market data: packs read and checked, the Delta store, imports, exports. Code outside this package imports from here.

Reading:   load_market, load_futures, rules, sessions, last_bar, coverage
Importing: import_pack (a folder), import_tables (Arrow tables from any other source)
Exporting: export_pack
Checking:  other_unit, product_advice
"""

from exo_registry.failures import MarketDataError, MarketStoreError

from .advice import product_advice
from .coverage import coverage
from .export import export_pack
from .importing import ImportReport, ProductReport, import_pack, import_tables
from .load import last_bar, load_futures, load_market, rules, sessions
from .problems import PackErrors, Problem
from .volatilities import other_unit

__all__ = [
    "ImportReport",
    "MarketDataError",
    "MarketStoreError",
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
    "other_unit",
    "product_advice",
    "rules",
    "sessions",
]
