"""The statistics of a stored series."""

import datetime as dt
from functools import lru_cache

from django.conf import settings

from algorithms.analysis.capital import Capital, yearly_notional
from algorithms.analysis.results import active_prices
from algorithms.analysis.statistics import Performance, performance
from algorithms.engine import ProductRules
from exo_registry import market
from exo_registry.models import Product, Series

POINT_COLUMNS = ("date", "exo", "nfutures_opened", "noptions_opened", "costs", "stale_days")
TRADE_COLUMNS = ("date", "contract", "qty", "value")


def series_performance(
    series: Series, *, start: dt.date | None = None, end: dt.date | None = None, capital: float | None = None
) -> Performance:
    """The statistics of a series from `start` to `end`, both included (None: all of it), on `capital` in the product's
    currency.

    Without a capital it is that of the definition; else the notional at the start of each year
    (`algorithms.analysis.capital.yearly_notional`); if there is no market data to tell the future's price, none, and
    what needs one is None. docs/statistics.md has the definitions. Raises ValueError for a capital that is not above
    zero, MarketStoreError if the store cannot be read.
    """
    points, trades, gaps = series.points.order_by("date"), series.trades.order_by("date", "number"), series.gaps.all()
    if end is not None:
        points, trades, gaps = (rows.filter(date__lte=end) for rows in (points, trades, gaps))
    point_columns = _columns(points.values_list(*POINT_COLUMNS), POINT_COLUMNS)
    trade_columns = _columns(trades.values_list(*TRADE_COLUMNS), TRADE_COLUMNS)
    used: Capital | None = series.definition.capital if capital is None else capital
    if used is None and trade_columns["date"]:
        product = series.product
        used = yearly_notional(point_columns, trade_columns, future_prices(product), product.point_value)
    dates = list(gaps.values_list("date", flat=True))
    return performance(point_columns, trade_columns, gaps=dates, capital=used, start=start)


def future_prices(product: Product) -> dict[dt.date, float]:
    """Price of the active future at each session, in points, whatever the chains; empty without market data."""
    newest = product.revisions.values_list("pk", flat=True).first()
    return _future_prices(str(settings.MARKET_DATA_URI), newest, product.pk, market.rules(product))


@lru_cache(maxsize=64)
def _future_prices(store: str, revision: int | None, product: int, rules: ProductRules) -> dict[dt.date, float]:
    """Store, revision and rules are part of the key, so that a change of them is seen."""
    try:
        futures = market.load_futures(Product.objects.get(pk=product))
    except market.MarketStoreError:
        raise
    except market.MarketDataError:
        return {}
    return active_prices(futures)


def _columns(rows, names: tuple[str, ...]) -> dict[str, list]:
    columns = list(map(list, zip(*rows, strict=True))) or [[] for _ in names]
    return dict(zip(names, columns, strict=True))
