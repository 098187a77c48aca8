"""Market data at rest: Delta tables, read at the versions that the newest Revision row recorded.

An import writes the tables first and its Revision rows last, in one transaction. Readers open each table at the version
of the newest Revision, so what an import that never finished left behind is not seen by them; the next import undoes it
before it starts (`settle`).
"""

import contextlib
import errno
import fcntl
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from exo_registry.failures import MarketStoreError
from exo_registry.models import Revision

from .schema import STORE, partition_columns
from .storage import filesystem, is_local, options, storage_errors, table_uri

log = logging.getLogger(__name__)

WRITER = WriterProperties(compression="ZSTD", compression_level=1)
# Readers need every version's log since the last checkpoint, and the newest recorded version may be an old one.
CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
VACUUM_EVERY = 50  # versions of a table
VACUUM_HOURS = 7 * 24
LOCK_NAME = "exoweb market store"
LISTS_KEPT = 64  # lists of files, a table and version each
READ_AT_ONCE = 8  # files
KEPT_OPEN = 3600.0  # seconds; `clean` may take the log entries away that a table opened long ago would read next

STATISTICS = ("num_records", "min.date", "max.date")  # of a file, as Delta names them

# (product, year of expiry or None): one partition of a table.
Partition = tuple[str, int | None]
# (path, partition, statistics): one file of a table.
File = tuple[str, Partition, dict]


# Opening a table reads its log from the last checkpoint on (5 to 40 ms); looking at what was added since takes 1 ms.
# So tables stay open, and lists of files are kept: those of a version never change. Writers, of which there is one at
# a time, have tables of their own, so that readers in other threads never see one in the middle of a change.
_guard = threading.Lock()
_for_reading: dict[str, tuple[DeltaTable, float]] = {}
_for_writing: dict[str, tuple[DeltaTable, float]] = {}
_lists: OrderedDict[tuple[str, int], dict[str, list[File]]] = OrderedDict()


def _newest(table: str, kept: dict[str, tuple[DeltaTable, float]]) -> DeltaTable | None:
    """The table at its newest version; None if it was never written. Call under `storage_errors`."""
    uri, now = table_uri(table), time.monotonic()
    opened, looked = kept.pop(uri, (None, 0.0))
    try:
        if opened is not None and now - looked < KEPT_OPEN:
            with contextlib.suppress(DeltaError):  # the store was removed, or made anew
                opened.update_incremental()
                kept[uri] = opened, now
                return opened
        kept[uri] = opened, _ = _open(table), now
    except TableNotFoundError:
        return None
    return opened


def _open(table: str, version: int | None = None) -> DeltaTable:
    return DeltaTable(table_uri(table), version=version, storage_options=options())


def _require_whole_log(table: str) -> None:
    """An empty commit, as a full disk or a crash of the machine leaves it, reads as one that changed nothing: the files
    that it added would be missing in silence. Raises DeltaError."""
    log = filesystem(table).get_file_info(pafs.FileSelector("_delta_log", allow_not_found=True))
    if empty := [entry.base_name for entry in log if entry.base_name.endswith(".json") and entry.size == 0]:
        raise DeltaError(f"the commit {min(empty)} of its log is empty")


def _writable(table: str) -> DeltaTable | None:
    """Call under `lock`. Raises MarketStoreError."""
    with storage_errors(table):
        if opened := _newest(table, _for_writing):
            _require_whole_log(table)
        return opened


def _files_at(table: str, version: int) -> dict[str, list[File]] | None:
    """The files of a table at a version, by product and sorted by partition; None if there is no such table. Call under
    `storage_errors`."""
    key = (table_uri(table), version)
    with _guard:
        if key not in _lists:
            opened = _newest(table, _for_reading)
            if opened is None:
                return None
            _require_whole_log(table)
            if opened.version() != version:
                opened = _open(table, version)
            _lists[key] = _by_product(opened)
            if len(_lists) > LISTS_KEPT:
                _lists.popitem(last=False)
        _lists.move_to_end(key)
        return _lists[key]


def _by_product(opened: DeltaTable) -> dict[str, list[File]]:
    # Not pa.table(…): that imports pandas, to ask whether it was given a DataFrame.
    actions = pa.RecordBatchReader.from_stream(opened.get_add_actions(flatten=True)).read_all()
    wanted = ("path", "partition.exchangesymbol", "partition.expiry_year", *STATISTICS)
    files: dict[str, list[File]] = {}
    for action in actions.select([name for name in wanted if name in actions.schema.names]).to_pylist():
        symbol = action.pop("partition.exchangesymbol")
        partition = symbol, action.pop("partition.expiry_year", None)
        files.setdefault(symbol, []).append((action.pop("path"), partition, action))
    return {symbol: sorted(rows, key=lambda file: (file[1][1] or 0, file[0])) for symbol, rows in files.items()}


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
    def _tables(self) -> dict[str, list[File]]:
        return {}

    def files(self, table: str) -> list[File]:
        """A table's files, sorted by partition; none if it was never written."""
        if table not in self._tables:
            self._tables[table] = self._list(table)
        return self._tables[table]

    def _list(self, table: str) -> list[File]:
        if table not in self.versions or not self.symbols:
            return []
        with storage_errors(table, self.symbols):
            listed = _files_at(table, self.versions[table])
            if listed is None:
                raise FileNotFoundError(errno.ENOENT, "there is no such table")
        return [file for symbol in sorted(self.symbols) for file in listed.get(symbol, ())]

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

        symbol, years, since (a year): which partitions. Raises MarketStoreError.
        """
        years = None if years is None else set(years)
        chosen = [
            (path, partition)
            for path, partition, _ in self.files(table)
            if (symbol is None or partition[0] == symbol)
            and (years is None or partition[1] in years)
            and (since is None or partition[1] is None or partition[1] >= since)
        ]
        schema = _read_schema(table)
        columns = list(columns or schema.names)
        if not chosen:
            return pa.schema([schema.field(name) for name in columns]).empty_table()
        with storage_errors(table, {partition[0] for _, partition in chosen}):
            reader = _PartitionReader(filesystem(table), schema, partition_columns(table), columns)
            with ThreadPoolExecutor(min(len(chosen), READ_AT_ONCE)) as pool:
                return pa.concat_tables(pool.map(reader.read, *zip(*chosen, strict=True)))


def _read_schema(table: str) -> pa.Schema:
    """Of what `read` returns: text is dictionary-encoded, but for what a file is partitioned by."""
    encoded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            field.with_type(encoded)
            if field.type == pa.string() and field.name not in partition_columns(table)
            else field
            for field in STORE[table]
        ]
    )


@dataclass(frozen=True)
class _PartitionReader:
    """Reads files of one table, each of one partition. pyarrow.dataset would do that, too, but it imports pandas, which
    takes longer than reading what a plan needs."""

    files: pafs.FileSystem
    schema: pa.Schema
    partitioned_by: Sequence[str]
    columns: Sequence[str]

    def read(self, path: str, partition: Partition) -> pa.Table:
        """The columns of one file; those that it is partitioned by are not in it."""
        stored = [name for name in self.columns if name not in self.partitioned_by]
        texts = [name for name in stored if pa.types.is_dictionary(self.schema.field(name).type)]
        with pq.ParquetFile(path, filesystem=self.files, read_dictionary=texts, pre_buffer=True) as file:
            rows = file.read(stored)
            count = file.metadata.num_rows
        values = dict(zip(("exchangesymbol", "expiry_year"), partition, strict=True))
        return pa.table(
            [
                pa.repeat(pa.scalar(values[name], self.schema.field(name).type), count)
                if name in self.partitioned_by
                else rows[name].cast(self.schema.field(name).type)
                for name in self.columns
            ],
            pa.schema([self.schema.field(name) for name in self.columns]),
        )


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
    with storage_errors(table, action="written"):
        if recorded is None:
            if opened.file_uris():
                opened.delete()
        elif opened.version() > recorded:
            before = _open(table, recorded)
            if set(opened.file_uris()) != set(before.file_uris()):
                opened.restore(recorded)


def symbols_in(table: str) -> set[str]:
    """Products with rows in a table as it lies there, of deleted products too. Call under `lock`."""
    opened = _writable(table)
    with storage_errors(table):
        return set() if opened is None else {partition["exchangesymbol"] for partition in opened.partitions()}


def replace(table: str, partitions: Iterable[Partition], rows: pa.Table, source: str) -> int:
    """Put `rows` in the place of whole partitions, in one commit; returns the table's version. Call under `lock`."""
    partitions = list(partitions)
    with storage_errors(table, {symbol for symbol, _ in partitions}, "written"):
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
        uri,
        schema=STORE[table],
        mode="ignore",
        partition_by=partition_columns(table),
        configuration=CONFIGURATION,
        storage_options=options(),
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
            with storage_errors(table, action="written"):
                opened.vacuum(dry_run=False)
                # After an undone import the version in use is not the newest one, and needs the log up to it.
                opened = _writable(table)
                if snapshot.versions.get(table) == opened.version():
                    opened.create_checkpoint()
                    opened.cleanup_metadata()


def tidy(table: str) -> None:
    """Now and then, remove files that no version of the last week uses. Call under `lock`, after the Revision rows.

    The import is in the store by then, so what goes wrong here is logged and no more: the next one removes them."""
    try:
        opened = _writable(table)
        if opened is not None and opened.version() % VACUUM_EVERY == VACUUM_EVERY - 1:
            with storage_errors(table, action="written"):
                opened.vacuum(retention_hours=VACUUM_HOURS, dry_run=False)
    except MarketStoreError as error:
        log.warning("old files stay: %s", error)


@contextmanager
def lock() -> Iterator[None]:
    """One import at a time. Held by the database server (PostgreSQL) or the operating system: gone with its holder."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [LOCK_NAME])
        try:
            yield
        finally:
            # A lost connection has taken the lock along; what went wrong before is what to tell.
            with contextlib.suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [LOCK_NAME])
        return
    folder = Path(settings.MARKET_DATA_URI) if is_local() else settings.HOME
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
