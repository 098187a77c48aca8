"""Contracts and options: what the records of a market hang on. Checked, and merged with those in the store."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .parse import MISSING, Frame, Text
from .problems import Problems
from .products import ProductChange
from .schema import STORE
from .store import Partition, Snapshot

KEY = {"contracts": "contractname", "options": "optionname"}
ORDER = {
    "contracts": ("exchangesymbol", "expirationdate", "contractname"),
    "options": ("exchangesymbol", "expirationdate", "contractname", "strikeprice", "callorput", "optionname"),
}


@dataclass
class Parents:
    """Contracts or options, of every product, as they will be; sorted, so that each partition is one run of rows.

    before: the rows as they were. moved: partitions whose rows have to be written again since a contract's year of
    expiry has changed. complete: False when the pack's own table could not be read, so that an unknown name proves
    nothing.
    """

    name: str
    table: pa.Table
    before: pa.Table
    added: pa.Table
    changed: pa.Table
    moved: set[Partition] = field(default_factory=set)
    complete: bool = True

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
    frame: Frame | None, broken: bool, products: dict[str, ProductChange], snapshot: Snapshot, problems: Problems
) -> Parents:
    """Check the pack's contracts; merge them with the store's."""
    if frame is None:
        parents = merge_parents("contracts", None, snapshot)
        parents.complete = not broken
        return parents
    source, symbols = frame.source, frame["exchangesymbol"]
    unknown = _unknown(symbols, pa.array(list(products), pa.string()))
    problems.rows(source, unknown, "exchangesymbol", "no such product", "Add it to instruments, or correct the symbol")
    _check_range(frame, "monthint", 1, 12, "is no month", "Use 1 to 12", problems)
    _check_range(frame, "year", 1900, 2199, "is no year", "Write the year with four digits", problems)
    rows = _unique_rows(frame, "contractname", problems)
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
    _check_owner(frame, rows, table, parents, "contractname", problems)
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
    if contracts.complete:
        unknown = np.flatnonzero((future < 0) & (frame["contractname"].codes >= 0))
        problems.rows(source, unknown, "contractname", "no such contract", "Add it to contracts, or correct the name")
    strike = frame["strikeprice"]
    problems.rows(source, np.flatnonzero(strike <= 0), "strikeprice", "a strike is above zero", "Correct it")
    right = frame["callorput"]
    bad_right = _unknown(right, pa.array(["C", "P"]))
    problems.rows(source, bad_right, "callorput", "is neither C nor P", "Write C for a call, P for a put")
    expiry = frame["expirationdate"]
    if len(contracts.expiry):
        late = np.flatnonzero((future >= 0) & (expiry > contracts.expiry[future]))
        warnings.rows(
            source, late, "expirationdate", "the option expires after its future", "Check both expiration dates"
        )
    rows = _unique_rows(frame, "optionname", problems)
    table = _options_table(frame, future, contracts).take(rows)
    if "optioncode" not in frame:
        table = _keep_codes(table, snapshot)
    parents = merge_parents("options", table, snapshot)
    _check_owner(frame, rows, table, parents, "optionname", problems)
    _check_chains(frame, parents, problems)
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
    """Dates; one that could not be read (and was reported) becomes 1970-01-01, so that the other checks go on."""
    return pa.array(np.where(days == MISSING, 0, days).astype(np.int32)).cast(pa.date32())


def _check_range(frame: Frame, column: str, low: int, high: int, message: str, remedy: str, problems: Problems) -> None:
    values = frame[column]
    outside = np.flatnonzero((values < low) | (values > high))
    problems.rows(frame.source, outside, column, message, remedy)


def _unique_rows(frame: Frame, column: str, problems: Problems) -> np.ndarray:
    """The first row of each name; a second one is a problem."""
    codes = frame[column].codes
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    again = np.flatnonzero((first[inverse] != np.arange(len(codes))) & (codes >= 0))
    data = frame.source.data

    def message(row: int) -> str:
        earlier = int(first[inverse[row]])
        same = all(data[name][row] == data[name][earlier] for name in data.column_names)
        there = frame.source.row_numbers_of([earlier])[0]
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


def _check_chains(frame: Frame, options: Parents, problems: Problems) -> None:
    """All options of a chain (one future, one expiration) share a code, and no two have the same terms."""
    table = options.table
    if not len(table):
        return
    chain = _group(table, ["contractname", "expirationdate"])
    code = table["optioncode"].dictionary_encode().combine_chunks().indices.to_numpy()
    mixed_chains = np.unique(chain[code != code[np.unique(chain, return_index=True)[1]][chain]])
    # The pack's rows that stand in such a chain are named.
    names = frame["optionname"].match(options.names)
    mixed = np.flatnonzero((names >= 0) & np.isin(chain[names], mixed_chains))
    problems.rows(
        frame.source,
        _first_of_each(mixed, chain[names[mixed]] * (code.max() + 1) + code[names[mixed]]),
        "optioncode",
        lambda row: "the option codes of one chain differ: " + _codes_of(table, chain == chain[names[row]]),
        "Give all options of one future and expiration the same code",
        value=lambda row: table["optioncode"][int(names[row])].as_py(),
        kind="mixed",
    )
    terms = _group(table, ["contractname", "expirationdate", "strikeprice", "callorput"])
    many = np.bincount(terms) > 1
    twins = np.flatnonzero((names >= 0) & many[terms[names]])
    problems.rows(
        frame.source,
        twins,
        "optionname",
        lambda row: (
            "options of the same terms: "
            + ", ".join(table["optionname"].filter(terms == terms[names[row]]).to_pylist())
        ),
        "Keep one name for each future, expiration, strike and right",
        kind="twins",
    )


def _group(table: pa.Table, columns: list[str]) -> np.ndarray:
    """The number of each row's combination of values."""
    number = np.zeros(len(table), np.int64)
    for column in columns:
        codes = table[column].dictionary_encode().combine_chunks().indices.to_numpy().astype(np.int64)
        number = np.unique(number * (codes.max() + 1) + codes, return_inverse=True)[1]
    return number


def _first_of_each(rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    return np.sort(rows[np.unique(keys, return_index=True)[1]])


def _codes_of(table: pa.Table, chain: np.ndarray) -> str:
    members = table.filter(chain)
    codes = ", ".join(repr(code) for code in sorted(set(members["optioncode"].to_pylist())))
    return f"{codes} on {members['contractname'][0]}, expiring {members['expirationdate'][0]}"
