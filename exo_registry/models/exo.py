"""EXO definitions and what is computed from them: series, points, trades, gaps."""

from collections.abc import Iterable
from typing import TypeVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Exists, OuterRef
from django.urls import reverse
from simple_history.models import HistoricalRecords

from .bounds import CAPITAL, COST, validate_text
from .columns import Columns
from .product import Product

Symbol = TypeVar("Symbol")


def meant_products(named: Iterable[Symbol], active: Iterable[Symbol]) -> list[Symbol]:
    """The products that a definition means: those that it names, active or not; one that names none, all active ones.

    Rows or symbols alike: drafts of definitions have symbols. `SeriesQuerySet.in_calculation` says the same in SQL.
    """
    return list(named) or list(active)


class Definition(models.Model):
    """An EXO: an algorithm by dotted path, with parameters, on some products.

    `exo_registry.definitions.catalogue` loads and validates the algorithm; a definition alone computes nothing.
    """

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(r"^[A-Za-z][A-Za-z0-9]*\Z", "A name starts with a letter and has letters and digits only.")
        ],
        help_text="Series are named after it: ContFut on CL is CL_ContFut.",
    )
    algorithm = models.CharField(
        max_length=200, help_text="Dotted path of the class, such as algorithms.continuous_future.ContinuousFuture."
    )
    parameters = models.JSONField(
        default=dict, blank=True, help_text="As the algorithm documents them; {} takes its defaults."
    )
    products = models.ManyToManyField(
        Product, blank=True, related_name="definitions", help_text="Empty: every active product."
    )
    cost_future = models.FloatField(
        "cost per future",
        null=True,
        blank=True,
        validators=[COST],
        help_text="Per contract and side, in the product's currency. Empty: the product's own.",
    )
    cost_option = models.FloatField(
        "cost per option",
        null=True,
        blank=True,
        validators=[COST],
        help_text="Per contract and side, in the product's currency. Empty: the product's own.",
    )
    capital = models.FloatField(
        null=True,
        blank=True,
        validators=[CAPITAL],
        help_text="What returns are on, in the product's currency. Empty: the notional at the start of each year.",
    )
    enabled = models.BooleanField(default=True, help_text="Planned by backfills and online runs.")
    notes = models.TextField(blank=True, validators=[validate_text])

    history = HistoricalRecords(m2m_fields=[products])

    class Meta:
        verbose_name = "EXO definition"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


# What `exo_registry.series.assessment` reads of a series and of its definition.
ASSESSED = (
    "id",
    "definition_id",
    "product_id",
    "direction",
    "name",
    "start",
    "last_session",
    "points_count",
    "gaps_count",
    "algorithm",
    "algorithm_hash",
    "parameters",
    "product_rules",
    "market_revision",
    "dependencies",
    "computed_at",
)
ASSESSED_OF_DEFINITION = ("id", "name", "algorithm", "parameters", "cost_future", "cost_option", "enabled")


class SeriesQuerySet(models.QuerySet["Series"]):
    def in_calculation(self) -> "SeriesQuerySet":
        """Those that runs compute: the definition is enabled and means the product, and the product is active.

        Which products a definition means: `meant_products`.
        """
        named = Definition.products.through.objects.filter(definition=OuterRef("definition"))
        means = ~Exists(named) | Exists(named.filter(product=OuterRef("product")))
        return self.filter(means, definition__enabled=True, product__active=True)

    def light(self, *also: str, products: Iterable[Product] = ()) -> "list[Series]":
        """The series with what their assessment reads and the fields `also`, for lists of thousands.

        They share one object a definition, a product (`products`: those at hand, which are not read again) and a JSON
        value: nothing may change these in place. Every other field takes a query a series.
        """
        columns = Columns(Series, (*ASSESSED, *also))
        of_definition = Columns(Definition, ASSESSED_OF_DEFINITION, "definition__")
        database, definitions, series = self.db, dict[int, Definition](), []
        for values in self.values_list(*columns.expressions, *of_definition.expressions):
            row = columns.row(database, values[: len(columns)])
            pk = row.definition_id
            if pk not in definitions:
                definitions[pk] = of_definition.row(database, values[len(columns) :])
            Series.definition.field.set_cached_value(row, definitions[pk])
            series.append(row)
        return _with_products(series, {product.pk: product for product in products})


def _with_products(series: "list[Series]", known: dict[int, Product]) -> "list[Series]":
    """The series with their products; without those that have been deleted since they were read."""
    if unknown := {row.product_id for row in series}.difference(known):
        known = known | Product.objects.in_bulk(unknown)
    complete = []
    for row in series:
        if product := known.get(row.product_id):
            Series.product.field.set_cached_value(row, product)
            complete.append(row)
    return complete


class Series(models.Model):
    """Definition x product x direction: the thing that has points.

    The lineage fields say what the points were computed from; `exo_registry.series.lineage` compares them with
    what holds now. `state` lets the newest session be added without loading history.
    """

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="series")
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="series")
    direction = models.CharField(max_length=16, blank=True, help_text="Empty for an algorithm with one direction.")
    name = models.CharField(max_length=100, unique=True)

    # What is stored, kept here so that lists need not read the points.
    start = models.DateField(null=True, blank=True, help_text="The backfill date asked for.")
    first_date = models.DateField(null=True, blank=True)
    last_date = models.DateField(null=True, blank=True)
    last_session = models.DateField(null=True, blank=True, help_text="Newest session tried; a gap leaves no point.")
    last_exo = models.FloatField(null=True, blank=True)
    previous_exo = models.FloatField(null=True, blank=True)
    change_sessions = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Sessions between the last two points: more than one if there are gaps between them.",
    )
    last_delta = models.FloatField(null=True, blank=True)
    points_count = models.PositiveIntegerField(default=0)
    gaps_count = models.PositiveIntegerField(default=0)
    sparkline = models.JSONField(default=list, blank=True, help_text="The last 60 values.")
    state = models.JSONField(null=True, blank=True)

    # Lineage.
    algorithm = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="Path of the algorithm that computed the points; empty: not recorded.",
    )
    algorithm_hash = models.CharField(max_length=64, blank=True)
    parameters = models.JSONField(null=True, blank=True)
    product_rules = models.JSONField(null=True, blank=True)
    market_revision = models.PositiveIntegerField(null=True, blank=True)
    dependencies = models.JSONField(default=dict, blank=True, help_text="Series read, with their generation.")
    generation = models.PositiveIntegerField(default=0, help_text="Raised when stored points are replaced.")
    computed_at = models.DateTimeField(null=True, blank=True)

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "series"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["definition", "product", "direction"], name="series_once_a_direction")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("series", args=[self.name])

    @property
    def day_change(self) -> float | None:
        """The change of exo between the last two points, in the product's currency; `change_sessions` is its span."""
        if self.last_exo is None or self.previous_exo is None:
            return None
        return self.last_exo - self.previous_exo


class Point(models.Model):
    """A series at one session. `exo` is cumulative profit and loss, net of costs, in the product's currency."""

    pk = models.CompositePrimaryKey("series_id", "date")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="points", db_index=False)
    date = models.DateField()
    exo = models.FloatField()
    delta = models.FloatField()
    is_rollover = models.BooleanField()
    nfutures_executed = models.FloatField()
    nfutures_opened = models.FloatField()
    noptions_executed = models.FloatField()
    noptions_opened = models.FloatField()
    costs = models.FloatField(help_text="Costs of the session's trades.")
    stale_days = models.PositiveSmallIntegerField(
        default=0, help_text="Age in days of the oldest bar that a held contract was valued on."
    )
    gross = models.FloatField(help_text="As exo, before costs.")
    extra = models.JSONField(null=True, blank=True, help_text="The algorithm's own columns.")

    def __str__(self) -> str:
        return f"{self.series_id} {self.date}"


class Trade(models.Model):
    """One trade of a series; `value` = price x quantity x point value. `number` orders a session's trades."""

    class Reason(models.TextChoices):
        OPEN = "open"
        ROLL = "roll"
        REBALANCE = "rebalance"
        REGIME = "regime"
        CLOSE = "close"
        EXPIRY = "expiry"

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="trades", db_index=False)
    date = models.DateField()
    number = models.PositiveSmallIntegerField()
    contract = models.CharField(max_length=200, help_text="The longest name that an import of market data takes.")
    qty = models.FloatField()
    price = models.FloatField()
    value = models.FloatField()
    leg = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=16, choices=Reason)

    class Meta:
        ordering = ["date", "number"]
        constraints = [models.UniqueConstraint(fields=["series", "date", "number"], name="trade_once")]

    def __str__(self) -> str:
        return f"{self.date} {self.qty:+g} {self.contract}"


class Gap(models.Model):
    """A session that could not be computed, and why. The position of the day before carried on."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="gaps", db_index=False)
    date = models.DateField()
    reason = models.TextField()

    class Meta:
        ordering = ["date"]
        constraints = [models.UniqueConstraint(fields=["series", "date"], name="gap_once")]

    def __str__(self) -> str:
        return f"{self.date}: {self.reason}"
