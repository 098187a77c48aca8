"""What to do after an import of market data, so that its products are computed."""

from collections.abc import Iterable, Iterator

from exo_registry.market import ProductReport
from exo_registry.market.session_lists import readable_calendars
from exo_registry.models import Product, Series


def after_import(reports: Iterable[ProductReport]) -> Iterator[str]:
    """The next command of each product that has data and nothing computed, if there is one."""
    symbols = [report.symbol for report in reports]
    products = Product.objects.filter(exchangesymbol__in=symbols, active=True)
    calendars, _ = readable_calendars(products)
    for product in products:
        if not calendars.get(product.pk):
            continue
        series = Series.objects.in_calculation().filter(product=product)
        if not series.exists():
            yield (
                f"No EXO definition is on {product}: add one in the admin, or with manage.py importregistry FILE. "
                f"Then: {_backfill(product, calendars[product.pk].dates[0])}"
            )
        elif not series.exclude(last_session=None).exists():
            yield f"Next: {_backfill(product, calendars[product.pk].dates[0])}"


def _backfill(product: Product, first_session: object) -> str:
    return f"manage.py runexo {product} -B {first_session}"
