"""The rows of `Series`: definition x product x direction, kept in step with the definitions.

Whatever saves or deletes a definition or a product, or puts a product in calculation, calls `sync_series`: the admin,
registry files, CSV files and imports of market data. Planning reads the rows and writes nothing. The directions of an
algorithm are in its code, which changes without anything being saved: starting a run syncs for that, and so does
the start of a worker.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from exo_registry.models import Definition, Gap, Point, Product, Series, Step
from exo_registry.models.exo import meant_products

from . import catalogue

Key = tuple[int, int, str]  # definition, product, direction


@dataclass(kw_only=True)
class SyncReport:
    """Names of the series that were added, removed (they had no points) and renamed (old, new).

    `broken`: definitions that cannot be loaded, and why. `blocked`: names that a series should have and another one
    holds, and what to do.
    """

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return len(self.added) + len(self.removed) + len(self.renamed)


def sync_series(definitions: Iterable[Definition] | None = None) -> SyncReport:
    """Make the series of the definitions (default: all) what they should be. Doing it again changes nothing.

    A series is there for each enabled definition, each of its products and each direction. One that is no longer
    wanted goes only if nothing was ever computed for it: points, gaps and steps are kept. A definition that was
    renamed keeps its series under the new name, and so does a direction that was renamed under the same label. A
    definition whose algorithm cannot be loaded keeps what it has, and is named in the report.
    """
    ids = None if definitions is None else [definition.pk for definition in definitions]
    try:
        return _sync(ids)
    except IntegrityError:  # another process has just added the same series
        return _sync(ids)


def sync_after_import(report: object, **_signal: object) -> None:
    """After an import of market data: series of the products that it made or put in calculation."""
    if any(product.created or product.activated for product in report.products):
        sync_series()


def broken_definitions(definitions: Iterable[Definition]) -> dict[str, str]:
    """Those whose algorithm cannot be loaded, by name, with the reason."""
    broken = {}
    for definition in definitions:
        try:
            catalogue.labels(definition.algorithm, definition.name)
        except catalogue.CatalogueError as error:
            broken[definition.name] = str(error)
    return broken


@transaction.atomic
def _sync(ids: list[int] | None) -> SyncReport:
    chosen = Definition.objects.prefetch_related("products").order_by("name")
    if ids is not None:
        chosen = chosen.filter(pk__in=ids)
    chosen = list(chosen)
    report = SyncReport(broken=broken_definitions(chosen))
    names, wanted = _names([definition for definition in chosen if definition.name not in report.broken])
    readable = [definition.pk for definition in chosen if definition.name not in report.broken]
    rows = Series.objects.filter(definition__in=readable).only("definition", "product", "direction", "name")
    stored = {(row.definition_id, row.product_id, row.direction): row for row in rows}
    _remove(stored, [key for key in stored if key not in wanted], report)
    _move_directions(stored, names, wanted)
    changed = {row.pk: names[key] for key, row in stored.items() if key in names and row.name != names[key]}
    added = {key: names[key] for key in wanted if key not in stored}
    _leave_out_blocked(changed, added, report)
    _rename([row for row in stored.values() if row.pk in changed], changed, report)
    Series.objects.bulk_create(
        Series(definition_id=key[0], product_id=key[1], direction=key[2], name=name) for key, name in added.items()
    )
    report.added = list(added.values())
    return report


def _names(definitions: list[Definition]) -> tuple[dict[Key, str], list[Key]]:
    """What a series of the definitions is called, on any product; and the series there should be."""
    active = list(Product.objects.filter(active=True))
    symbols = dict(Product.objects.values_list("pk", "exchangesymbol"))
    names: dict[Key, str] = {}
    wanted: list[Key] = []
    for definition in definitions:
        labels = catalogue.labels(definition.algorithm, definition.name)
        for direction, label in labels.items():
            for product, symbol in symbols.items():
                names[definition.pk, product, direction] = f"{symbol}_{label}"
            if definition.enabled:
                products = meant_products(definition.products.all(), active)
                wanted += [(definition.pk, product.pk, direction) for product in products]
    return names, wanted


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


def _move_directions(stored: dict[Key, Series], names: dict[Key, str], wanted: list[Key]) -> None:
    """A direction that was renamed and makes the same name keeps its series, and what was computed."""
    absent = {(key[0], names[key]): key for key in wanted if key not in stored}
    for key, row in list(stored.items()):
        if key not in names and (target := absent.get((row.definition_id, row.name))):
            row.direction = target[2]
            row.save(update_fields=["direction"])
            stored[target] = stored.pop(key)


def _leave_out_blocked(changed: dict[int, str], added: dict[Key, str], report: SyncReport) -> None:
    """Take out the names that a series which keeps its own holds: a retired one, of a direction that is gone."""
    while targets := [*changed.values(), *added.values()]:
        holders = Series.objects.filter(name__in=targets).exclude(pk__in=changed).order_by()
        held = set(holders.values_list("name", flat=True))
        if not held:
            return
        for group in (changed, added):
            for key in [key for key, name in group.items() if name in held]:
                del group[key]
        for name in held:
            report.blocked[name] = "a series that is no longer computed holds this name: delete that one first"


def _rename(rows: list[Series], names: dict[int, str], report: SyncReport) -> None:
    """Give series their new names, by id; two definitions may have swapped names."""
    if not rows:
        return
    report.renamed = [(row.name, names[row.pk]) for row in rows]
    for row in rows:  # out of each other's way first: names are unique at every moment
        row.name = uuid.uuid4().hex
    Series.objects.bulk_update(rows, ["name"], batch_size=500)
    for row in rows:
        row.name = names[row.pk]
    Series.objects.bulk_update(rows, ["name"], batch_size=500)
