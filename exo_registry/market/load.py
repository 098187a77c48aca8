"""From the store to the engine, and what the pages show of a product's data."""

import datetime as dt
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from algorithms.engine.market import Bars, Futures, Market, Options, ProductRules, Rates, Vols

from ..models import Product
from .problems import MarketDataError
from .records import NOWHEN, local_clock
from .references import plain
from .store import Snapshot
from .upsert import codes_in, numpy_of

EPOCH = dt.date(1970, 1, 1)
DATE_BAR = -1
DAY_BITS = 24


def rules(product: Product) -> ProductRules:
    """A product's terms and rules as the engine takes them."""
    return ProductRules(
        symbol=product.exchangesymbol,
        currency=product.currency,
        point_value=product.point_value,
        option_point_value=product.option_point_value,
        decision_time=product.decision_time,
        pricing_model=str(product.pricing_model),
        rollover_months=tuple(product.rollover_months),
        days_before_expiration=product.days_before_expiration,
        option_codes=tuple(product.option_codes),
        futures_limit=product.futures_limit,
        strikes_limit=product.strikes_limit,
        cost_future=product.cost_future,
        cost_option=product.cost_option,
    )


def load_market(product: Product, *, since: dt.date | None = None, also: Iterable[str] = ()) -> Market:
    """The market of a product.

    since: enough to value sessions from this date on, to the same last bit as everything would: contracts that expire
    on it or later, with all their records, and those named in `also` (held past their expiry). The contracts that are
    long gone are not read. Raises MarketDataError if the product has no market data.
    """
    symbol = product.exchangesymbol
    snapshot = Snapshot.of(symbol)
    if not snapshot.symbols:
        raise MarketDataError(f"{symbol} has no market data; load it with: manage.py importmarket FOLDER")
    wanted = _Wanted(snapshot, symbol, since, also)
    futures = wanted.contracts()
    options = wanted.options()
    names = futures["contractname"].combine_chunks()
    return Market(
        rules(product),
        Futures(
            _objects(futures["contractname"]),
            futures["year"].to_numpy(),
            futures["monthint"].to_numpy(),
            numpy_of(futures["expirationdate"]),
        ),
        wanted.bars(names, numpy_of(futures["expirationdate"]), product.timezone),
        Options(
            _objects(options["optionname"]),
            codes_in(options["contractname"], names),
            numpy_of(options["expirationdate"]),
            options["strikeprice"].to_numpy(),
            pc.equal(options["callorput"], "C").to_numpy(),
            _objects(options["optioncode"]),
        ),
        wanted.vols(options["optionname"].combine_chunks()),
        wanted.rates(),
    )


class _Wanted:
    """The part of a product's tables that a load reads: everything, or the contracts alive on `since` or later."""

    def __init__(self, snapshot: Snapshot, symbol: str, since: dt.date | None, also: Iterable[str]):
        self.snapshot, self.symbol, self.since = snapshot, symbol, since
        self.also = pa.array(list(also), pa.string())
        # Contracts named in `also` may have expired in an earlier year: their partitions are read, too.
        self.years = None if since is None else self._years_of_also()

    def _years_of_also(self) -> set[int]:
        years: set[int] = set()
        if not len(self.also):
            return years
        contracts = self._contracts()
        named = contracts.filter(pc.is_in(contracts["contractname"], self.also))
        years.update(pc.year(named["expirationdate"]).to_pylist())
        for _, (_, year), _ in self.snapshot.files("options"):
            if year < self.since.year and len(self._named_options(year)):
                years.add(year)
        return years

    def _contracts(self) -> pa.Table:
        columns = ["contractname", "year", "monthint", "expirationdate"]
        return plain(self.snapshot.read("contracts", columns, symbol=self.symbol))
