"""What online work has to do now: the series that `assess` calls due, without those that a run has or has tried.

Products whose data ended long ago are history, not a feed: they are left to backfills.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q

from exo_registry.market import MarketStoreError
from exo_registry.models import Product, Run, Series, Status, Step
from exo_registry.models.run import ACTIVE
from exo_registry.series.assessment import Assessment, Due, assess
from exo_registry.series.product_data import ProductData, product_data


@dataclass
class ProductWork:
    """What a product's feed lets online work do at a moment.

    `busy`: ids of series that a run is computing; `tried`: of those that an online run has tried for its session and
    this data without success. `problem`: why its market data cannot be read; then nothing is due.
    """

    data: ProductData
    series: list[Assessment] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    problem: str = ""

    @property
    def product(self) -> Product:
        return self.data.product

    @property
    def due(self) -> set[int]:
        """Ids of the series to compute now."""
        return self.missing | self.corrected

    @property
    def missing(self) -> set[int]:
        """Those that lack sessions."""
        return self._due_for(Due.MISSING)

    @property
    def corrected(self) -> set[int]:
        """Those of which the newest session has to be computed again."""
        return self._due_for(Due.CORRECTED)

    @property
    def computed(self) -> int:
        """How many of its series have a first backfill."""
        return len(self.series) - len(self.never_run)

    @property
    def never_run(self) -> list[Series]:
        return [row.series for row in self.series if row.series.last_session is None]

    def _due_for(self, due: Due) -> set[int]:
        if self.problem:
            return set()
        return {row.series.pk for row in self.series if row.due == due} - self.busy - self.tried


def look(now: dt.datetime, products: Iterable[int] | None = None) -> list[ProductWork]:
    """The work on active products (ids; None: all) whose feed is live, and those whose data cannot be read."""
    active = Product.objects.filter(active=True)
    if products is not None:
        active = active.filter(pk__in=list(products))
    work = {pk: _product_work(data) for pk, data in product_data(active, now).items() if data.end.number}
    work = {pk: product_work for pk, product_work in work.items() if product_work.problem or product_work.data.is_live}
    series = Series.objects.in_calculation().filter(product__in=work).order_by("name")
    light = series.light(products=[product_work.product for product_work in work.values()])
    for assessment in assess(light, data={pk: product_work.data for pk, product_work in work.items()}).values():
        product_work = work[assessment.series.product_id]
        product_work.series.append(assessment)
        if assessment.problem:
            product_work.problem = f"{assessment.problem}."
    _note_steps(work)
    return list(work.values())


def _product_work(data: ProductData) -> ProductWork:
    try:
        _ = data.is_live
        return ProductWork(data)
    except MarketStoreError as error:
        return ProductWork(data, problem=f"{error}.")


def _note_steps(work: dict[int, ProductWork]) -> None:
    """Note the due series that a run is computing, and those that were tried: once is enough.

    New data, the next session or an operator's retry try again.
    """
    by_series = {pk: product_work for product_work in work.values() for pk in product_work.due}
    if not by_series:
        return
    tried = Q(run__kind=Run.Kind.ONLINE, status__in=(Status.FAILED, Status.SKIPPED, Status.CANCELLED))
    steps = Step.objects.filter(Q(status__in=ACTIVE) | tried, series__in=by_series)
    for pk, status, until, created in steps.values_list("series", "status", "run__until", "run__created"):
        product_work = by_series[pk]
        if status in ACTIVE:
            product_work.busy.add(pk)
        elif until == product_work.data.computable and created >= product_work.data.end.imported:
            product_work.tried.add(pk)
