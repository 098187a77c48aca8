"""Bars, settlements, volatilities and rates: checked, and turned into keyed rows for `upsert`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .arrays import MISSING, Moments
from .bounds import check_not_negative, check_price
from .parse import Frame
from .problems import Problems
from .references import NO_SUCH, Parents

# A key is the owner's number and, below it, the record's place in time.
KEY_BITS = 40
SECONDS_A_DAY = 86_400
OFFSET = 100 * 366 * SECONDS_A_DAY  # seconds from before 1900 to 1970, so that keys are positive
PERCENTAGE_RATE = 1.0


@dataclass
class Rows:
    """Records of one table. owner: row of the contract, option or product; key: unique, ascending; values by column.

    Days are int32 since 1970, instants int64 microseconds; a missing number is nan, a missing instant NOWHEN. place: of
    records that a source has, the row there.
    """

    owner: np.ndarray
    key: np.ndarray
    values: dict[str, np.ndarray]
    place: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: np.ndarray | slice) -> "Rows":
        values = {name: column[rows] for name, column in self.values.items()}
        return Rows(self.owner[rows], self.key[rows], values, None if self.place is None else self.place[rows])


NOWHEN = np.iinfo(np.int64).min


def make_key(owner: np.ndarray, day: np.ndarray, instant: np.ndarray | None = None) -> np.ndarray:
    """Keys in the order of (owner, time). instant: microseconds, NOWHEN where the record is a day's."""
    seconds = day.astype(np.int64) * SECONDS_A_DAY
    dated: np.ndarray | int = 1
    if instant is not None:
        dated = instant == NOWHEN
        seconds = np.where(dated, seconds, instant // 1_000_000)
    return (owner.astype(np.int64) << KEY_BITS) | ((seconds + OFFSET) * 2 + dated)


# -- checks -------------------------------------------------------------------------------------------------------


def check_bars(frame: Frame, problems: Problems) -> None:
    for name in ("open", "high", "low", "close"):
        if name in frame:
            check_price(frame, name, "price", problems)
    if "volume" in frame:
        check_not_negative(frame, "volume", problems)
    if "high" in frame and "low" in frame:
        upside_down = np.flatnonzero(frame["high"] < frame["low"])
        problems.rows(frame.source, upside_down, "high", "the high is below the low", "Correct one of them")


def check_rates(frame: Frame, problems: Problems) -> None:
    high = np.flatnonzero(np.abs(frame["rate"]) > PERCENTAGE_RATE)
    problems.rows(
        frame.source,
        high,
        "rate",
        "looks like a percentage; a rate is a decimal fraction, 0.014 for 1.4 %",
        "Divide the column by 100",
    )


# -- rows ---------------------------------------------------------------------------------------------------------


def contract_rows(
    frame: Frame, owner_column: str, owners: Parents, zones: dict[str, str], problems: Problems, warnings: Problems
) -> Rows:
    """The pack's records that hang on contracts or options, sorted by key."""
    owner = frame[owner_column].match(owners.names)
    problems.rows(
        frame.source,
        owners.unknown(frame[owner_column]),
        owner_column,
        NO_SUCH[owners.name],
        f"Add it to {owners.name}, or correct the name",
    )
    values = {name: column for name, column in frame.columns.items() if isinstance(column, np.ndarray)}
    if "datetime" in frame:
        values = {**local_times(frame, owner, owners, zones, problems), **values}
    _check_expired(frame, owner, values["date"], owners, problems, warnings)
    return _sorted(frame, owner, values, "datetime" if "datetime" in frame else "date", problems)


def rate_rows(frame: Frame, symbols: list[str], all_products: bool, problems: Problems) -> Rows:
    """The pack's rates (owner: place in `symbols`): each product's own, or the same for all where none is named.

    all_products: the pack is about no others than `symbols`.
    """
    values = {name: column for name, column in frame.columns.items() if isinstance(column, np.ndarray)}
    if "exchangesymbol" in frame:
        text = frame["exchangesymbol"]
        owner = text.match(pa.array(symbols, pa.string()))
        blank = (text.codes < 0) & ~frame.unread["exchangesymbol"]
        problems.rows(
            frame.source,
            np.flatnonzero(blank),
            "exchangesymbol",
            "a value is missing, though other rates name a product",
            "Name one in every row, or in none",
        )
        unknown = np.flatnonzero((owner < 0) & (text.codes >= 0))
        problems.rows(
            frame.source,
            unknown if all_products else [],
            "exchangesymbol",
            "no such product",
            "Name one of the pack's instruments, or a product that exists",
        )
        return _sorted(frame, owner, values, "date", problems)
    rows = _sorted(frame, np.zeros(len(frame), np.int32), values, "date", problems)
    owner = np.repeat(np.arange(len(symbols), dtype=np.int32), len(frame))
    tiled = {name: np.tile(column, len(symbols)) for name, column in rows.values.items()}
    return Rows(owner, make_key(owner, tiled["date"]), tiled)


def _sorted(frame: Frame, owner: np.ndarray, values: dict[str, np.ndarray], column: str, problems: Problems) -> Rows:
    """Rows in the order of their keys; two with one key are a problem."""
    key = make_key(owner, values["date"], values.get("at"))
    rows = Rows(owner, key, values, np.arange(len(key)))
    if np.all(key[1:] > key[:-1]):
        return rows
    order = np.argsort(key, kind="stable")
    rows = rows.take(order)
    again = np.flatnonzero(rows.key[1:] == rows.key[:-1]) + 1
    read = (rows.owner[again] >= 0) & (rows.values["date"][again] != MISSING)
    _tell_duplicates(frame, rows, again[read], order, column, problems)
    return rows


def _tell_duplicates(
    frame: Frame, rows: Rows, again: np.ndarray, order: np.ndarray, column: str, problems: Problems
) -> None:
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))

    def message(row: int) -> str:
        at = int(place[row]) - 1
        same = all(
            values[at] == values[at + 1] or (values[at] != values[at] and values[at + 1] != values[at + 1])
            for values in rows.values.values()
        )
        there = frame.source.row_name(int(order[at]))
        return f"the key stands in {there} already, {'with the same' if same else 'with other'} values"

    names = [name for name in ("contractname", "optionname", "exchangesymbol") if name in frame]
    problems.rows(
        frame.source,
        np.sort(order[again]),
        column,
        message,
        f"Keep one row for each {' and '.join([*names, column])}",
        value=lambda row: " ".join([*(frame[name].at(row) for name in names), str(frame.source.value(row, column))]),
        kind="duplicate",
    )


def _check_expired(
    frame: Frame, owner: np.ndarray, day: np.ndarray, owners: Parents, problems: Problems, warnings: Problems
) -> None:
    """Records after their contract's expiration are not used; if a new contract has no others, a date is wrong."""
    if not len(owners.expiry):
        return
    known = (owner >= 0) & (day != MISSING)
    late = known & (day > owners.expiry[owner])
    if not late.any():
        return
    timely = np.zeros(len(owners.expiry), bool)
    timely[owner[known & ~late]] = True
    # A feed may send a last record after a contract that is known has expired; a new expiration may be mistyped.
    misdated = ~timely & owners.stated
    never = np.flatnonzero(late & misdated[owner])
    first = never[np.sort(np.unique(owner[never], return_index=True)[1])]
    column = "optionname" if owners.name == "options" else "contractname"
    problems.rows(
        frame.source,
        first,
        column,
        lambda row: f"every record of it is after its expiration, {_iso(owners.expiry[owner[row]])}",
        f"Correct expirationdate in {owners.name}, or the dates",
        kind="expired",
    )
    warnings.rows(
        frame.source,
        np.flatnonzero(late & ~misdated[owner]),
        "datetime" if "datetime" in frame else "date",
        "the record is after its contract's expiration and is not used",
        f"Check expirationdate in {owners.name}",
    )


def _iso(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


# -- time ---------------------------------------------------------------------------------------------------------


def local_times(
    frame: Frame, owner: np.ndarray, owners: Parents, zones: dict[str, str], problems: Problems
) -> dict[str, np.ndarray]:
    """`date` (local session date) and `at` (UTC microseconds, NOWHEN for a date) of bars.

    A time without an offset is on the clock of its product (zones: by symbol, those that are known). One that the
    clock skips or shows twice, when daylight saving time starts or ends, is a problem.
    """
    moments: Moments = frame["datetime"]
    day = moments.day.copy()
    at = np.where(moments.timed, moments.instant * 1_000_000, NOWHEN)
    if not moments.timed.any() or not len(owners.symbols):
        return {"date": day, "at": at}
    symbols = owners.symbols.dictionary_encode()
    product = np.where(owner >= 0, symbols.indices.to_numpy()[owner], -1)
    for code in np.unique(product[moments.timed & (product >= 0)]).tolist():
        zone = zones.get(symbols.dictionary[code].as_py())
        if zone is None:
            continue
        mine = moments.timed & (product == code)
        naive = np.flatnonzero(mine & ~moments.zoned)
        if len(naive):
            at[naive] = _to_utc(frame, naive, at[naive], zone, problems)
        rows = np.flatnonzero(mine)
        day[rows] = local_clock(at[rows], zone)[0]
    return {"date": day, "at": at}


def _to_utc(frame: Frame, rows: np.ndarray, local: np.ndarray, zone: str, problems: Problems) -> np.ndarray:
    stamps = pa.array(local, pa.int64()).cast(pa.timestamp("us"))
    choice: Callable[[str, str], np.ndarray] = lambda twice, never: (  # noqa: E731
        pc.assume_timezone(stamps, zone, ambiguous=twice, nonexistent=never).cast(pa.int64()).to_numpy()
    )
    utc = choice("earliest", "earliest")
    for other, message in (
        (choice("latest", "earliest"), f"the clock of {zone} shows this time twice (daylight saving time ends)"),
        (choice("earliest", "latest"), f"the clock of {zone} skips this time (daylight saving time starts)"),
    ):
        problems.rows(
            frame.source,
            rows[other != utc],
            "datetime",
            message,
            "Write the time with its offset, such as 2024-11-03T01:30:00-05:00",
        )
    return utc


def local_clock(at: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """(day, second of the day) on the clock of a time zone, of UTC microseconds."""
    stamps = pa.array(at, pa.int64()).cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=zone))
    seconds = pc.local_timestamp(stamps).cast(pa.int64()).to_numpy() // 1_000_000
    return (seconds // SECONDS_A_DAY).astype(np.int32), (seconds % SECONDS_A_DAY).astype(np.int32)
