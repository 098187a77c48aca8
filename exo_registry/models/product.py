"""Products and the revisions of their market data."""

import datetime as dt
import zoneinfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from simple_history.models import HistoricalRecords

from algorithms.engine import patterns
from algorithms.engine.tables import LEGACY, STANDARD
from algorithms.engine.text import shorten

from .bounds import COST, POSITIVE, YIELD, Between, validate_text

ALL_MONTHS = list(range(1, 13))
MOST_OPTION_CODES = 100


def all_months() -> list[int]:
    return list(ALL_MONTHS)


def validate_timezone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise ValidationError(f"{name!r} is not an IANA time zone; an example is America/Chicago.") from error


def validate_months(months: list) -> None:
    if not isinstance(months, list) or not months or any(type(m) is not int or not 1 <= m <= 12 for m in months):
        raise ValidationError("Rollover months are a list of month numbers from 1 to 12, such as [3, 6, 9, 12].")
    if len(set(months)) != len(months):
        raise ValidationError("A rollover month is named twice.")


def validate_option_codes(codes: list) -> None:
    if not isinstance(codes, list) or any(not isinstance(code, str) for code in codes):
        raise ValidationError('Option codes are a list of regular expressions, such as ["^EW$", "^$"]; [] takes all.')
    if len(codes) > MOST_OPTION_CODES:
        raise ValidationError(f"There are {len(codes)} option codes; at most {MOST_OPTION_CODES} are taken.")
    for code in codes:
        validate_text(code)
        try:
            patterns.check(code)
        except ValueError as error:
            shown = shorten(code, patterns.LONGEST)
            raise ValidationError(f"Option code {shown!r} cannot be used: {error}.") from error


def validate_calendar(code: str) -> None:
    import pandas_market_calendars

    if code and code not in pandas_market_calendars.get_calendar_names():
        raise ValidationError(f"{code!r} is not an exchange calendar known to pandas-market-calendars; try CMES.")


class Product(models.Model):
    """A futures market: its contract terms, its clock and its rules for rolling."""

    class PricingModel(models.TextChoices):
        BLACK76 = "black76", "Black-76 (options on futures)"
        BLACK_SCHOLES = "black_scholes", "Black-Scholes (underlying as spot)"
        BACHELIER = "bachelier", "Bachelier (options on futures, prices below zero)"

    class DataKind(models.TextChoices):
        QUOTED = "quoted", "Quoted in a market"
        MODELLED = "modelled", "Modelled, at least the options"
        SYNTHETIC = "synthetic", "Synthetic"

    class Conventions(models.TextChoices):
        STANDARD = STANDARD, "standard"
        LEGACY = LEGACY, "legacy (the old engine's)"

    symbol_validator = RegexValidator(
        r"^[A-Za-z0-9.]{1,16}\Z", "A symbol has 1 to 16 letters, digits or dots, such as ES or 6E."
    )

    exchangesymbol = models.CharField("symbol", max_length=16, unique=True, validators=[symbol_validator])
    description = models.CharField(max_length=200, blank=True, validators=[validate_text])
    exchange = models.CharField(max_length=32, blank=True, validators=[validate_text])
    currency = models.CharField(
        max_length=3, default="USD", validators=[RegexValidator(r"^[A-Z]{3}\Z", "An ISO 4217 code, such as USD.")]
    )
    ticksize = models.FloatField("tick size", validators=[POSITIVE], help_text="Smallest price move of the future.")
    tickvalue = models.FloatField(
        "tick value", validators=[POSITIVE], help_text="Worth of one tick of one contract, in the currency."
    )
    optionticksize = models.FloatField(
        "option tick size", null=True, blank=True, validators=[POSITIVE], help_text="Empty: as the future."
    )
    optiontickvalue = models.FloatField(
        "option tick value", null=True, blank=True, validators=[POSITIVE], help_text="Empty: as the future."
    )
    optionstrikeincrement = models.FloatField("option strike increment", null=True, blank=True, validators=[POSITIVE])
    timezone = models.CharField(max_length=64, default="America/Chicago", validators=[validate_timezone])
    decision_time = models.TimeField(
        default=dt.time(14, 45), help_text="Local time at which a session's prices are taken."
    )
    execution_time = models.TimeField(default=dt.time(15, 0), help_text="Local time at which the desk trades.")
    calendar = models.CharField(
        max_length=64,
        blank=True,
        default="CMES",
        validators=[validate_calendar],
        help_text="Exchange calendar (pandas-market-calendars) that says when a session is expected.",
    )
    pricing_model = models.CharField(
        max_length=16,
        choices=PricingModel,
        default=PricingModel.BLACK76,
        help_text="Volatilities are fractions a year, of Bachelier points a year.",
    )
    dividend_yield = models.FloatField(
        default=0.0,
        validators=[YIELD],
        help_text="Of the underlying, a fraction a year, continuously compounded; with Black-Scholes alone.",
    )
    conventions = models.CharField(
        max_length=16,
        choices=Conventions,
        default=Conventions.STANDARD,
        help_text="The rules of the numbers. Legacy computes as the desk's old engine did: old prices count for ever, "
        "sessions are the days that have a bar, and nothing is settled at expiry.",
    )
    max_bar_age_days = models.PositiveSmallIntegerField(
        "oldest bar",
        default=3,
        validators=[Between(0, 366)],
        help_text="Calendar days after which a bar gives no value any more (standard conventions).",
    )
    rollover_months = models.JSONField(
        default=all_months,
        validators=[validate_months],
        help_text="Futures months that are held, such as [3, 6, 9, 12].",
    )
    days_before_expiration = models.PositiveSmallIntegerField(
        default=2,
        validators=[Between(0, 366)],
        help_text="Roll when a held contract has this many calendar days to expiry, or fewer.",
    )
    option_codes = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_option_codes],
        help_text="Option series that may be held: regular expressions that match the whole code, "
        'such as ["^EW$", "^$"]; [] takes all.',
    )
    futures_limit = models.PositiveSmallIntegerField(
        default=4, validators=[Between(1, 100)], help_text="How many of the nearest futures are looked at."
    )
    strikes_limit = models.PositiveSmallIntegerField(
        default=20,
        validators=[Between(1, 1000)],
        help_text="How many strikes on each side of the money are looked at.",
    )
    cost_future = models.FloatField(
        "cost per future",
        default=0.0,
        validators=[COST],
        help_text="Per contract and side, in the currency.",
    )
    cost_option = models.FloatField(
        "cost per option",
        default=0.0,
        validators=[COST],
        help_text="Per contract and side, in the currency.",
    )
    active = models.BooleanField(default=False, help_text="In calculation: planned by backfills and online runs.")
    data_kind = models.CharField(
        max_length=16,
        choices=DataKind,
        default=DataKind.QUOTED,
        help_text="Where the market data comes from; other than quoted is labelled wherever a series shows.",
    )

    history = HistoricalRecords()

    class Meta:
        ordering = ["exchangesymbol"]
        constraints = [
            # Folders of market data are named after it, and some file systems do not tell ES from es.
            models.UniqueConstraint(
                Lower("exchangesymbol"),
                name="product_symbol_once_whatever_case",
                violation_error_message="There is a product with this symbol already, in other case.",
            )
        ]

    def __str__(self) -> str:
        return self.exchangesymbol

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.exchangesymbol])

    def clean(self) -> None:
        if (self.optionticksize is None) != (self.optiontickvalue is None):
            message = "Give both the option tick size and the option tick value, or neither."
            raise ValidationError({"optiontickvalue": message})
        if self.dividend_yield and self.pricing_model != self.PricingModel.BLACK_SCHOLES:
            message = "A dividend yield is of a spot underlying: use black_scholes, or give 0."
            raise ValidationError({"dividend_yield": message})

        if self.pk and not self.is_synthetic and self._has_synthetic_data():
            message = "Synthetic data stays synthetic: delete the product, or give the other data another symbol."
            raise ValidationError({"data_kind": message})

    def _has_synthetic_data(self) -> bool:
        stored = Product.objects.filter(pk=self.pk, data_kind=self.DataKind.SYNTHETIC)
        return stored.exclude(revisions=None).exists()

    @property
    def is_synthetic(self) -> bool:
        """Whether the market data was never quoted anywhere, nor made from what was."""
        return self.data_kind == self.DataKind.SYNTHETIC

    @property
    def point_value(self) -> float:
        """Worth of a move of 1.0 in the price of one future, in the currency."""
        return self.tickvalue / self.ticksize

    @property
    def option_point_value(self) -> float:
        """Worth of a move of 1.0 in the price of one option, in the currency."""
        if self.optionticksize is None or self.optiontickvalue is None:
            return self.point_value
        return self.optiontickvalue / self.optionticksize


class Revision(models.Model):
    """One import that changed a product's market data. Numbers rise by one within a product."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)
    source = models.CharField(max_length=500, help_text="Folder, address or request that the data came from.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    earliest_change = models.DateField(help_text="First date on which a value may differ from the revision before.")
    rows_added = models.PositiveIntegerField(default=0)
    rows_changed = models.PositiveIntegerField(default=0)
    versions = models.JSONField(default=dict, help_text="Delta version of each table after the import.")
    # What online work and the book ask every minute, kept here so that they need not read market data.
    newest_session = models.DateField(null=True, blank=True, help_text="Newest date with a bar, after the import.")
    previous_session = models.DateField(null=True, blank=True, help_text="The session before it.")
    newest_bar = models.DateTimeField(
        null=True, blank=True, help_text="Newest bar of that session; empty: it has one that is a date alone."
    )

    class Meta:
        ordering = ["product", "-number"]
        constraints = [models.UniqueConstraint(fields=["product", "number"], name="revision_number_once_a_product")]

    def __str__(self) -> str:
        return f"{self.product} revision {self.number}"


class Feed(models.Model):
    """How a product's bars arrive: what online work has said about them and need not say again."""

    product = models.OneToOneField(Product, on_delete=models.CASCADE, primary_key=True, related_name="feed")
    late_session = models.DateField(
        null=True, blank=True, help_text="Newest session reported as late; empty: bars arrive in time."
    )
    late_since = models.DateTimeField(null=True, blank=True, help_text="When the delay was first reported.")

    def __str__(self) -> str:
        return f"{self.product}: late since {self.late_session}" if self.late_session else f"{self.product}: in time"
