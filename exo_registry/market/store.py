"""Market data at rest: Delta tables, read at the versions that the newest Revision row recorded.

An import writes the tables first and its Revision rows last, in one transaction. Readers open each table at the version
of the newest Revision, so what an import that never finished left behind is not seen by them; the next import undoes it
before it starts (`settle`).
"""

import contextlib
import fcntl
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from django.conf import settings
from django.db import connection

from ..models import Revision
from .schema import STORE, partition_columns

WRITER = WriterProperties(compression="ZSTD", compression_level=1)
# Readers need every version's log since the last checkpoint, and the newest recorded version may be an old one.
CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
VACUUM_EVERY = 50  # versions of a table
VACUUM_HOURS = 7 * 24
LOCK_NAME = "exoweb market store"
LISTS_KEPT = 64  # lists of files, a table and version each
KEPT_OPEN = 3600.0  # seconds; `clean` may take the log entries away that a table opened long ago would read next

# (product, year of expiry or None): one partition of a table.
Partition = tuple[str, int | None]


def table_uri(table: str) -> str:
    return f"{str(settings.MARKET_DATA_URI).rstrip('/')}/{table}"


def is_local() -> bool:
    return "://" not in str(settings.MARKET_DATA_URI)


def _filesystem(table: str) -> pafs.FileSystem:
    """Arrow's own filesystem: faster than the one that deltalake offers, and safe at the end of the process."""
    if is_local():
        return pafs.SubTreeFileSystem(str(Path(table_uri(table)).resolve()), pafs.LocalFileSystem())
    filesystem, path = pafs.FileSystem.from_uri(table_uri(table))
    return pafs.SubTreeFileSystem(path, filesystem)


# Opening a table reads its log from the last checkpoint on (5 to 40 ms); looking at what was added since takes 1 ms.
# So tables stay open, and lists of files are kept: those of a version never change. Writers, of which there is one at
# a time, have tables of their own, so that readers in other threads never see one in the middle of a change.
_guard = threading.Lock()
_for_reading: dict[str, tuple[DeltaTable, float]] = {}
_for_writing: dict[str, tuple[DeltaTable, float]] = {}
_lists: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()


def _newest(table: str, kept: dict[str, tuple[DeltaTable, float]]) -> DeltaTable | None:
    """The table at its newest version; None if it was never written."""
    uri, now = table_uri(table), time.monotonic()
    opened, looked = kept.pop(uri, (None, 0.0))
    try:
        if opened is not None and now - looked < KEPT_OPEN:
            with contextlib.suppress(DeltaError):  # the store was removed, or made anew
                opened.update_incremental()
                kept[uri] = opened, now
                return opened
        kept[uri] = opened, _ = DeltaTable(uri), now
    except TableNotFoundError:
        return None
    return opened


def _writable(table: str) -> DeltaTable | None:
    """Call under `lock`."""
    return _newest(table, _for_writing)


def _files_at(table: str, version: int) -> pa.Table | None:
    """The files of a table at a version, with partitions and statistics; None if there is no such table."""
    key = (table_uri(table), version)
    with _guard:
        if key not in _lists:
            opened = _newest(table, _for_reading)
            if opened is None:
                return None
            if opened.version() != version:
                opened = DeltaTable(table_uri(table), version=version)
            _lists[key] = pa.table(opened.get_add_actions(flatten=True))
            if len(_lists) > LISTS_KEPT:
                _lists.popitem(last=False)
        _lists.move_to_end(key)
        return _lists[key]


@dataclass(frozen=True)
class Snapshot:
    """The store as of its newest recorded import. `symbols`: products that have data in it."""

    revision: int | None
    versions: dict[str, int] = field(default_factory=dict)
    symbols: frozenset[str] = frozenset()

    @classmethod
    def current(cls) -> "Snapshot":
        newest = Revision.objects.order_by("-pk").values_list("pk", "versions").first()
        if newest is None:
            return cls(None)
        # A product that was deleted took its revisions with it; if it comes back, it starts without data.
        symbols = Revision.objects.order_by().values_list("product__exchangesymbol", flat=True).distinct()
        return cls(newest[0], newest[1], frozenset(symbols))

    @classmethod
    def of(cls, symbol: str) -> "Snapshot":
        """As `current`, knowing of one product only."""
        newest = Revision.objects.order_by("-pk").values_list("pk", "versions").first()
        if newest is None or not Revision.objects.filter(product__exchangesymbol=symbol).exists():
            return cls(None)
        return cls(newest[0], newest[1], frozenset([symbol]))

    @cached_property
    def _tables(self) -> dict[str, list[tuple[str, Partition, dict]]]:
        return {}

    def files(self, table: str) -> list[tuple[str, Partition, dict]]:
        """(path, partition, statistics) of a table's files, sorted by partition; none if it was never written."""
        if table not in self._tables:
            self._tables[table] = self._list(table)
        return self._tables[table]

    def _list(self, table: str) -> list[tuple[str, Partition, dict]]:
        if table not in self.versions or not self.symbols:
            return []
        listed = _files_at(table, self.versions[table])
        if listed is None:
            raise FileNotFoundError(f"the market store has no table at {table_uri(table)}; is MARKET_DATA_URI right?")
        wanted = pa.array(sorted(self.symbols), pa.string())
        files = [
            (action["path"], (action["partition.exchangesymbol"], action.get("partition.expiry_year")), action)
            for action in listed.filter(pc.is_in(listed["partition.exchangesymbol"], wanted)).to_pylist()
        ]
        return sorted(files, key=lambda file: (file[1][0], file[1][1] or 0, file[0]))

    def read(
        self,
        table: str,
        columns: Iterable[str] | None = None,
        *,
        symbol: str | None = None,
        years: Iterable[int] | None = None,
        since: int | None = None,
    ) -> pa.Table:
        """Rows of a table, partition by partition. Text comes dictionary-encoded.

        symbol, years, since (a year): which partitions.
        """
        years = None if years is None else set(years)
        chosen = [
            (path, partition)
            for path, partition, _ in self.files(table)
            if (symbol is None or partition[0] == symbol)
            and (years is None or partition[1] in years)
            and (since is None or partition[1] is None or partition[1] >= since)
        ]
        schema = pa.schema([(field.name, _encoded(field.type)) for field in STORE[table]])
        columns = list(columns or schema.names)
        if not chosen:
            return pa.schema([schema.field(name) for name in columns]).empty_table()
        texts = {field.name for field in schema if pa.types.is_dictionary(field.type)} - set(partition_columns(table))
        form = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=texts))
        filesystem = _filesystem(table)
        fragments = [
            form.make_fragment(path, filesystem, partition_expression=_condition(partition))
            for path, partition in chosen
        ]
        plain = pa.schema([STORE[table].field(f.name) if f.name in partition_columns(table) else f for f in schema])
        return ds.FileSystemDataset(fragments, plain, form, filesystem).to_table(columns=columns)


def _encoded(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string()) if pa.types.is_string(kind) else kind


def _condition(partition: Partition) -> ds.Expression:
    condition = pc.field("exchangesymbol") == pa.scalar(partition[0])
    if partition[1] is not None:
        condition &= pc.field("expiry_year") == pa.scalar(partition[1], pa.int32())
    return condition


def _predicate(partitions: Iterable[Partition]) -> str:
    """SQL that selects partitions. Symbols are letters, digits and dots, so that nothing needs quoting."""
    years: dict[str, set[int | None]] = {}
    for symbol, year in partitions:
        years.setdefault(symbol, set()).add(year)
    clauses = []
    for symbol, of in sorted(years.items()):
        in_years = "" if None in of else f" AND expiry_year IN ({', '.join(map(str, sorted(of)))})"
        clauses.append(f"(exchangesymbol = '{symbol}'{in_years})")
    return " OR ".join(clauses)


def settle(snapshot: Snapshot) -> None:
    """Undo what an import that never finished wrote. Call under `lock`."""
    for table in STORE:
        undo(table, snapshot)


def undo(table: str, snapshot: Snapshot) -> None:
    """Put a table back to what the snapshot recorded of it."""
    opened = _writable(table)
    if opened is None:
        return
    recorded = snapshot.versions.get(table)
    if recorded is None:
        if opened.file_uris():
            opened.delete()
    elif opened.version() > recorded:
        before = DeltaTable(table_uri(table), version=recorded)
        if set(opened.file_uris()) != set(before.file_uris()):
            opened.restore(recorded)


def symbols_in(table: str) -> set[str]:
    """Products with rows in a table as it lies there, of deleted products too. Call under `lock`."""
    opened = _writable(table)
    return set() if opened is None else {partition["exchangesymbol"] for partition in opened.partitions()}


def replace(table: str, partitions: Iterable[Partition], rows: pa.Table, source: str) -> int:
    """Put `rows` in the place of whole partitions, in one commit; returns the table's version. Call under `lock`."""
    if _writable(table) is None:
        _create(table)
    write_deltalake(
        _writable(table),
        rows,
        mode="overwrite",
        predicate=_predicate(partitions),
        writer_properties=WRITER,
        commit_properties=CommitProperties(custom_metadata={"source": source}),
    )
    return _writable(table).version()


def _create(table: str) -> None:
    uri = table_uri(table)
    if is_local():
        Path(uri).mkdir(parents=True, exist_ok=True)
    DeltaTable.create(
        uri, schema=STORE[table], mode="ignore", partition_by=partition_columns(table), configuration=CONFIGURATION
    )


def clean() -> None:
    """Remove files that no version of the last week uses, and log entries of before the last month.

    Takes the lock of imports. The version that the newest Revision names stays readable.
    """
    with lock():
        snapshot = Snapshot.current()
        settle(snapshot)
        for table in STORE:
            opened = _writable(table)
            if opened is None:
                continue
            opened.vacuum(dry_run=False)
            # After an undone import the version in use is not the newest one, and needs the log up to it.
            opened = _writable(table)
            if snapshot.versions.get(table) == opened.version():
                opened.create_checkpoint()
                opened.cleanup_metadata()


def tidy(table: str) -> None:
    """Now and then, remove files that no version of the last week uses. Call under `lock`, after the Revision rows."""
    opened = _writable(table)
    if opened is not None and opened.version() % VACUUM_EVERY == VACUUM_EVERY - 1:
        opened.vacuum(retention_hours=VACUUM_HOURS, dry_run=False)


@contextmanager
def lock() -> Iterator[None]:
    """One import at a time. Held by the database server (PostgreSQL) or the operating system: gone with its holder."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [LOCK_NAME])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [LOCK_NAME])
        return
    folder = Path(settings.MARKET_DATA_URI) if is_local() else settings.HOME
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
