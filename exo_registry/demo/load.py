"""Loads the demonstration by the ordinary ways in: a market pack, then a registry file."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from exo_registry import definitions as registry
from exo_registry.definitions import registry_yaml
from exo_registry.market import import_tables
from exo_registry.models import Definition, Product, Revision
from exo_registry.runs.request import RunRequest

from . import market
from .products import PRODUCTS

SYNTHETIC = Product.DataKind.SYNTHETIC
REGISTRY = Path(__file__).with_name("registry.yaml")


class DemoError(ValueError):
    """The demonstration cannot be loaded here; the message says why and what to do."""


@dataclass(frozen=True)
class Loaded:
    """What a load did: its newest session, rows of the market pack, and the registry's report."""

    until: dt.date
    rows: int
    registry: registry.Report


def symbols() -> list[str]:
    return [product.symbol for product in PRODUCTS]


def load(*, today: dt.date | None = None, user: User | None = None, progress: Callable | None = None) -> Loaded:
    """Bring the demonstration market and registry up to the last session before `today`. Doing it again adds nothing.

    Definitions that are there keep what they are. Raises DemoError if one of the symbols is a real product.
    """
    until = market.last_session(today or timezone.now().date())
    _reserve()
    tables = market.tables(until)
    import_tables(tables, source=_source(until), user=user, progress=progress)
    report = registry.import_registry(_starter_text(), user=user)
    return Loaded(until, sum(table.num_rows for table in tables.values()), report)


def wanted(today: dt.date | None = None) -> bool:
    """Whether `load` has something to add: to an empty registry, or newer sessions to its own products."""
    own = Product.objects.filter(exchangesymbol__in=symbols(), data_kind=SYNTHETIC)
    if not Definition.objects.exists() and not Product.objects.exclude(pk__in=own).exists():
        return True
    current = Revision.objects.filter(source=_source(market.last_session(today or timezone.now().date())))
    return own.exclude(revisions__in=current).exists()


def missing() -> RunRequest:
    """What asks for all that the demonstration's series lack."""
    products = Product.objects.filter(exchangesymbol__in=symbols(), data_kind=SYNTHETIC, active=True)
    return RunRequest(products=list(products), start=market.START)


def _source(until: dt.date) -> str:
    return f"demonstration market to {until}"


@transaction.atomic
def _reserve() -> None:
    """Make the products' rows, synthetic from the first moment on."""
    real = Product.objects.filter(exchangesymbol__in=symbols()).exclude(data_kind=SYNTHETIC)
    if taken := ", ".join(product.exchangesymbol for product in real):
        raise DemoError(
            f"{taken}: a product of this name is there and is not marked as synthetic. The demonstration would mix "
            "synthetic prices into its data. Load it into another registry (EXOWEB_HOME), or rename the product."
        )
    for product in PRODUCTS:
        Product.objects.get_or_create(
            exchangesymbol=product.symbol,
            defaults={"data_kind": SYNTHETIC, "ticksize": product.ticksize, "tickvalue": product.tickvalue},
        )


def _starter_text() -> str:
    """The starter registry without what is there already: what a person has changed since stays."""
    starter = registry_yaml.read(REGISTRY.read_text())
    fresh = set(Product.objects.filter(definitions=None, series=None).values_list("exchangesymbol", flat=True))
    names = set(Definition.objects.values_list("name", flat=True))
    return registry_yaml.write(
        {
            "products": [entry for entry in starter["products"] if entry["exchangesymbol"] in fresh],
            "exos": [entry for entry in starter["exos"] if entry["name"] not in names],
        }
    )
