"""Whether the options of a market fit together, chain by chain."""

import numpy as np
import pyarrow as pa

from .parse import Frame
from .problems import Problems


def check_chains(frame: Frame, table: pa.Table, names: pa.Array, problems: Problems) -> None:
    """All options of a chain (one future, one expiration) share a code, and no two have the same terms.

    table: the options of the pack and of the store, `names` their names; problems name the rows of the pack's `frame`.
    """
    if not len(table):
        return
    chain = _group(table, ["contractname", "expirationdate"])
    code = table["optioncode"].dictionary_encode().combine_chunks().indices.to_numpy()
    mixed_chains = np.unique(chain[code != code[np.unique(chain, return_index=True)[1]][chain]])
    # The pack's rows that stand in such a chain are named.
    place = frame["optionname"].match(names)
    mixed = np.flatnonzero((place >= 0) & np.isin(chain[place], mixed_chains))
    problems.rows(
        frame.source,
        _first_of_each(mixed, chain[place[mixed]] * (code.max() + 1) + code[place[mixed]]),
        "optioncode",
        lambda row: "the option codes of one chain differ: " + _codes_of(table, chain == chain[place[row]]),
        "Give all options of one future and expiration the same code",
        value=lambda row: table["optioncode"][int(place[row])].as_py(),
        kind="mixed",
    )
    terms = _group(table, ["contractname", "expirationdate", "strikeprice", "callorput"])
    many = np.bincount(terms) > 1
    twins = np.flatnonzero((place >= 0) & many[terms[place]])
    problems.rows(
        frame.source,
        twins,
        "optionname",
        lambda row: (
            "options of the same terms: "
            + ", ".join(table["optionname"].filter(terms == terms[place[row]]).to_pylist())
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
