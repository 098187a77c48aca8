"""EXO definitions and what is computed from them: series, points, trades, gaps."""

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from .product import Product


class Definition(models.Model):
    """An EXO: an algorithm by dotted path, with parameters, on some products.

    `exo_registry.catalogue` loads and validates the algorithm; a definition alone computes nothing.
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
        validators=[MinValueValidator(0.0)],
        help_text="Per contract and side, in the product's currency. Empty: the product's own.",
    )
    cost_option = models.FloatField(
        "cost per option",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0)],
        help_text="Per contract and side, in the product's currency. Empty: the product's own.",
    )
    enabled = models.BooleanField(default=True, help_text="Planned by backfills and online runs.")
    notes = models.TextField(blank=True)

    history = HistoricalRecords(m2m_fields=[products])

    class Meta:
        verbose_name = "EXO definition"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Series(models.Model):
    """Definition x product x direction: the thing that has points.

    The lineage fields say what the points were computed from; `runs.plan` compares them with
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
    last_delta = models.FloatField(null=True, blank=True)
    points_count = models.PositiveIntegerField(default=0)
    gaps_count = models.PositiveIntegerField(default=0)
    sparkline = models.JSONField(default=list, blank=True, help_text="The last 60 values.")
    state = models.JSONField(null=True, blank=True)

    # Lineage.
    algorithm_hash = models.CharField(max_length=64, blank=True)
    parameters = models.JSONField(null=True, blank=True)
    product_rules = models.JSONField(null=True, blank=True)
    market_revision = models.PositiveIntegerField(null=True, blank=True)
    dependencies = models.JSONField(default=dict, blank=True, help_text="Series read, with their generation.")
    generation = models.PositiveIntegerField(default=0, help_text="Raised when stored points are replaced.")
    computed_at = models.DateTimeField(null=True, blank=True)

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

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="trades", db_index=False)
    date = models.DateField()
    number = models.PositiveSmallIntegerField()
    contract = models.CharField(max_length=64)
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
