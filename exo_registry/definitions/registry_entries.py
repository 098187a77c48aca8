"""Products as entries of a registry file: which keys there are, and how each value is written and read."""

import datetime as dt
import difflib
import math
import re
from collections.abc import Iterable
from typing import Any

from django.db import models

from exo_registry.models import Product

PRODUCT_KEYS = tuple(field.name for field in Product._meta.fields if field.name != "id")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\Z")


def product_entry(product: Product) -> dict[str, Any]:
    """A product as a registry file has it."""
    values = {name: getattr(product, name) for name in PRODUCT_KEYS}
    return {name: time_text(value) if isinstance(value, dt.time) else value for name, value in values.items()}


def in_present_keys(entry: Any) -> Any:
    """A product's entry with the keys of today: files of version 0.1 have `synthetic: true` or `false`."""
    if not isinstance(entry, dict) or not isinstance(entry.get("synthetic"), bool):
        return entry
    present = {name: value for name, value in entry.items() if name != "synthetic"}
    return {"data_kind": Product.DataKind.SYNTHETIC.value, **present} if entry["synthetic"] else present


def read_product(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values in the model's types, and messages for those that have another type. None takes the default."""
    read: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in values.items():
        field = Product._meta.get_field(name)
        try:
            read[name] = field.get_default() if value is None else _value(field, value)
        except ValueError as error:
            problems[name] = str(error)
    return read, problems


def time_text(value: dt.time) -> str:
    return value.strftime("%H:%M:%S" if value.second else "%H:%M")


def unknown_key(name: str, known: Iterable[str]) -> str:
    return f"is not a known key. {_near(name, known)}Known: {', '.join(known)}."


def unknown_product(symbol: Any, known: Iterable[str]) -> str:
    listed = ", ".join(sorted(known)) or "none yet"
    return f"There is no product {symbol}. {_near(str(symbol), known)}Products: {listed}. importmarket makes them."


def is_number(value: Any) -> bool:
    """Whether a value of a file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]}? " if near else ""


def _value(field: models.Field, value: Any) -> Any:
    """The value in the field's type; ValueError with a message if it has another. Nothing is guessed."""
    if isinstance(field, models.BooleanField):
        return _expect(value, isinstance(value, bool), "true or false")
    if isinstance(field, models.IntegerField):
        return _expect(value, isinstance(value, int) and not isinstance(value, bool), "a whole number")
    if isinstance(field, models.FloatField):
        return float(_expect(value, is_number(value), "a finite number"))
    if isinstance(field, models.TimeField):
        match = _TIME.match(value) if isinstance(value, str) else None
        _expect(value, match is not None, "a time of day such as 14:45")
        return dt.time(*(int(part or 0) for part in match.groups()))
    if isinstance(field, models.JSONField):
        return _expect(value, isinstance(value, list), "a list, such as [3, 6, 9, 12]")
    return _expect(value, isinstance(value, str), "text; put it in quotes")


def _expect(value: Any, holds: bool, what: str) -> Any:
    if not holds:
        raise ValueError(f"{value!r} is not {what}.")
    return value
