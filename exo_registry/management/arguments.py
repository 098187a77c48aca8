"""Arguments that several commands read: dates, and names of products, definitions and series."""

import argparse
import datetime as dt
import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from django.core.management.base import CommandError

from exo_registry.models import Definition, Product, Series
from exo_registry.models.bounds import parse_date

BAD_ARGUMENTS = 2

Row = TypeVar("Row")


def iso_date(text: str) -> dt.date:
    """A date argument, YYYY-MM-DD."""
    try:
        return parse_date(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def names(text: str) -> list[str]:
    """A comma-separated list of names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def products(symbols: Sequence[str]) -> list[Product]:
    """The products of these symbols, in the order given. CommandError (exit status 2) names an unknown one."""
    by_symbol = {product.exchangesymbol: product for product in Product.objects.all()}
    return _all_known("product", symbols, by_symbol)


def definitions(wanted: Sequence[str]) -> list[Definition]:
    """The EXO definitions of these names. CommandError (exit status 2) names an unknown one."""
    return _all_known(
        "EXO definition", wanted, {definition.name: definition for definition in Definition.objects.all()}
    )


def one_series(name: str) -> Series:
    """The series of this name. CommandError (exit status 2) if there is none."""
    series = Series.objects.filter(name=name).select_related("product", "definition").first()
    if series is None:
        raise _unknown("series", name, Series.objects.values_list("name", flat=True))
    return series


def _all_known(what: str, wanted: Sequence[str], known: dict[str, Row]) -> list[Row]:
    for name in wanted:
        if name not in known:
            raise _unknown(what, name, known)
    return [known[name] for name in dict.fromkeys(wanted)]


def _unknown(what: str, name: str, known: Iterable[str]) -> CommandError:
    known = sorted(known)
    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if near:
        hint = f"Did you mean {folded[near[0]]}?"
    elif known:
        hint = f"There are: {', '.join(known[:20])}{', …' if len(known) > 20 else ''}."
    else:
        hint = "There are none yet."
    return CommandError(f"There is no {what} {name!r}. {hint}", returncode=BAD_ARGUMENTS)
