"""The rows of `Series`: definition x product x direction, kept in step with the definitions."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Exists, OuterRef

from exo_registry import catalogue
from exo_registry.models import Definition, Gap, Point, Product, Series, Step

Key = tuple[int, int, str]  # definition, product, direction


@dataclass(kw_only=True)
class SyncReport:
    """Names of the series that were added, removed (they held nothing) and renamed (old, new)."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)  # definition -> why it cannot be loaded

    @property
    def changed(self) -> int:
        return len(self.added) + len(self.removed) + len(self.renamed)


@transaction.atomic
def sync_series(definitions: Iterable[Definition] | None = None) -> SyncReport:
    """Make the series of the definitions (default: all) what they should be. Doing it again changes nothing.

    A series is there for each enabled definition, each of its products (none named: every active product) and
    each direction. One that is no longer wanted goes only if nothing was ever computed for it: points, gaps
    and steps are kept. A definition that was renamed keeps its series under the new name. One whose algorithm
    cannot be loaded keeps what it has, and is named in the report.
    """
    chosen = Definition.objects.prefetch_related("products").order_by("name")
    if definitions is not None:
        chosen = chosen.filter(pk__in=[definition.pk for definition in definitions])
    active = list(Product.objects.filter(active=True))
    report = SyncReport()
    wanted: dict[Key, str] = {}
    names: dict[Key, str] = {}
    readable: list[int] = []
    symbols = dict(Product.objects.values_list("pk", "exchangesymbol"))
    for definition in chosen:
        try:
            labels = catalogue.labels(definition.algorithm, definition.name)
        except catalogue.CatalogueError as error:
            report.broken[definition.name] = str(error)
            continue
        readable.append(definition.pk)
        for direction, label in labels.items():
            for product, symbol in symbols.items():
                names[definition.pk, product, direction] = f"{symbol}_{label}"
            if definition.enabled:
                for product in list(definition.products.all()) or active:
                    key = (definition.pk, product.pk, direction)
                    wanted[key] = names[key]

    stored = {
        (one.definition_id, one.product_id, one.direction): one
        for one in Series.objects.filter(definition__in=readable).only("definition", "product", "direction", "name")
    }
    _remove(stored, [key for key in stored if key not in wanted], report)
    _rename(stored, names, report)
    fresh = [(key, name) for key, name in wanted.items() if key not in stored]
    Series.objects.bulk_create(
        Series(definition_id=key[0], product_id=key[1], direction=key[2], name=name) for key, name in fresh
    )
    report.added = [name for _, name in fresh]
    return report


def _remove(stored: dict[Key, Series], unwanted: list[Key], report: SyncReport) -> None:
    """Take out the unwanted series that hold nothing."""
    if not unwanted:
        return
    holds = {model: Exists(model.objects.filter(series=OuterRef("pk"))) for model in (Point, Gap, Step)}
    empty = set(
        Series.objects.filter(pk__in=[stored[key].pk for key in unwanted])
        .exclude(holds[Point])
        .exclude(holds[Gap])
        .exclude(holds[Step])
        .values_list("pk", flat=True)
    )
    for key in unwanted:
        if stored[key].pk in empty:
            report.removed.append(stored.pop(key).name)
    if empty:
        Series.objects.filter(pk__in=empty).delete()


def _rename(stored: dict[Key, Series], names: dict[Key, str], report: SyncReport) -> None:
    """Give series the name that their definition has now; two definitions may have swapped names."""
    moved = [(one, names[key]) for key, one in stored.items() if key in names and one.name != names[key]]
    if not moved:
        return
    report.renamed = [(one.name, name) for one, name in moved]
    for one, _ in moved:  # out of each other's way first: names are unique at every moment
        one.name = uuid.uuid4().hex
    Series.objects.bulk_update([one for one, _ in moved], ["name"], batch_size=500)
    for one, name in moved:
        one.name = name
    Series.objects.bulk_update([one for one, _ in moved], ["name"], batch_size=500)
