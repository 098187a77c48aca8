"""Bars at midnight: dates, or times of a contract that has others, in the import or in the store."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from algorithms.engine.bar_times import STRAY, dates_and_strays
from exo_registry.formats.text import counted

from .arrays import MISSING, Moments
from .columns import DAY_SECONDS
from .parse import Frame
from .problems import Problems
from .records import NOWHEN
from .references import Parents
from .store import Snapshot
from .upsert import numpy_of

NAMED = 5  # contracts that a note names; the rest are counted
DAY_MICROSECONDS = DAY_SECONDS * 1_000_000


def settle_dates(frame: Frame, contracts: Parents, snapshot: Snapshot, problems: Problems, notes: Problems) -> None:
    """Takes bars at midnight as dates where no other bar of their contract says that they are times.

    A contract with bars at other times in the store has times. Where most bars of a contract are at midnight and some
    are not, those are problems.
    """
    moments: Moments = frame["datetime"]
    midnight = moments.timed & (moments.midnight != MISSING)
    if not midnight.any():
        return
    names = frame["contractname"]
    known = _intraday(
        names.texts.take(pa.array(np.unique(names.codes[midnight & (names.codes >= 0)]))), contracts, snapshot
    )
    intraday = pc.is_in(names.texts, value_set=known).to_numpy(zero_copy_only=False)
    dates, strays = dates_and_strays(names.codes, midnight, moments.timed & ~midnight, intraday)
    problems.rows(frame.source, np.flatnonzero(strays), "datetime", STRAY, "Correct it, or leave the record out")
    moments.timed &= ~dates
    moments.day = np.where(dates, moments.midnight, moments.day)
    if dates.any() and _says_times(frame):
        _note(frame, np.unique(names.codes[dates]), notes)


def _intraday(names: pa.Array, contracts: Parents, snapshot: Snapshot) -> pa.Array:
    """Those of the contracts that have bars in the store at another time than midnight in UTC."""
    places = pc.index_in(names, contracts.names).drop_null().to_numpy()
    found = [pa.array([], pa.string())]
    for symbol in contracts.symbols.take(pa.array(places)).unique().to_pylist():
        years = pc.year(contracts.table["expirationdate"].take(pa.array(places))).unique().to_pylist()
        bars = snapshot.read("contracts_bars", ["contractname", "at"], symbol=symbol, years=years)
        at = numpy_of(bars["at"])
        timed = pa.array((at != NOWHEN) & (at % DAY_MICROSECONDS != 0))
        found.append(bars["contractname"].filter(timed).unique().cast(pa.string()))
    return pa.concat_arrays([part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part for part in found])


def _says_times(frame: Frame) -> bool:
    """Whether the source itself writes more than a day: programs without a type for dates have bare timestamps."""
    kind = frame.source.data.schema.field("datetime").type
    return not pa.types.is_timestamp(kind) or kind.tz is not None


def _note(frame: Frame, codes: np.ndarray, notes: Problems) -> None:
    texts = frame["contractname"].texts.take(pa.array(codes[:NAMED])).to_pylist()
    more = f" and {len(codes) - NAMED:,} more" if len(codes) > NAMED else ""
    notes.file(
        frame.source.place,
        f"all bars of {counted(len(codes), 'contract')} are at midnight ({', '.join(texts)}{more}); they are taken as "
        "dates, the session's price at its decision time",
        "Write the time at which they were made if they are bars within a day",
        column="datetime",
    )
