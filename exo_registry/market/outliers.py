"""Prices that are probably none: sentinels such as 9999, a zero between prices above zero, a misplaced point.

They are warnings, since markets do such things: crude oil closed at -37.63 between 18.27 and 10.01.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .parse import Frame
from .problems import Problems
from .records import Rows, make_key
from .references import Parents
from .store import Snapshot
from .upsert import codes_in, numpy_of

PRICE = {"contracts_bars": "close", "contract_settlements": "settlement"}
AROUND = 20  # prices of the contract that are looked at, before and after each
FEWEST = 2  # of them, to judge by
FAR = 10.0  # times the range around
NARROWEST = 0.05  # of the price around: a range is at least that wide
AT_ONCE = 20_000  # prices


def warn_of_outliers(
    table: str, frame: Frame, rows: Rows, contracts: Parents, snapshot: Snapshot, warnings: Problems
) -> None:
    """Names the prices of an import that lie far from those around them, of the same contract, stored ones included.

    The range around is the middle half of up to AROUND prices before and after, but at least NARROWEST of their level;
    far is more than FAR times its width away from it.
    """
    if table not in PRICE:
        return
    messages: dict[int, str] = {}
    for prices, places in _contracts(table, rows, contracts, snapshot):
        messages |= _outliers(prices, places)
    warnings.rows(
        frame.source,
        sorted(messages),
        PRICE[table],
        messages.__getitem__,
        "Correct it if it stands for no value: it is used as it is",
        kind="outlier",
    )


def _contracts(
    table: str, rows: Rows, contracts: Parents, snapshot: Snapshot
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(prices in the order of time, rows of the source; -1 for a stored one) of each contract of an import."""
    good = np.flatnonzero((rows.owner >= 0) & np.isfinite(rows.values[PRICE[table]]))
    rows = rows.take(good)
    if not len(rows) or rows.place is None:
        return
    owner, key, price, place = rows.owner, rows.key, rows.values[PRICE[table]], rows.place
    owners, counts = np.unique(owner, return_counts=True)
    few = owners[counts <= 2 * AROUND]
    for stored_owner, stored_key, stored_price in _stored(table, few, contracts, snapshot):
        new = ~np.isin(stored_key, key)
        owner, key = np.append(owner, stored_owner[new]), np.append(key, stored_key[new])
        price, place = np.append(price, stored_price[new]), np.append(place, np.full(int(new.sum()), -1))
    order = np.argsort(key, kind="stable")
    owner, price, place = owner[order], price[order], place[order]
    edges = np.flatnonzero(np.diff(owner)) + 1
    yield from zip(np.split(price, edges), np.split(place, edges), strict=True)


def _stored(
    table: str, few: np.ndarray, contracts: Parents, snapshot: Snapshot
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Owner, key and price of the stored records of some contracts, product by product."""
    timed = ["at"] if table == "contracts_bars" else []
    for symbol in contracts.symbols.take(pa.array(few)).unique().to_pylist():
        years = pc.year(contracts.table["expirationdate"].take(pa.array(few))).unique().to_pylist()
        stored = snapshot.read(table, ["contractname", "date", *timed, PRICE[table]], symbol=symbol, years=years)
        owner = codes_in(stored["contractname"], contracts.names)
        used = np.isin(owner, few)
        at = numpy_of(stored["at"])[used] if timed else None
        price = numpy_of(stored[PRICE[table]])[used]
        yield owner[used], make_key(owner[used], numpy_of(stored["date"])[used], at), price


def _outliers(prices: np.ndarray, places: np.ndarray) -> dict[int, str]:
    """What to say of the outliers among one contract's prices, by row of the source."""
    if np.ptp(prices) <= FAR * NARROWEST * np.abs(prices).min():
        return {}  # none can be far from any others
    padded = np.concatenate([np.full(AROUND, np.nan), prices, np.full(AROUND, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    messages = {}
    new = np.flatnonzero(places >= 0)
    for at in np.split(new, range(AT_ONCE, len(new), AT_ONCE)):
        around = np.sort(np.delete(windows[at], AROUND, axis=1), axis=1)
        count = np.isfinite(around).sum(axis=1)
        last = np.maximum(count - 1, 0)
        each = np.arange(len(at))
        low, high = around[each, last // 4], around[each, last - last // 4]
        width = np.maximum(high - low, NARROWEST * np.abs(around[each, last // 2]))
        price = prices[at]
        zero = (price == 0.0) & (around[:, 0] > 0.0)
        far = np.maximum(low - price, price - high) > FAR * width
        for found in np.flatnonzero((count >= FEWEST) & (zero | far)).tolist():
            near = f"{low[found]:g} to {high[found]:g}"
            text = "is zero between prices above it" if zero[found] else "is far from the prices around it"
            messages[int(places[at[found]])] = f"{text}, {near}"
    return messages
