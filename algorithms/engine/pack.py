"""Reads one product from a market pack, for notebooks and tests: a folder of CSV, gzipped CSV or Parquet tables.

It takes a pack that is correct and refuses any other; the import into exoweb reports every problem of a pack at once.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from . import calendars
from .bar_times import STRAY, dates_and_strays
from .errors import PackError
from .pack_schema import HOLDS, PACK
from .pricing import MODELS
from .tables import (
    EPOCH,
    LEGACY,
    NO_OPTIONS,
    NO_RATES,
    NO_VOLS,
    STANDARD,
    Bars,
    Futures,
    Options,
    ProductRules,
    Rates,
    Vols,
)

SUFFIXES = (".csv", ".csv.gz", ".parquet")
TYPES = {"number": pa.float64(), "integer": pa.int32(), "date": pa.date32()}
DEFAULT_CALENDAR = "CMES"
BEFORE = dt.timedelta(days=14)  # the session before the first one is within it
DATE_BAR = -1  # the second of a bar that is a date alone
NO_DAY = np.iinfo(np.int64).min  # of a bar that has a time
SECONDS_A_DAY = 86_400


class Table:
    """The rows of one table, columns by name; `file` names it in errors."""

    def __init__(self, name: str, file: str, data: Any) -> None:
        self.name, self.file, self.data = name, file, data

    def refuse(self, column: str, reason: object) -> NoReturn:
        raise PackError(f"{self.file}, column {column}: {reason}")

    def column(self, name: str) -> Any:
        """A column in the type of its kind. Raises PackError if it is missing, has gaps or holds something else."""
        spec = PACK[self.name][name]
        if name not in self.data.column_names:
            if spec.required:
                self.refuse(name, "the column is missing")
            return pa.nulls(len(self.data), TYPES.get(spec.kind, pa.string()))
        values = self.data[name].combine_chunks()
        if isinstance(values.type, pa.DictionaryType):
            values = values.dictionary_decode()
        if spec.kind != "moment":
            try:
                values = values.cast(TYPES.get(spec.kind, pa.string()))
            except pa.ArrowException as error:
                self.refuse(name, f"holds something else than {HOLDS[spec.kind]}: {error}")
        if spec.required and values.null_count:
            self.refuse(name, f"row {pc.index(values.is_null(), True).as_py() + 1:,} has no value")
        if spec.required and spec.kind == "number" and not pc.all(pc.is_finite(values), min_count=0).as_py():
            self.refuse(name, "holds a number that is not finite")
        return values

    def array(self, name: str) -> np.ndarray:
        """A column for the engine: days as numbers since 1970-01-01, text as objects (empty where missing)."""
        values = self.column(name)
        if pa.types.is_date32(values.type):
            return np.asarray(values.cast(pa.int32()).to_numpy(zero_copy_only=False))
        if pa.types.is_string(values.type):
            return np.array([value or "" for value in values.to_pylist()], object)
        return np.asarray(values.to_numpy(zero_copy_only=False))

    def rows(self, mask: Any) -> "Table":
        return Table(self.name, self.file, self.data.filter(mask))

    def unique(self, name: str) -> None:
        counts = pc.value_counts(self.column(name)).to_pylist()
        if twice := next((count["values"] for count in counts if count["counts"] > 1), None):
            self.refuse(name, f"{twice} is there more than once")


def read_product(
    folder: Path, symbol: str, changes: Mapping[str, Any]
) -> tuple[ProductRules, Futures, Bars, Options, Vols, Rates, np.ndarray | None]:
    """A product's rules, its tables and its exchange's calendar, as Market takes them.

    Args:
        folder: Of the pack.
        symbol: The product's `exchangesymbol`.
        changes: Rules to use in place of the pack's.

    Raises:
        PackError: Something cannot be read.
        CalendarError: The product's calendar is not known.
    """
    instruments = _required(folder, "instruments")
    product = instruments.rows(pc.equal(instruments.column("exchangesymbol"), symbol))
    if len(product.data) != 1:
        instruments.refuse("exchangesymbol", f"{symbol} is in {len(product.data)} rows; a product is in one")
    rules = replace(_rules(product, symbol), **changes)
    contracts = _required(folder, "contracts")
    contracts = contracts.rows(pc.equal(contracts.column("exchangesymbol"), symbol))
    contracts.column("expirationdate")
    contracts.data = contracts.data.take(np.argsort(contracts.array("expirationdate"), kind="stable"))
    contracts.unique("contractname")
    futures = Futures(*(contracts.array(name) for name in ("contractname", "year", "monthint", "expirationdate")))
    bars = _of(_required(folder, "contracts_bars"), "contractname", contracts.column("contractname"))
    zone = product.array("timezone")[0] or "America/Chicago"
    future = _codes(bars, "contractname", contracts)
    day, second = _moments(bars, future, zone)
    close = bars.array("close")
    used = day <= futures.expiry[future]  # a record after its contract's expiration is no quote
    quotes = Bars(future[used], day[used], second[used], close[used])
    options, vols, rates = _options(folder, symbol, contracts)
    return rules, futures, quotes, options, vols, rates, _calendar(rules, futures, quotes, options)


def _calendar(rules: ProductRules, futures: Futures, bars: Bars, options: Options) -> np.ndarray | None:
    """The exchange's days from before the first bar to the last expiration; None without a calendar."""
    days = np.concatenate([bars.day, futures.expiry, options.expiry])
    if not rules.calendar or rules.legacy or not len(days):
        return None
    first, last = (EPOCH + dt.timedelta(days=int(day)) for day in (days.min(), days.max()))
    return calendars.expected_days(calendars.calendar_code(rules.calendar, rules.symbol), first - BEFORE, last)


def _options(folder: Path, symbol: str, contracts: Table) -> tuple[Options, Vols, Rates]:
    listed = _read(folder, "options")
    if listed is None:
        return NO_OPTIONS, NO_VOLS, NO_RATES
    listed = _of(listed, "contractname", contracts.column("contractname"))
    listed.unique("optionname")
    rights = listed.column("callorput")
    if not pc.all(pc.is_in(rights, pa.array(["C", "P"])), min_count=0).as_py():
        listed.refuse("callorput", "holds something else than C and P")
    options = Options(
        listed.array("optionname"),
        _codes(listed, "contractname", contracts),
        listed.array("expirationdate"),
        listed.array("strikeprice"),
        np.asarray(pc.equal(rights, "C").to_numpy(zero_copy_only=False)),
        listed.array("optioncode"),
    )
    return options, _vols(folder, listed, options.expiry), _rates(folder, symbol)


def _vols(folder: Path, listed: Table, expiry: np.ndarray) -> Vols:
    table = _read(folder, "options_data")
    if table is None:
        return NO_VOLS
    table = _of(table, "optionname", listed.column("optionname"))
    option, day, vol = _codes(table, "optionname", listed), table.array("date"), table.array("impliedvol")
    if np.any(vol <= 0):
        table.refuse("impliedvol", "holds a volatility that is not above zero")
    order = np.lexsort((day, option))
    option, day, vol = option[order], day[order], vol[order]
    if np.any((np.diff(option) == 0) & (np.diff(day) == 0)):
        table.refuse("date", "an option has two records of one date")
    used = day <= expiry[option]
    return Vols(option[used], day[used], vol[used])


def _rates(folder: Path, symbol: str) -> Rates:
    table = _read(folder, "riskfreerate")
    if table is None:
        return NO_RATES
    names = table.array("exchangesymbol")
    own = names == symbol
    table = table.rows(pa.array(own if own.any() else names == ""))
    day, rate = table.array("date"), table.array("rate")
    order = np.argsort(day, kind="stable")
    if np.any(np.diff(day[order]) == 0):
        table.refuse("date", "there are two rates of one date")
    return Rates(day[order], rate[order])


def _rules(product: Table, symbol: str) -> ProductRules:
    """A product's rules; what the row leaves out is as exoweb's own default."""
    row = {name: product.column(name)[0].as_py() for name in PACK["instruments"] if name != "rollover_months"}
    months = product.data["rollover_months"][0].as_py() if "rollover_months" in product.data.column_names else None
    for name in ("ticksize", "tickvalue", "optionticksize", "optiontickvalue"):
        if row[name] is not None and not row[name] > 0:
            product.refuse(name, f"{row[name]:g} is not above zero")
    model = row["pricing_model"] or "black76"
    if model not in MODELS:
        product.refuse("pricing_model", f"{model} is none of {', '.join(MODELS)}")
    dividend = row["dividend_yield"] or 0.0
    if dividend and model != "black_scholes":
        product.refuse("dividend_yield", f"{model} has none; it is for black_scholes, whose underlying is a spot")
    try:
        decision_time = dt.time.fromisoformat(row["decision_time"] or "14:45")
    except ValueError:
        product.refuse("decision_time", f"{row['decision_time']} is no time of day such as 14:45")
    try:
        rollover_months = tuple(int(month) for month in (months.split() if isinstance(months, str) else months or ()))
    except ValueError:
        product.refuse("rollover_months", f"{months} is no list of months such as 3 6 9 12")
    conventions = row["conventions"] or STANDARD
    if conventions not in (STANDARD, LEGACY):
        product.refuse("conventions", f"{conventions} is neither {STANDARD} nor {LEGACY}")
    days = row["days_before_expiration"]
    tick, value = row["ticksize"], row["tickvalue"]
    return ProductRules(
        symbol=symbol,
        currency=row["currency"] or "USD",
        point_value=value / tick,
        option_point_value=(row["optiontickvalue"] or value) / (row["optionticksize"] or tick),
        decision_time=decision_time,
        pricing_model=model,
        dividend_yield=dividend,
        rollover_months=rollover_months or tuple(range(1, 13)),
        days_before_expiration=2 if days is None else days,
        option_codes=tuple((row["option_codes"] or "").split()),
        conventions=conventions,
        max_bar_age_days=3 if row["max_bar_age_days"] is None else row["max_bar_age_days"],
        calendar=(row["calendar"] or "") if "calendar" in product.data.column_names else DEFAULT_CALENDAR,
    )


def _moments(bars: Table, contracts: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Local day and second of bars. A time without an offset is on the product's clock; midnights are dates where a
    contract has no other times."""
    values = bars.column("datetime")
    try:
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            day, instant, wall, zoned = _text_moments(values)
        elif pa.types.is_date(values.type):
            day = _days(values.cast(pa.date32()))
            return day, np.full(len(day), DATE_BAR, np.int32)
        elif pa.types.is_timestamp(values.type):
            day, zoned = np.full(len(values), NO_DAY), np.full(len(values), values.type.tz is not None)
            instant, wall = _seconds(values), _seconds(pc.local_timestamp(values) if values.type.tz else values)
        else:
            bars.refuse("datetime", f"holds something else than {HOLDS['moment']}")
    except (pa.ArrowException, ValueError) as error:
        bars.refuse("datetime", f"holds something else than {HOLDS['moment']}: {error}")
    timed = day == NO_DAY
    own, universal = wall % SECONDS_A_DAY == 0, instant % SECONDS_A_DAY == 0
    midnight = timed & (own | universal)
    dates, strays = dates_and_strays(contracts, midnight, timed & ~midnight)
    if strays.any():
        bars.refuse("datetime", f"row {int(np.argmax(strays)) + 1:,} {STRAY}")
    day = np.where(dates, np.where(own, wall, instant) // SECONDS_A_DAY, day)
    timed &= ~dates
    mixed = np.intersect1d(contracts[timed], contracts[~timed])
    if len(mixed):
        bars.refuse("datetime", "holds both dates and times of a contract: write all its bars one way")
    local = np.where(zoned, _clock(instant, zone), wall)
    second = np.where(timed, local % SECONDS_A_DAY, DATE_BAR)
    return np.where(timed, local // SECONDS_A_DAY, day).astype(np.int32), second.astype(np.int32)


def _text_moments(values: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Day (NO_DAY for a time), seconds since 1970 in UTC, the same on its own clock, and whether it has an offset.

    Raises ValueError or ArrowException for what is neither a date nor a time.
    """
    texts = values.dictionary_encode()
    words = texts.dictionary.to_pylist()
    is_date = np.array([len(word) == len("2024-01-02") for word in words], bool)
    days = _days(pc.if_else(pa.array(is_date), texts.dictionary, None).cast(pa.date32()).fill_null(EPOCH))
    midnight = dt.datetime.combine(EPOCH, dt.time())
    times = [midnight if dated else dt.datetime.fromisoformat(word) for word, dated in zip(words, is_date, strict=True)]
    zoned = np.array([time.tzinfo is not None for time in times], bool)
    offsets = [(time.utcoffset() or dt.timedelta()).total_seconds() for time in times]
    seconds = np.array([(time.replace(tzinfo=None) - midnight) // dt.timedelta(seconds=1) for time in times], np.int64)
    instant = seconds - np.array(offsets, np.int64)
    at = texts.indices.to_numpy()
    return np.where(is_date, days, NO_DAY)[at], instant[at], seconds[at], zoned[at]


def _days(dates: Any) -> np.ndarray:
    return np.asarray(dates.cast(pa.int32()).to_numpy(zero_copy_only=False), np.int64)


def _seconds(stamps: Any) -> np.ndarray:
    naive = stamps.cast(pa.timestamp("us", tz=stamps.type.tz), safe=False)
    return np.asarray(naive.cast(pa.int64()).to_numpy(zero_copy_only=False)) // 1_000_000


def _clock(instant: np.ndarray, zone: str) -> np.ndarray:
    """Seconds since 1970 on the clock of a time zone."""
    stamps = pa.array(instant, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("s", tz="UTC"))
    return _seconds(pc.local_timestamp(stamps.cast(pa.timestamp("s", tz=zone))))


def _of(table: Table, key: str, names: Any) -> Table:
    return table.rows(pc.is_in(table.column(key), names))


def _codes(table: Table, key: str, owners: Table) -> np.ndarray:
    """The row of each record's contract."""
    return np.asarray(pc.index_in(table.column(key), owners.column(key)).to_numpy(zero_copy_only=False), np.int32)


def _required(folder: Path, name: str) -> Table:
    table = _read(folder, name)
    if table is None:
        raise PackError(f"{folder} has no table {name}: write {' or '.join(name + suffix for suffix in SUFFIXES)}")
    return table


def _read(folder: Path, name: str) -> Table | None:
    paths = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").exists()]
    if not paths:
        return None
    if len(paths) > 1:
        raise PackError(f"{folder} has {name} more than once: keep one of {', '.join(path.name for path in paths)}")
    path = paths[0]
    columns = dict.fromkeys(PACK[name], pa.string())
    try:
        if path.suffix == ".parquet":
            data = pq.read_table(path, partitioning=None)
        else:
            options = pacsv.ConvertOptions(column_types=columns, strings_can_be_null=True, null_values=[""])
            data = pacsv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise PackError(f"{path.name} cannot be read: {error}") from error
    return Table(name, path.name, data)
