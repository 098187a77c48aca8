"""Contracts and options: what the records of a market hang on. Checked, and merged with those in the store."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from algorithms.engine.text import shorten
from exo_registry.models import Trade

from .arrays import MISSING, Text
from .bounds import check_price
from .chains import check_chains
from .parse import Frame
from .problems import Problems
from .products import ProductChange
from .schema import STORE
from .store import Partition, Snapshot

LONGEST_NAME = Trade._meta.get_field("contract").max_length
SHOWN_NAME = 80  # characters of a name that is too long, in its report
NO_SUCH = {"instruments": "no such product", "contracts": "no such contract", "options": "no such option"}
KEY = {"contracts": "contractname", "options": "optionname"}
ORDER = {
    "contracts": ("exchangesymbol", "expirationdate", "contractname"),
    "options": ("exchangesymbol", "expirationdate", "contractname", "strikeprice", "callorput", "optionname"),
}


@dataclass
class Parents:
    """Contracts or options, of every product, as they will be; sorted, so that each partition is one run of rows.

    before: the rows as they were. moved: partitions whose rows have to be written again since a contract's year of
    expiry has changed. complete: False when some of the pack's own rows could not be read, so that an unknown name
    proves nothing. unread: names of the pack whose rows were reported; what refers to them is not checked.
    """

    name: str
    table: pa.Table
    before: pa.Table
    added: pa.Table
    changed: pa.Table
    moved: set[Partition] = field(default_factory=set)
    complete: bool = True
    unread: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    def unknown(self, text: Text) -> np.ndarray:
        """Rows that name none of these."""
        if not self.complete:
            return np.array([], np.int64)
        known = pa.concat_arrays([self.names.cast(pa.string()), self.unread])
        return _unknown(text, known)

    @cached_property
    def names(self) -> pa.Array:
        return self.table[KEY[self.name]].combine_chunks()

    @cached_property
    def expiry(self) -> np.ndarray:
        return self.table["expirationdate"].cast(pa.int32()).to_numpy()

    @cached_property
    def stated(self) -> np.ndarray:
        """Whether the import adds or changes each row."""
        names = [table[KEY[self.name]].combine_chunks() for table in (self.added, self.changed)]
        return pc.is_in(self.names, pa.concat_arrays(names)).to_numpy(zero_copy_only=False)

    @cached_property
    def symbols(self) -> pa.Array:
        return self.table["exchangesymbol"].combine_chunks()

    @cached_property
    def partitions(self) -> dict[Partition, tuple[int, int]]:
        """First row and end of each partition, in order."""
        if not len(self.table):
            return {}
        symbol = self.symbols.dictionary_encode()
        codes, years = symbol.indices.to_numpy(), _years(self.table).to_numpy()
        edges = np.flatnonzero((np.diff(codes) != 0) | (np.diff(years) != 0)) + 1
        starts = [0, *edges.tolist()]
        return {
            (symbol.dictionary[codes[start]].as_py(), int(years[start])): (start, stop)
            for start, stop in zip(starts, [*starts[1:], len(codes)], strict=True)
        }

    def touched(self) -> set[Partition]:
        """Partitions of the table itself that the import changes."""
        return partitions_of(self.added) | partitions_of(self.changed) | self.moved


def partitions_of(table: pa.Table) -> set[Partition]:
    pairs = (
        pa.table({"symbol": table["exchangesymbol"], "year": _years(table)}).group_by(["symbol", "year"]).aggregate([])
    )
    return set(zip(pairs["symbol"].to_pylist(), pairs["year"].to_pylist(), strict=True))


def _years(table: pa.Table) -> pa.ChunkedArray:
    return pc.year(table["expirationdate"]).cast(pa.int32())


def plain(table: pa.Table) -> pa.Table:
    """Dictionary-encoded text as text."""
    return table.cast(
        pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in table.schema])
    )


def merge_parents(name: str, new: pa.Table | None, snapshot: Snapshot) -> Parents:
    """The store's contracts or options with `new` (store columns, unique names) put over them."""
    before = plain(snapshot.read(name))
    if new is None:
        new = before.slice(0, 0)
    key = KEY[name]
    place = pc.index_in(new[key], before[key].combine_chunks()).fill_null(-1).to_numpy()
    known = place >= 0
    differs = np.zeros(len(new), bool)
    old = before.take(place[known])
    for column in before.column_names:
        differs[known] |= pc.not_equal(new[column].filter(known), old[column]).to_numpy()
    keep = np.ones(len(before), bool)
    keep[place[differs]] = False
    added, changed = new.filter(~known), new.filter(differs)
    merged = pa.concat_tables([before.filter(keep), added, changed]).combine_chunks()
    merged = merged.sort_by([(column, "ascending") for column in ORDER[name]])
    replaced = before.filter(~keep)
    moved = {
        pair
        for old_key, new_key in zip(_keys(replaced, key), _keys(changed, key), strict=True)
        if old_key != new_key
        for pair in (old_key[1:], new_key[1:])
    }
    return Parents(name, merged, before, added, changed, moved)


def _keys(table: pa.Table, key: str) -> list[tuple]:
    ordered = table.sort_by(key)
    return list(
        zip(ordered[key].to_pylist(), ordered["exchangesymbol"].to_pylist(), _years(ordered).to_pylist(), strict=True)
    )


# -- the pack's own rows ------------------------------------------------------------------------------------------


def read_contracts(
    frame: Frame | None,
    broken: bool,
    products: dict[str, ProductChange],
    all_products: bool,
    snapshot: Snapshot,
    problems: Problems,
) -> Parents:
    """Check the pack's contracts; merge them with the store's. all_products: there are no others than `products`."""
    if frame is None:
        parents = merge_parents("contracts", None, snapshot)
        parents.complete = not broken
        return parents
    source, symbols = frame.source, frame["exchangesymbol"]
    known = symbols.match(pa.array(list(products), pa.string())) >= 0
    problems.rows(
        source,
        np.flatnonzero(~known & (symbols.codes >= 0)) if all_products else [],
        "exchangesymbol",
        NO_SUCH["instruments"],
        "Add it to instruments, or correct the symbol",
    )
    _check_length(frame, "contractname", problems)
    _check_range(frame, "monthint", 1, 12, "is no month", "Use 1 to 12", problems)
    _check_range(frame, "year", 1900, 2199, "is no year", "Write the year with four digits", problems)
    readable = known & (frame["expirationdate"] != MISSING)
    rows, unread = _readable_rows(frame, "contractname", readable, problems)
    table = pa.table(
        {
            "exchangesymbol": symbols.arrow(),
            "contractname": frame["contractname"].arrow(),
            "year": _integers(frame["year"]),
            "monthint": _integers(frame["monthint"]),
            "expirationdate": _dates(frame["expirationdate"]),
        },
        schema=STORE["contracts"],
    ).take(rows)
    parents = merge_parents("contracts", table, snapshot)
    parents.unread, parents.complete = unread, frame.names_all("contractname")
    _check_owner(frame, rows, table, parents, "contractname", problems)
    _check_case(frame, parents, problems)
    return parents


def read_options(
    frame: Frame | None,
    broken: bool,
    contracts: Parents,
    snapshot: Snapshot,
    problems: Problems,
    warnings: Problems,
) -> Parents:
    """Check the pack's options; merge them with the store's."""
    if frame is None:
        parents = merge_parents("options", None, snapshot)
        parents.complete = not broken
        return parents
    source = frame.source
    future = frame["contractname"].match(contracts.names)
    unknown = contracts.unknown(frame["contractname"])
    problems.rows(source, unknown, "contractname", NO_SUCH["contracts"], "Add it to contracts, or correct the name")
    _check_length(frame, "optionname", problems)
    strike = frame["strikeprice"]
    check_price(frame, "strikeprice", "strike", problems)
    right = frame["callorput"]
    bad_right = _unknown(right, pa.array(["C", "P"]))
    problems.rows(source, bad_right, "callorput", "is neither C nor P", "Write C for a call, P for a put")
    expiry = frame["expirationdate"]
    if len(contracts.expiry):
        late = np.flatnonzero((future >= 0) & (expiry > contracts.expiry[future]))
        warnings.rows(
            source, late, "expirationdate", "the option expires after its future", "Check both expiration dates"
        )
    readable = (future >= 0) & (expiry != MISSING) & np.isfinite(strike) & (right.codes >= 0)
    rows, unread = _readable_rows(frame, "optionname", readable, problems)
    table = _options_table(frame, future, contracts).take(rows)
    if "optioncode" not in frame:
        table = _keep_codes(table, snapshot)
    parents = merge_parents("options", table, snapshot)
    parents.unread, parents.complete = unread, frame.names_all("optionname")
    _check_owner(frame, rows, table, parents, "optionname", problems)
    _check_case(frame, parents, problems)
    check_chains(frame, parents.table, parents.names, problems)
    return parents


def _options_table(frame: Frame, future: np.ndarray, contracts: Parents) -> pa.Table:
    expiry = _dates(frame["expirationdate"])
    owner = contracts.symbols.take(pa.array(future, mask=future < 0)) if len(contracts.names) else pa.nulls(len(frame))
    code = frame["optioncode"].arrow().fill_null("") if "optioncode" in frame else pa.repeat("", len(frame))
    return pa.table(
        {
            "exchangesymbol": owner,
            "expiry_year": pc.year(expiry).cast(pa.int32()),
            "optionname": frame["optionname"].arrow(),
            "contractname": frame["contractname"].arrow(),
            "expirationdate": expiry,
            "strikeprice": frame["strikeprice"],
            "callorput": frame["callorput"].arrow(),
            "optioncode": code,
        },
        schema=STORE["options"],
    )


def _keep_codes(table: pa.Table, snapshot: Snapshot) -> pa.Table:
    """A pack without the column leaves the codes in the store as they are."""
    before = plain(snapshot.read("options", ["optionname", "optioncode"]))
    place = pc.index_in(table["optionname"], before["optionname"].combine_chunks())
    codes = pc.fill_null(before["optioncode"].take(place), "")
    return table.set_column(table.column_names.index("optioncode"), "optioncode", codes)


def _unknown(text: Text, names: pa.Array) -> np.ndarray:
    return np.flatnonzero((text.match(names) < 0) & (text.codes >= 0))


def _integers(values: np.ndarray) -> pa.Array:
    return pa.array(np.nan_to_num(values, posinf=0, neginf=0).clip(0, 9999).astype(np.int32))


def _dates(days: np.ndarray) -> pa.Array:
    """Dates; 1970-01-01 for one that could not be read, whose row is left out (see `_readable_rows`)."""
    return pa.array(np.where(days == MISSING, 0, days).astype(np.int32)).cast(pa.date32())


def _check_range(frame: Frame, column: str, low: int, high: int, message: str, remedy: str, problems: Problems) -> None:
    values = frame[column]
    outside = np.flatnonzero((values < low) | (values > high))
    problems.rows(frame.source, outside, column, message, remedy)


def _check_length(frame: Frame, column: str, problems: Problems) -> None:
    """A name must fit where trades keep it; a database that does not enforce that would take it all the same."""
    names = frame[column]
    too_long = pc.greater(pc.utf8_length(names.texts), LONGEST_NAME).fill_null(False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(_of_words(names, too_long))
    problems.rows(
        frame.source,
        rows,
        column,
        f"the name has more than {LONGEST_NAME} characters",
        "Use a shorter one",
        value=lambda row: shorten(names.at(row), SHOWN_NAME),
    )


def _of_words(text: Text, flags: np.ndarray) -> np.ndarray:
    """One flag a row, from one a word; False where there is no word."""
    return np.append(flags, False)[text.codes]


def _readable_rows(frame: Frame, column: str, readable: np.ndarray, problems: Problems) -> tuple[np.ndarray, pa.Array]:
    """(rows, unread): the first row of each name, if it is readable, else the name. A second row is a problem."""
    rows = _unique_rows(frame, column, problems)
    text = frame[column]
    return rows[readable[rows]], text.texts.take(pa.array(text.codes[rows[~readable[rows]]]))


def _unique_rows(frame: Frame, column: str, problems: Problems) -> np.ndarray:
    """The first row of each name; a second one is a problem."""
    codes = frame[column].codes
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    again = np.flatnonzero((first[inverse] != np.arange(len(codes))) & (codes >= 0))
    data = frame.source.data

    def message(row: int) -> str:
        earlier = int(first[inverse[row]])
        same = all(data[name][row] == data[name][earlier] for name in data.column_names)
        there = frame.source.row_name(earlier)
        return f"the name stands in {there} already, {'with the same' if same else 'with other'} values"

    problems.rows(frame.source, again, column, message, "Keep one row a name")
    return np.sort(first[codes[first] >= 0])


def _check_owner(
    frame: Frame, rows: np.ndarray, table: pa.Table, parents: Parents, column: str, problems: Problems
) -> None:
    """A name in the store belongs to a product for good."""
    before = parents.before
    place = pc.index_in(table[column], before[column].combine_chunks()).fill_null(-1).to_numpy()
    known = np.flatnonzero(place >= 0)
    if not len(known):
        return
    owner = before["exchangesymbol"].take(place[known])
    other = pc.not_equal(owner, table["exchangesymbol"].take(known)).fill_null(False).to_numpy()
    owners = dict(zip(rows[known[other]].tolist(), owner.filter(other).to_pylist(), strict=True))
    problems.rows(
        frame.source,
        list(owners),
        column,
        lambda row: f"the name belongs to product {owners[row]} in the store",
        "Use a name of its own for each contract",
    )


def _check_case(frame: Frame, parents: Parents, problems: Problems) -> None:
    """A new name differs from every other by more than the case of letters."""
    if not len(parents.added):
        return
    column = KEY[parents.name]
    folded = pc.utf8_lower(parents.names).dictionary_encode().indices.to_numpy()
    twin = (np.bincount(folded) > 1)[folded]
    twin &= pc.is_in(parents.names, parents.added[column].combine_chunks()).to_numpy(zero_copy_only=False)
    if not twin.any():
        return
    place = frame[column].match(parents.names)
    rows = np.flatnonzero((place >= 0) & twin[place])

    def message(row: int) -> str:
        alike = np.flatnonzero(folded == folded[place[row]])
        return f"differs from {parents.names[int(alike[alike != place[row]][0])]} in case only"

    problems.rows(frame.source, rows, column, message, "Write both alike, or give one another name", kind="case")
