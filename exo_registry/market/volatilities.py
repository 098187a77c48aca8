"""The records of options: whether their volatilities are in the unit of the product's pricing model."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from algorithms.engine.pricing import BACHELIER
from exo_registry.models import Product

from .bounds import LEAVE_OUT, check_above_zero, check_not_negative
from .parse import Frame
from .problems import Problems
from .products import ProductChange
from .references import Parents
from .store import Snapshot

PERCENTAGE_VOL = 5.0  # a fraction a year above it is a percentage
LARGEST_NORMAL_VOL = 1e6  # points a year
UNITS = {False: "fractions", True: "points a year"}
IMPORT_AGAIN = "Import all of its options_data in that unit"
FRACTION_VOL = 0.002  # of the strike: a volatility in points a year below it is probably a fraction


def other_unit(product: Product, before: str) -> str:
    """What is wrong, with the remedy, if stored volatilities are not in the unit of the product's pricing model, which
    was `before`; empty if they are."""
    symbol = product.exchangesymbol
    message = _change_of_unit(symbol, before, product.pricing_model, Snapshot.of(symbol))
    return f"{message[:1].upper()}{message[1:]}. {IMPORT_AGAIN}." if message else ""


def _change_of_unit(symbol: str, before: str, after: str, snapshot: Snapshot) -> str:
    """What is wrong with a product's stored volatilities after a change of its pricing model; empty if nothing is."""
    stored = {partition[0] for _, partition, _ in snapshot.files("options_data")}
    if symbol not in stored or (before == BACHELIER) == (after == BACHELIER):
        return ""
    old, new = UNITS[before == BACHELIER], UNITS[after == BACHELIER]
    return f"the volatilities of {symbol} in the store are {old}, and {after} takes {new}"


def warn_of_units(
    frame: Frame | None, products: Mapping[str, ProductChange], snapshot: Snapshot, warnings: Problems
) -> None:
    """Names the products whose pricing model an import changes, so that their stored volatilities have another unit."""
    changed = [c.product for c in products.values() if "pricing_model" in c.changed and not c.created]
    if frame is None or not changed:
        return
    before = Product.objects.in_bulk([product.pk for product in changed])
    for product in changed:
        model = before[product.pk].pricing_model
        if message := _change_of_unit(product.exchangesymbol, model, product.pricing_model, snapshot):
            warnings.file(frame.source.place, message, IMPORT_AGAIN, column="pricing_model")


def check_vols(
    frame: Frame, options: Parents, models: Mapping[str, str], problems: Problems, warnings: Problems
) -> None:
    """Volatilities and prices of options. models: the pricing model of each product."""
    check_above_zero(frame, "impliedvol", "volatility", problems)
    vols = frame["impliedvol"]
    place = frame["optionname"].match(options.names)
    in_points = _in_points(options, models)[place]
    problems.rows(
        frame.source,
        np.flatnonzero((vols > PERCENTAGE_VOL) & ~in_points),
        "impliedvol",
        "looks like a percentage; a volatility is a decimal fraction, 0.25 for 25 %",
        "Divide the column by 100",
    )
    if in_points.any():
        _check_points(frame, vols, in_points, options.table["strikeprice"].to_numpy()[place], problems, warnings)
    if "price" in frame:
        check_not_negative(frame, "price", problems)


def _in_points(options: Parents, models: Mapping[str, str]) -> np.ndarray:
    """Whether each option's volatility is in points a year, and False at last, for a name that is not known."""
    symbols = options.symbols.dictionary_encode()
    flags = [models.get(symbol) == BACHELIER for symbol in symbols.dictionary.to_pylist()]
    return np.append(np.array([*flags, False])[_codes(symbols)], False)


def _codes(symbols: pa.DictionaryArray) -> np.ndarray:
    codes: np.ndarray = symbols.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes


def _check_points(
    frame: Frame, vols: np.ndarray, in_points: np.ndarray, strikes: np.ndarray, problems: Problems, warnings: Problems
) -> None:
    beyond = np.flatnonzero(in_points & (vols > LARGEST_NORMAL_VOL))
    message = f"is no volatility: beyond {LARGEST_NORMAL_VOL:,.0f} points a year it stands for no value"
    problems.rows(frame.source, beyond, "impliedvol", message, LEAVE_OUT)
    fractions = np.flatnonzero(in_points & (vols > 0) & (vols < FRACTION_VOL * np.abs(strikes)))
    warnings.rows(
        frame.source,
        fractions,
        "impliedvol",
        lambda row: f"looks like a decimal fraction for a strike of {strikes[row]:g}",
        "Under bachelier a volatility is in points a year, about the fraction times the price",
        kind="fraction",
    )
