"""Markets of the oracle as the engine takes them."""

import datetime as dt
from collections.abc import Iterable

import numpy as np

from algorithms.engine.market import Market
from algorithms.engine.tables import Bars, Futures, Options, ProductRules, Rates, Vols, day_number

from .tables import Tables


def engine_market(tables: Tables) -> Market:
    """The engine's market of a market of the oracle."""
    futures = sorted(tables.futures.values(), key=lambda future: future.expiration)
    options = list(tables.options.values())
    place = {row.name: at for at, row in enumerate(futures)} | {row.name: at for at, row in enumerate(options)}
    volatilities = sorted((place[name], date, vol) for (name, date), vol in tables.volatilities.items())
    rates = sorted(tables.rates.items())
    return Market(
        ProductRules(symbol="XX", conventions="standard", **vars(tables.rules)),
        Futures(
            np.array([future.name for future in futures], object),
            np.array([future.expiration.year for future in futures], np.int32),
            np.array([future.month for future in futures], np.int32),
            days(future.expiration for future in futures),
        ),
        Bars(
            np.array([place[bar.future] for bar in tables.bars], np.int32),
            days(bar.date for bar in tables.bars),
            np.array([second(bar.time) for bar in tables.bars], np.int32),
            np.array([bar.close for bar in tables.bars]),
        ),
        Options(
            np.array([option.name for option in options], object),
            np.array([place[option.future] for option in options], np.int32),
            days(option.expiration for option in options),
            np.array([option.strike for option in options], np.float64),
            np.array([option.right == "C" for option in options], bool),
            np.array([option.code for option in options], object),
        ),
        Vols(
            np.array([option for option, _, _ in volatilities], np.int32),
            days(date for _, date, _ in volatilities),
            np.array([vol for _, _, vol in volatilities], np.float64),
        ),
        Rates(days(date for date, _ in rates), np.array([rate for _, rate in rates], np.float64)),
        calendar=None if tables.calendar is None else days(tables.calendar),
    )


def days(dates: Iterable[dt.date]) -> np.ndarray:
    return np.array([day_number(date) for date in dates], np.int32)


def second(time: dt.time | None) -> int:
    """Of the day; -1 for a bar that is a date alone."""
    return -1 if time is None else time.hour * 3600 + time.minute * 60 + time.second
