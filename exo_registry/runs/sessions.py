"""The sessions of products as their market data has them: which there are, and which are complete."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db.models import F, Max
from django.utils import timezone

from exo_registry import market_store
from exo_registry.calendars import decision_instant
from exo_registry.models import Product, Revision


@dataclass(frozen=True)
class Calendar:
    """Complete sessions of one product (datetime64[D], ascending), and the data revision that they come from."""

    dates: np.ndarray
    revision: int

    def __bool__(self) -> bool:
        return len(self.dates) > 0

    @property
    def newest(self) -> dt.date | None:
        return self.dates[-1].item() if len(self.dates) else None

    def between(self, first: dt.date | None, last: dt.date | None) -> np.ndarray:
        """Sessions from `first` to `last`, both included; None leaves a side open."""
        low = 0 if first is None else np.searchsorted(self.dates, np.datetime64(first), side="left")
        high = len(self.dates) if last is None else np.searchsorted(self.dates, np.datetime64(last), side="right")
        return self.dates[low:high]

    def after(self, date: dt.date) -> np.ndarray:
        return self.dates[np.searchsorted(self.dates, np.datetime64(date), side="right") :]


def calendars(products: Iterable[Product], now: dt.datetime | None = None) -> dict[int, Calendar]:
    """The calendar of each product, by its id: one query, and a read of market data only after an import.

    A session is complete when its decision time has passed, in the product's time zone.
    """
    products = {product.pk: product for product in products}
    newest = (
        Revision.objects.filter(product__in=products)
        .annotate(newest=Max("product__revisions__number"))
        .filter(number=F("newest"))
        .values_list("product_id", "pk", "number")
    )
    found = {product_id: (pk, number) for product_id, pk, number in newest}
    result = {}
    for pk, product in products.items():
        if pk in found:
            revision_pk, number = found[pk]
            dates = _sessions(settings.MARKET_DATA_URI, revision_pk, product.exchangesymbol)
            result[pk] = Calendar(_complete(dates, product, now or timezone.now()), number)
        else:
            result[pk] = Calendar(np.empty(0, "datetime64[D]"), 0)
    return result


@lru_cache(maxsize=1024)
def _sessions(store: str, revision_pk: int, symbol: str) -> np.ndarray:
    """Sessions of a product; the store and the revision are part of the key, so that an import is seen."""
    return market_store.sessions(Product.objects.get(exchangesymbol=symbol))


def _complete(dates: np.ndarray, product: Product, now: dt.datetime) -> np.ndarray:
    """Sessions whose decision time has passed; on a half day that is when trading ends, if that is earlier."""
    today = now.astimezone(ZoneInfo(product.timezone)).date()
    dates = dates[: np.searchsorted(dates, np.datetime64(today), side="right")]
    if len(dates) and dates[-1].item() == today and decision_instant(product, today) > now:
        return dates[:-1]
    return dates
