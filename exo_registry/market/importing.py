"""Imports: a pack, or tables from anywhere, checked as a whole and then put into the store as a whole."""

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.dispatch import Signal
from django.utils import timezone

from exo_registry.failures import MarketDataError, MarketStoreError
from exo_registry.formats.text import counted
from exo_registry.models import Revision
from exo_registry.models.event_log import record

from . import store
from .changes import NEVER, terms_matter_from
from .checking import Work, check, parse_tables
from .load import Newest, newest
from .pack import Pack, read_pack
from .problems import PackErrors, Problem, Problems
from .records import Rows
from .schema import STORE
from .upsert import OWNER, Clock, Owners, TableChange, change_parents, change_records

# The tables of records, in the order of writes.
RECORDS = ("contracts_bars", "contract_settlements", "options_data", "riskfreerate")
EPOCH = dt.date(1970, 1, 1)

Progress = Callable[[str], None]

# Sent with `report` after an import that changed something. Listeners cannot make an import fail.
imported = Signal()


@dataclass
class ProductReport:
    """What an import did to one product. added, changed: rows by table. revision: None if no market data changed."""

    symbol: str
    created: bool = False
    fields: list[str] = field(default_factory=list)
    activated: bool = False
    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    revision: Revision | None = None

    @property
    def rows_added(self) -> int:
        return sum(self.added.values())

    @property
    def rows_changed(self) -> int:
        return sum(self.changed.values())

    @property
    def notes(self) -> list[str]:
        """What happened to the product's own row."""
        notes = ["new product"] if self.created else []
        if self.fields and not self.created:
            notes.append(f"terms changed ({', '.join(self.fields)})")
        if self.activated:
            notes.append("activated")
        return notes

    def __str__(self) -> str:
        parts = self.notes
        if self.revision:
            parts.append(
                f"{counted(self.rows_added, 'row')} added, {self.rows_changed:,} changed, from "
                f"{self.revision.earliest_change} on: revision {self.revision.number}"
            )
        return f"{self.symbol}: {'; '.join(parts) or 'nothing new'}"


@dataclass
class ImportReport:
    """What an import did. rows: how many rows were read, by table.

    warnings: what is probably wrong. note_lines: how the data was understood, and what of it is not used.
    """

    source: str
    rows: dict[str, int]
    products: list[ProductReport]
    warnings: list[Problem]
    warning_lines: list[str]
    note_lines: list[str] = field(default_factory=list)

    @property
    def changed_anything(self) -> bool:
        return any(p.created or p.fields or p.activated or p.revision for p in self.products)


def import_pack(
    folder: str | Path,
    *,
    user: User | None = None,
    activate: bool = False,
    source: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import a market pack (a folder). Importing it again changes nothing.

    activate: put the pack's products in calculation. source: what revisions name as the origin; the folder by default.
    progress: called with a few words at each stage. Raises PackErrors, with every problem of the pack, and leaves
    database and store as they were; NotADirectoryError if there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder; give the folder that holds the tables of a market pack")
    problems, warnings = Problems(), Problems()
    _tell(progress, "reading")
    pack = read_pack(folder, problems, warnings)
    pack.source = source or str(folder)
    return _run(Work(pack, problems, warnings), user, activate, progress)


def import_tables(
    tables: Mapping[str, pa.Table],
    *,
    source: str,
    user: User | None = None,
    activate: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """As `import_pack`, of Arrow tables with the names and columns of a market pack, from wherever they come."""
    return _run(Work(Pack.of(tables, source), Problems(), Problems()), user, activate, progress)


def _tell(progress: Progress | None, stage: str) -> None:
    if progress:
        progress(stage)


def _run(work: Work, user: User | None, activate: bool, progress: Progress | None) -> ImportReport:
    rows = {name: len(table) for name, table in work.pack.tables.items()}
    parse_tables(work)
    with store.lock():
        snapshot = store.Snapshot.current()
        _tell(progress, "checking")
        records = check(work, snapshot)
        if work.problems:
            raise PackErrors(work.pack.source, work.problems)
        _tell(progress, "comparing with the store")
        _compare(work, records, snapshot)
        _tell(progress, "writing")
        reports = _write(work, snapshot, user, activate)
    report = ImportReport(
        work.pack.source, rows, reports, list(work.warnings), work.warnings.lines(), work.notes.lines()
    )
    if report.changed_anything:
        imported.send_robust(ImportReport, report=report)
    return report


def _compare(work: Work, records: Mapping[str, Rows], snapshot: store.Snapshot) -> None:
    """What has to be written, table by table."""
    clocks = {symbol: Clock.of(change.product) for symbol, change in work.products.items()}
    owners = {"contractname": Owners.of(work.contracts, clocks), "optionname": Owners.of(work.options, clocks)}
    changes = [change_parents(work.contracts), change_parents(work.options)]
    for table in RECORDS:
        of = owners[OWNER[table]] if table in OWNER else Owners.products(work.symbols)
        changes.append(change_records(table, records.get(table), of, snapshot))
    work.changes = [change for change in changes if change.partitions]


def _write(work: Work, snapshot: store.Snapshot, user: User | None, activate: bool) -> list[ProductReport]:
    """Tables first, then products and revisions in one transaction: see `store` for why in this order."""
    touched = sorted({symbol for change in work.changes for symbol in (change.added | change.changed)})
    earliest = {symbol: _earliest_change(work, symbol, snapshot) for symbol in touched}
    versions = dict(snapshot.versions)
    try:
        if work.changes:
            store.settle(snapshot)
            _clear_leftovers(work, touched, snapshot)
        for change in work.changes:
            versions[change.table] = store.replace(change.table, change.partitions, change.content(), work.pack.source)
        ends = {symbol: _newest(work, symbol, versions) for symbol in touched}
        with transaction.atomic():
            if store.Snapshot.current().revision != snapshot.revision:
                raise MarketDataError("another import changed the market data meanwhile; import again")
            changed = {s: _Changed(earliest[s], ends[s], versions) for s in touched}
            reports = [_save(work, symbol, changed.get(symbol), user, activate) for symbol in work.symbols]
    except BaseException:
        for change in work.changes:
            # What cannot be undone now is seen by no reader, and undone by the next import.
            with suppress(MarketStoreError):
                store.undo(change.table, snapshot)
        raise
    for change in work.changes:
        store.tidy(change.table)
    return reports


def _newest(work: Work, symbol: str, versions: dict[str, int]) -> Newest:
    snapshot = store.Snapshot(None, versions, frozenset([symbol]))
    return newest(snapshot, symbol, work.products[symbol].product.timezone)


def _clear_leftovers(work: Work, touched: list[str], snapshot: store.Snapshot) -> None:
    """A product that comes back after it was deleted starts empty: what it left in the tables goes."""
    back = set(touched) - snapshot.symbols
    if not back:
        return
    changes = {change.table: change for change in work.changes}
    for table in STORE:
        left = {(symbol, None) for symbol in store.symbols_in(table) & back}
        if left:
            change = changes.get(table)
            if change is None:
                work.changes.append(change := TableChange(table))
            change.partitions |= left


def _earliest_change(work: Work, symbol: str, snapshot: store.Snapshot) -> dt.date:
    """The first date on which a value of the product may differ. Errs on the early side, not before its first bar."""
    days = [change.earliest[symbol] for change in work.changes if symbol in change.earliest]
    terms = terms_matter_from(work.products[symbol].product, work.contracts, work.options)
    first, last = _bars_span(work, symbol, snapshot)
    if terms != NEVER:
        days.append(max(terms, first))
    day = min(days, default=last + 1)
    return EPOCH + dt.timedelta(days=day)


def _bars_span(work: Work, symbol: str, snapshot: store.Snapshot) -> tuple[int, int]:
    """First and last day with a bar, stored or new; today where there is none."""
    days = [
        (action[f"{end}.date"] - EPOCH).days
        for _, partition, action in snapshot.files("contracts_bars")
        if partition[0] == symbol
        for end in ("min", "max")
    ]
    for change in work.changes:
        if change.table == "contracts_bars":
            for table in change.rows:
                if table["exchangesymbol"][0].as_py() == symbol:
                    days += [(pc.min(table["date"]).as_py() - EPOCH).days, (pc.max(table["date"]).as_py() - EPOCH).days]
    today = (timezone.localdate() - EPOCH).days
    return min(days, default=today), max(days, default=today)


@dataclass(frozen=True)
class _Changed:
    """What a revision says of a product's market data: first date changed, end of its sessions, table versions."""

    earliest: dt.date
    newest: Newest
    versions: dict[str, int]


def _save(work: Work, symbol: str, data: _Changed | None, user: User | None, activate: bool) -> ProductReport:
    """The product's row and, if its market data changed, its revision."""
    change = work.products[symbol]
    report = ProductReport(symbol, change.created, list(change.changed))
    if activate and not change.product.active:
        change.product.active = report.activated = True
        change.changed.append("active")
    change.save(user)
    for table in work.changes:
        if table.added[symbol]:
            report.added[table.table] = table.added[symbol]
        if table.changed[symbol]:
            report.changed[table.table] = table.changed[symbol]
    if data is not None:
        last = Revision.objects.filter(product=change.product).aggregate(Max("number"))["number__max"]
        report.revision = Revision.objects.create(
            product=change.product,
            number=(last or 0) + 1,
            source=work.pack.source[-500:],
            user=user,
            earliest_change=data.earliest,
            rows_added=report.rows_added,
            rows_changed=report.rows_changed,
            versions=data.versions,
            newest_session=data.newest.session,
            previous_session=data.newest.previous,
            newest_bar=data.newest.bar,
        )
    if change.created or change.changed or report.revision:
        record("import", f"{report} (from {work.pack.source})", product=change.product, user=user)
    return report
