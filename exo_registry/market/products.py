"""The `instruments` table <-> Product rows."""

import datetime as dt
from dataclasses import dataclass, field
from typing import cast

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Field

from exo_registry.models import Product

from .parse import Frame
from .problems import Problems
from .schema import PACK

TIMES = ("decision_time", "execution_time")
# A blank here means "the default"; a blank option code list or option tick means none.
DEFAULTED = (
    "currency",
    "timezone",
    "decision_time",
    "execution_time",
    "pricing_model",
    "dividend_yield",
    "conventions",
    "rollover_months",
    "data_kind",
)
REMEDIES = {
    "exchangesymbol": "Use letters, digits and dots",
    "currency": "Use an ISO 4217 code, such as USD",
    "timezone": "Use an IANA name, such as America/Chicago",
    "decision_time": "Write local time as HH:MM",
    "execution_time": "Write local time as HH:MM",
    "pricing_model": f"Use {', '.join(Product.PricingModel.values[:-1])} or {Product.PricingModel.values[-1]}",
    "dividend_yield": "Write a decimal fraction a year, such as 0.015, of a product with black_scholes",
    "data_kind": f"Use {', '.join(Product.DataKind.values[:-1])} or {Product.DataKind.values[-1]}",
    "conventions": f"Use {' or '.join(Product.Conventions.values)}",
    "max_bar_age_days": "Write a whole number of calendar days, 0 or more",
    "calendar": "Use a code of pandas-market-calendars, such as CMES",
    "rollover_months": "Write month numbers separated by spaces, such as 3 6 9 12",
    "days_before_expiration": "Write a whole number of days, 0 or more",
    "option_codes": "Write regular expressions separated by spaces, such as ^EW$ ^$",
}


@dataclass
class ProductChange:
    """A product as a pack wants it; `changed` names the fields that differ from the row in the database.

    refused: the fields that the model does not take.
    """

    product: Product
    created: bool = False
    changed: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def save(self, user: User | None = None) -> None:
        if self.created or self.changed:
            self.product._history_user = user  # type: ignore[attr-defined]
            self.product.save(update_fields=None if self.created else self.changed)


def read_instruments(frame: Frame | None, problems: Problems) -> dict[str, ProductChange]:
    """Products by symbol: those of the database, as the pack's instruments change them."""
    changes = {product.exchangesymbol: ProductChange(product) for product in Product.objects.all()}
    if frame is None:
        return changes
    seen: dict[str, int] = {}
    spellings = {symbol.lower(): symbol for symbol in changes}
    for row in range(len(frame)):
        symbol = frame["exchangesymbol"].at(row)
        if symbol is None:
            continue
        if symbol in seen:
            first = frame.source.row_name(seen[symbol])
            problems.rows(
                frame.source,
                [row],
                "exchangesymbol",
                f"the product stands in {first} already",
                "Keep one row a product",
            )
            continue
        if (known := spellings.setdefault(symbol.lower(), symbol)) != symbol:
            problems.rows(
                frame.source,
                [row],
                "exchangesymbol",
                f"differs from {known} in case only",
                f"Write {known}, or give the product another symbol",
            )
            changes[symbol] = ProductChange(Product(exchangesymbol=symbol), refused={"exchangesymbol"})
            continue
        seen[symbol] = row
        change = changes.get(symbol) or ProductChange(Product(exchangesymbol=symbol), created=True)
        _apply(change, frame, row, problems)
        changes[symbol] = change
    return changes


def _apply(change: ProductChange, frame: Frame, row: int, problems: Problems) -> None:
    """Set the fields that the pack has a column for, and check the whole."""
    product = change.product
    for name in frame.columns:
        try:
            value = _value(frame, row, name)
        except ValueError:
            problems.rows(frame.source, [row], name, "cannot be read", REMEDIES[name])
            continue
        if value is None and name in DEFAULTED:
            if not change.created:
                continue
            value = _default(name)
        if getattr(product, name) != value:
            change.changed.append(name)
            setattr(product, name, value)
    try:
        product.full_clean(validate_unique=False)
    except ValidationError as error:
        change.refused.update(error.message_dict)
        for name, messages in error.message_dict.items():
            if name in frame and _already_told(frame, row, name, problems):
                continue
            problems.rows(
                frame.source,
                [row],
                name,
                " ".join(messages).rstrip("."),
                REMEDIES.get(name, "Give a number above zero"),
            )


def _already_told(frame: Frame, row: int, name: str, problems: Problems) -> bool:
    row_name = frame.source.row_name(row)
    return any(p.file == frame.source.place and p.column == name and p.row_name == row_name for p in problems)


def _default(name: str) -> object:
    return cast("Field[object, object]", Product._meta.get_field(name)).get_default()


def _value(frame: Frame, row: int, name: str) -> object:
    """A field's value; None where the cell is blank. Raises ValueError if it cannot be read."""
    column = frame[name]
    if PACK["instruments"][name].kind == "integer":
        return int(column[row]) if column[row] == column[row] else _default(name)
    if not hasattr(column, "at"):
        return float(column[row]) if column[row] == column[row] else None
    text = column.at(row)
    if name == "option_codes":
        return (text or "").split()
    if name == "rollover_months":
        return [_month(word) for word in text.split()] if text else None
    if name in TIMES:
        return _time_of_day(text) if text else None
    return text if text or name in DEFAULTED else ""


def _month(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise ValueError(word)
    return int(word)


def _time_of_day(text: str) -> dt.time:
    time = dt.time.fromisoformat(text)
    if time.tzinfo:
        raise ValueError("a local time has no offset")
    return time


def instrument_rows(products: list[Product]) -> dict[str, list]:
    """Products as columns of `instruments`. Raises ValueError for one that a pack cannot express."""
    columns: dict[str, list] = {}
    for product in products:
        if spaced := [code for code in product.option_codes if not code or any(map(str.isspace, code))]:
            raise ValueError(
                f"{product}: option code {spaced[0]!r} is blank or has a space in it, which a pack cannot carry; "
                r"write \s for a space and ^$ for the standard series"
            )
        for name in PACK["instruments"]:
            columns.setdefault(name, []).append(_cell(getattr(product, name)))
    return columns


def _cell(value: object) -> object:
    if isinstance(value, dt.time):
        return value.isoformat("auto" if value.second or value.microsecond else "minutes")
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value
