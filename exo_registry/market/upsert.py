"""Puts new records over stored ones, in memory, partition by partition; says what differs and from which date on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exo_registry.models import Product

from .records import NOWHEN, Rows, local_clock, make_key
from .references import Parents
from .schema import INSTANT, STORE
from .store import Partition, Snapshot

OWNER = {"contracts_bars": "contractname", "contract_settlements": "contractname", "options_data": "optionname"}
# A volatility or a rate is used strictly after its date; settlements are kept, and value nothing.
USED_NEXT_DAY = ("options_data", "riskfreerate")
NOT_USED = ("contract_settlements",)


@dataclass
class TableChange:
    """What an import does to one table: whole partitions, as they will be, and what that changes for each product."""

    table: str
    partitions: set[Partition] = field(default_factory=set)
    rows: list[pa.Table] = field(default_factory=list)
    added: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    earliest: dict[str, int] = field(default_factory=dict)

    def content(self) -> pa.Table:
        return pa.concat_tables(self.rows) if self.rows else STORE[self.table].empty_table()


@dataclass(frozen=True)
class Clock:
    """A product's time zone and the local second of the day at which its prices are taken."""

    zone: str
    decision: int

    @classmethod
    def of(cls, product: Product) -> "Clock":
        time = product.decision_time
        return cls(product.timezone, time.hour * 3600 + time.minute * 60 + time.second)


@dataclass
class Owners:
    """What the records of a table belong to: names, the run of rows of each partition, and the products' clocks."""

    names: pa.Array
    partitions: dict[Partition, tuple[int, int]]
    moved: set[Partition]
    clocks: Mapping[str, "Clock"] = field(default_factory=dict)

    @classmethod
    def of(cls, parents: Parents, clocks: Mapping[str, "Clock"]) -> "Owners":
        return cls(parents.names, parents.partitions, parents.moved, clocks)

    @classmethod
    def products(cls, symbols: list[str]) -> "Owners":
        return cls(pa.array(symbols, pa.string()), {(s, None): (i, i + 1) for i, s in enumerate(symbols)}, set())


def change_parents(parents: Parents) -> TableChange:
    """The partitions of contracts or options that an import changes."""
    change = TableChange(parents.name)
    has_year = "expiry_year" in STORE[parents.name].names
    touched = parents.touched()
    change.partitions = {(symbol, year if has_year else None) for symbol, year in touched}
    slices = [
        parents.table.slice(start, stop - start)
        for (symbol, year), (start, stop) in parents.partitions.items()
        if (symbol, year if has_year else None) in change.partitions
    ]
    change.rows = slices
    for counter, table in ((change.added, parents.added), (change.changed, parents.changed)):
        counter.update(table["exchangesymbol"].to_pylist())
    return change


def change_records(table: str, rows: Rows | None, owners: Owners, snapshot: Snapshot) -> TableChange:
    """The partitions of a table of records that an import changes."""
    change = TableChange(table)
    bounds = {partition: _slice(rows, *span) for partition, span in owners.partitions.items()} if rows else {}
    for group in _groups(bounds, owners.moved):
        new = [rows.take(bounds[partition]) for partition in group if rows and partition in bounds]
        old = _stored(table, group, owners, snapshot)
        if not old and not new:
            continue
        fresh = _concat(new)
        merged, added, changed = _merge(old, fresh)
        symbol = group[0][0]
        moved = any(partition in owners.moved for partition in group)
        if not (added.any() or changed.any() or (moved and merged)):
            continue
        change.added[symbol] += int(added.sum())
        change.changed[symbol] += int(changed.sum())
        if table not in NOT_USED and (added.any() or changed.any()):
            first = int(_used_from(table, fresh.take(added | changed), old, owners.clocks.get(symbol)).min())
            change.earliest[symbol] = min(first, change.earliest.get(symbol, first))
        change.partitions.update(group)
        change.rows += _tables(table, merged, group, owners)
    return change


def _used_from(table: str, rows: Rows, old: Rows | None, clock: Clock | None) -> np.ndarray:
    """The first day whose values each record may change.

    A bar after a session's decision time counts from the next day on, unless it is what makes its day a session.
    """
    days = rows.values["date"]
    if table in USED_NEXT_DAY:
        return days + 1
    if table != "contracts_bars" or old is None or clock is None:
        return days
    timed = np.flatnonzero(rows.values["at"] != NOWHEN)
    if not len(timed):
        return days
    day, second = local_clock(rows.values["at"][timed], clock.zone)
    after = timed[(second > clock.decision) & np.isin(day, old.values["date"])]
    days = days.copy()
    days[after] += 1
    return days


def _slice(rows: Rows, start: int, stop: int) -> slice:
    """The rows whose owners are in [start, stop)."""
    first, end = np.searchsorted(rows.owner, [start, stop])
    return slice(int(first), int(end))


def _groups(bounds: dict[Partition, slice], moved: set[Partition]) -> Iterator[list[Partition]]:
    """Partitions to work on together: alone, unless contracts move between them."""
    for partition, span in bounds.items():
        if span.stop > span.start and partition not in moved:
            yield [partition]
    for symbol in sorted({symbol for symbol, _ in moved}):
        yield sorted(partition for partition in moved if partition[0] == symbol)


def _stored(table: str, group: list[Partition], owners: Owners, snapshot: Snapshot) -> Rows | None:
    """The stored rows of some partitions of one product; None if there are none."""
    years = None if group[0][1] is None else [year for _, year in group]
    stored = snapshot.read(table, symbol=group[0][0], years=years)
    if not len(stored):
        return None
    values = {name: numpy_of(stored[name]) for name in _value_columns(table)}
    owner = codes_in(stored[OWNER.get(table, "exchangesymbol")], owners.names)
    return sort_rows(Rows(owner, make_key(owner, values["date"], values.get("at")), values))


def codes_in(column: pa.ChunkedArray, names: pa.Array) -> np.ndarray:
    """Index into `names` of each value of a text column; -1 where there is none."""
    chunks = [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in column.chunks]
    if not chunks:
        return np.empty(0, np.int32)
    # Looking up the texts of all chunks at once builds the index of names only once.
    texts = pa.concat_arrays([chunk.dictionary for chunk in chunks])
    places = _filled(pc.index_in(texts, names), -1)
    ends = np.cumsum([len(chunk.dictionary) for chunk in chunks])
    return np.concatenate(
        [
            places[end - len(chunk.dictionary) : end][_filled(chunk.indices, -1)]
            for chunk, end in zip(chunks, ends.tolist(), strict=True)
        ]
    )


def sort_rows(rows: Rows) -> Rows:
    return rows if np.all(rows.key[1:] > rows.key[:-1]) else rows.take(np.argsort(rows.key))


def numpy_of(column: pa.ChunkedArray) -> np.ndarray:
    """Days as int32, instants as int64 microseconds, numbers as they are; NOWHEN and nan where there is none."""
    if pa.types.is_date(column.type):
        return _filled(column.cast(pa.int32()).combine_chunks(), NOWHEN)
    if pa.types.is_timestamp(column.type):
        return _filled(column.cast(pa.int64()).combine_chunks(), NOWHEN)
    return _filled(column.combine_chunks(), np.nan)


def _filled(column: pa.Array, missing: float) -> np.ndarray:
    """Numbers, with `missing` where there is none. Arrow's `fill_null` and `to_numpy` do that, too, but import pandas,
    which takes longer than all that a plan reads."""
    if not len(column):
        return np.empty(0, column.type.to_pandas_dtype())
    values = np.frombuffer(column.buffers()[1], column.type.to_pandas_dtype())
    values = values[column.offset : column.offset + len(column)]
    if not column.null_count:
        return values
    return np.where(_filled(column.is_valid().cast(pa.uint8()), 0), values, missing)


def _value_columns(table: str) -> list[str]:
    return [name for name in STORE[table].names if name not in ("exchangesymbol", "expiry_year", OWNER.get(table))]


def _concat(parts: list[Rows]) -> Rows | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Rows(
        np.concatenate([part.owner for part in parts]),
        np.concatenate([part.key for part in parts]),
        {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values},
    )


def _merge(old: Rows | None, new: Rows | None) -> tuple[Rows, np.ndarray, np.ndarray]:
    """(all rows, which new ones are added, which changed). A column that the pack lacks keeps its stored values."""
    nothing = np.zeros(0 if new is None else len(new), bool)
    if new is None or not len(new):
        return old, nothing, nothing
    if old is None:
        return new, ~nothing, nothing
    place = np.minimum(np.searchsorted(old.key, new.key), len(old) - 1)
    known = old.key[place] == new.key
    differs = np.zeros(len(new), bool)
    for name, values in new.values.items():
        stored = old.values[name][place]
        differs |= (values != stored) & ((values == values) | (stored == stored))
    differs &= known
    if known.all() and not differs.any():
        return old, nothing, nothing
    values = {name: column.copy() for name, column in old.values.items()}
    for name, column in new.values.items():
        values[name][place[differs]] = column[differs]
    fresh = new.take(~known)
    for name, column in values.items():
        more = fresh.values.get(name)
        if more is None:
            more = np.full(len(fresh), NOWHEN if column.dtype == np.int64 else np.nan, column.dtype)
        values[name] = np.concatenate([column, more])
    merged = Rows(np.concatenate([old.owner, fresh.owner]), np.concatenate([old.key, fresh.key]), values)
    return sort_rows(merged), ~known, differs


def _tables(table: str, rows: Rows, group: list[Partition], owners: Owners) -> Iterable[pa.Table]:
    """The rows as store tables, one a partition."""
    for partition in group:
        if partition in owners.partitions:
            part = rows.take(_slice(rows, *owners.partitions[partition]))
            if len(part):
                yield _table(table, part, partition, owners)


def _table(table: str, rows: Rows, partition: Partition, owners: Owners) -> pa.Table:
    """Store columns; text stays dictionary-encoded on its way to the file."""
    columns = {}
    for column in STORE[table]:
        if column.name == "exchangesymbol":
            columns[column.name] = pa.repeat(partition[0], len(rows))
        elif column.name == "expiry_year":
            columns[column.name] = pa.repeat(pa.scalar(partition[1], column.type), len(rows))
        elif column.name == OWNER.get(table):
            columns[column.name] = pa.DictionaryArray.from_arrays(*_compact(rows.owner, owners.names))
        elif column.type == INSTANT:
            at = rows.values[column.name]
            columns[column.name] = pa.array(at, mask=at == NOWHEN).cast(INSTANT)
        elif column.name not in rows.values:
            columns[column.name] = pa.nulls(len(rows), column.type)
        else:
            values = rows.values[column.name]
            mask = np.isnan(values) if values.dtype.kind == "f" else None
            columns[column.name] = pa.array(values, mask=mask).cast(column.type)
    return pa.table(columns)


def _compact(owner: np.ndarray, names: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Owners as indices into the names of a run, so that a partition does not carry the names of all."""
    low, high = int(owner.min()), int(owner.max()) + 1
    return pa.array(owner - np.int32(low)), names.slice(low, high - low)
