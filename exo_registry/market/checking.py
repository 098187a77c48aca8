"""The checks of an import: everything that a pack says, and what the store says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from .bounds import check_price
from .daily_bars import settle_dates
from .outliers import warn_of_outliers
from .pack import Pack
from .parse import Frame, parse
from .problems import Problems
from .products import ProductChange, read_instruments
from .records import Rows, check_bars, check_rates, contract_rows, rate_rows
from .references import Parents, read_contracts, read_options
from .store import Snapshot
from .unused import note_unused
from .upsert import OWNER, TableChange
from .volatilities import check_vols, warn_of_units


@dataclass
class Work:
    """The state of one import on its way through the checks."""

    pack: Pack
    problems: Problems
    warnings: Problems
    notes: Problems = field(default_factory=Problems)
    frames: dict[str, Frame] = field(default_factory=dict)
    products: dict[str, ProductChange] = field(default_factory=dict)
    symbols: list[str] = field(default_factory=list)
    contracts: Parents = field(init=False)
    options: Parents = field(init=False)
    changes: list[TableChange] = field(default_factory=list)

    def broken(self, table: str) -> bool:
        """Whether the table may be in the pack but could not be used."""
        has_problem = any(problem.file.split(".")[0] == table for problem in self.problems)
        return table not in self.frames and (table in self.pack.tables or has_problem)

    def parents(self, table: str) -> Parents:
        """What the records of a table hang on."""
        return self.options if OWNER[table] == "optionname" else self.contracts

    def knows_all_products(self) -> bool:
        """Whether a symbol that is not in `products` is one that neither the pack nor the database has."""
        frame = self.frames.get("instruments")
        refused = any("exchangesymbol" in change.refused for change in self.products.values())
        return not self.broken("instruments") and not refused and (frame is None or frame.names_all("exchangesymbol"))


def parse_tables(work: Work) -> None:
    for name, table in work.pack.tables.items():
        frame = parse(table, work.problems, work.warnings)
        if frame is not None:
            work.frames[name] = frame


def check(work: Work, snapshot: Snapshot) -> dict[str, Rows]:
    """Every check there is; returns the rows of each table of records."""
    frames, problems, warnings = work.frames, work.problems, work.warnings
    work.products = read_instruments(frames.get("instruments"), problems)
    warn_of_units(frames.get("instruments"), work.products, snapshot, warnings)
    all_products = work.knows_all_products()
    work.contracts = read_contracts(
        frames.get("contracts"), work.broken("contracts"), work.products, all_products, snapshot, problems
    )
    work.options = read_options(
        frames.get("options"), work.broken("options"), work.contracts, snapshot, problems, warnings
    )
    zones = {s: change.product.timezone for s, change in work.products.items() if "timezone" not in change.refused}
    records: dict[str, Rows] = {}
    for table in OWNER:
        if table not in frames:
            continue
        _check_values(work, table, snapshot)
        owners = work.parents(table)
        records[table] = contract_rows(frames[table], OWNER[table], owners, zones, problems, warnings)
        warn_of_outliers(table, frames[table], records[table], owners, snapshot, warnings)
    symbols = {table: _symbols_of(work.parents(table), rows.owner) for table, rows in records.items()}
    note_unused(frames, symbols, work.notes)
    work.symbols = _symbols(work, symbols)
    if "riskfreerate" in frames:
        check_rates(frames["riskfreerate"], problems)
        _leave_out_blank_names(frames["riskfreerate"])
        if set(frames) == {"riskfreerate"} and "exchangesymbol" not in frames["riskfreerate"]:
            work.symbols = _with_options_or_rates(work, snapshot)
        if not work.symbols and not problems:
            problems.file(
                frames["riskfreerate"].source.place,
                "there is no product that the rates are for",
                "Add instruments, or contracts, to the pack; rates alone are for products with options or rates",
            )
        records["riskfreerate"] = rate_rows(frames["riskfreerate"], work.symbols, all_products, problems)
    return records


def _check_values(work: Work, table: str, snapshot: Snapshot) -> None:
    """The numbers and times of a table of records, each by itself."""
    frame, problems = work.frames[table], work.problems
    if table == "contracts_bars":
        check_bars(frame, problems)
        settle_dates(frame, work.contracts, snapshot, problems, work.notes)
    elif table == "contract_settlements":
        check_price(frame, "settlement", "price", problems)
    else:
        models = {symbol: change.product.pricing_model for symbol, change in work.products.items()}
        check_vols(frame, work.options, models, problems, work.warnings)


def _symbols(work: Work, of_records: Mapping[str, list[str]]) -> list[str]:
    """The products that a pack is about, in any of its tables. of_records: those of its tables of records."""
    symbols: set[str | None] = set()
    for table in ("instruments", "contracts", "riskfreerate"):
        if table in work.frames and "exchangesymbol" in work.frames[table]:
            symbols.update(work.frames[table]["exchangesymbol"].texts.to_pylist())
    if "options" in work.frames:
        owner = work.frames["options"]["contractname"].match(work.contracts.names)
        symbols.update(_symbols_of(work.contracts, owner))
    symbols.update(*of_records.values())
    return sorted(symbol for symbol in symbols if symbol in work.products)


def _leave_out_blank_names(rates: Frame) -> None:
    """A column of products that names none is as none."""
    if "exchangesymbol" not in rates or rates.unread["exchangesymbol"].any():
        return
    if not (rates["exchangesymbol"].codes >= 0).any():
        del rates.columns["exchangesymbol"]


def _with_options_or_rates(work: Work, snapshot: Snapshot) -> list[str]:
    """The products that rates without a product's name concern, if nothing comes with them."""
    stored = {partition[0] for table in ("options", "riskfreerate") for _, partition, _ in snapshot.files(table)}
    return sorted(stored & snapshot.symbols & set(work.products))


def _symbols_of(parents: Parents, owner: np.ndarray) -> list[str]:
    used = np.unique(owner[owner >= 0])
    return parents.symbols.take(pa.array(used)).unique().to_pylist()
