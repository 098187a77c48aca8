"""A product with a small market, and series computed on it."""

from collections.abc import Callable

import pytest

from exo_registry.models import Point, Product, Run, Series, Trade
from exo_registry.runs import plan, tasks

from .markets import import_bars, weekdays

DAYS = weekdays("2020-01-06", 120)
START = DAYS[0]


@pytest.fixture
def bars(tmp_path) -> Callable[..., None]:
    """`bars("ES", days, change={day: 5.0})`: import bars of a product."""
    count = iter(range(1000))

    def bars(symbol: str, days, **more) -> None:
        import_bars(tmp_path / f"pack{next(count)}", symbol, days, **more)

    return bars


@pytest.fixture
def es(make_product, bars) -> Product:
    """A product with 100 sessions."""
    product = make_product("ES")
    bars("ES", DAYS[:100])
    return product


@pytest.fixture
def contfut(make_definition):
    return make_definition("ContFut")


@pytest.fixture
def compute() -> Callable[..., Run]:
    """`compute(start=…, mode=…)`: plan, start and work a run here; returns it."""

    def compute(**wanted) -> Run:
        run = plan.start(plan.make_plan(**wanted), source=Run.Source.SHELL)
        for product_id in run.steps.values_list("product", flat=True).distinct():
            tasks.work(run.pk, product_id)
        run.refresh_from_db()
        return run

    return compute


def rows(name: str) -> tuple[list, list]:
    """Stored points and trades of a series, every column."""
    series = Series.objects.get(name=name)
    points = Point.objects.filter(series=series).order_by("date").values_list()
    trades = Trade.objects.filter(series=series).values_list("date", "number", "contract", "qty", "price", "value")
    return list(points), list(trades)
