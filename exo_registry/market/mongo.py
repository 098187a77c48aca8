"""Reads market data from the desk's MongoDB: one collection a table, named and with fields as in a market pack.

Nothing is ever written to it. What is read goes through `import_tables`, so the checks and reports are those of a pack.
Times in MongoDB are UTC. A date is stored as its midnight: a contract whose bars are all at midnight has daily bars;
one with any other time has intraday bars, and its midnights are times like others.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
from bson import Decimal128, ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from .problems import MarketDataError
from .schema import PACK, Column

BATCH = 20_000  # documents held as Python objects at a time
ANSWER_WITHIN = 5_000  # milliseconds
AUTHENTICATION_FAILED, UNAUTHORISED = 18, 13
# An ObjectId starts with a second of its maker's clock, so that a document may come after one with a higher id.
ID_OVERLAP = dt.timedelta(minutes=2)
# Newest records are read again, since a feed may correct them in place.
TIME_OVERLAP = dt.timedelta(hours=1)
DATED = {
    name: next(column for column in columns if columns[column].kind in ("moment", "date") and columns[column].required)
    for name, columns in PACK.items()
    if name not in ("instruments", "contracts", "options")
}

Progress = Callable[[str], None]


class MongoError(MarketDataError):
    """A MongoDB that cannot be read: why, and what to do. Never holds a password."""


def shown(uri: str) -> str:
    """An address as it may be shown and stored: host and database, without log-in and options.

    A password that should have been escaped stays out, too: whatever stands before the last @ does.
    """
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


@dataclass
class _Position:
    """How far a collection has been read."""

    newest_id: ObjectId | None = None
    newest_time: dt.datetime | None = None


@dataclass
class MongoMarket:
    """A MongoDB database of market data, open for reading. Use it in a `with`.

    Raises MongoError when it cannot be reached, here and on every read.
    """

    uri: str
    place: str = field(init=False)

    def __post_init__(self) -> None:
        self.place = shown(self.uri)
        self._positions: dict[str, _Position] = {name: _Position() for name in PACK}
        self._intraday: set[str] = set()
        name = self.place.partition("://")[2].partition("/")[2].strip("/")
        if not name:
            raise MongoError(f"{self.place} names no database; write {self.place.rstrip('/')}/DATABASE")
        try:
            self._client = MongoClient(
                self.uri, serverSelectionTimeoutMS=ANSWER_WITHIN, connectTimeoutMS=ANSWER_WITHIN, appname="exoweb"
            )
            self._database = self._client[name]
        except (InvalidURI, ConfigurationError, ValueError, PyMongoError) as error:
            raise MongoError(
                f"{self.place} is not an address that can be used ({type(error).__name__}). Write "
                "mongodb://user:password@host:27017/database, with %-escapes for / : @ % in user and password"
            ) from None

    def __enter__(self) -> "MongoMarket":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read(self, *, since: dt.date | None = None, progress: Progress | None = None) -> dict[str, pa.Table]:
        """Every table that the database has, as `import_tables` takes them.

        since: of records with a date (bars, settlements, option data, rates), those from it on.
        """
        self._require_tables()
        return self._read({name: _since(name, since) for name in PACK}, progress)

    def read_new(self) -> dict[str, pa.Table]:
        """Documents that came since the last read, and the newest ones again; tables without any are left out.

        A product's terms come only with a new document: an operator's later changes are not undone.
        """
        tables = self._read({name: self._news(name) for name in PACK}, None)
        if "riskfreerate" in tables:
            # Rates go to the products of a pack, so it has to name them all.
            tables |= self._read({"contracts": {}}, None)
        return tables

    def position(self) -> dict[str, _Position]:
        """How far has been read; `rewind` to it when what was read could not be used."""
        return {name: replace(position) for name, position in self._positions.items()}

    def rewind(self, position: dict[str, _Position]) -> None:
        self._positions = {name: replace(one) for name, one in position.items()}

    def _news(self, name: str) -> dict:
        position = self._positions[name]
        choices = []
        if position.newest_id is not None:
            after = position.newest_id
            if name in DATED:
                after = ObjectId.from_datetime(after.generation_time - ID_OVERLAP)
            choices.append({"_id": {"$gt": after}})
        if position.newest_time is not None:
            choices.append({DATED[name]: {"$gte": position.newest_time - TIME_OVERLAP}})
        return {"$or": choices} if choices else {}

    def _require_tables(self) -> None:
        there = self._guarded(self._database.list_collection_names)
        if not set(there) & set(PACK):
            found = ", ".join(sorted(there)) or "none"
            raise MongoError(
                f"{self.place} has no collection of market data (it has: {found}). Name the database that holds "
                f"{', '.join(PACK)}"
            )

    def _read(self, queries: dict[str, dict], progress: Progress | None) -> dict[str, pa.Table]:
        tables = {}
        for name, query in queries.items():
            if progress:
                progress(f"reading {name}")
            table = self._guarded(lambda name=name, query=query: self._table(name, query))
            if len(table):
                tables[name] = table
        return tables

    def _table(self, name: str, query: dict) -> pa.Table:
        collection, position = self._database[name], self._positions[name]
        chunks = [_Chunk(PACK[name], documents) for documents in _batches(collection, query, PACK[name])]
        for chunk in chunks:
            if chunk.newest_id is not None:
                position.newest_id = max(position.newest_id or chunk.newest_id, chunk.newest_id)
            newest = chunk.newest(DATED.get(name))
            if newest is not None:
                position.newest_time = max(position.newest_time or newest, newest)
        columns = {column: _joined([chunk.columns[column] for chunk in chunks]) for column in PACK[name]}
        for column, kind in PACK[name].items():
            if kind.kind in ("date", "moment"):
                stamps, words = (
                    pa.chunked_array([chunk.stamps[column][part] for chunk in chunks], kind_)
                    for part, kind_ in enumerate((pa.timestamp("us"), pa.string()))
                )
                intraday = self._find_intraday(columns["contractname"], stamps) if kind.kind == "moment" else None
                columns[column] = _texts(stamps, words, intraday)
        # A field that no document has is a column that is not there.
        return pa.table({column: values for column, values in columns.items() if values.null_count < len(values)})

    def _find_intraday(self, contracts: pa.ChunkedArray, stamps: pa.ChunkedArray) -> pa.ChunkedArray:
        """Which rows belong to a contract with intraday bars, now or in an earlier read."""
        timed = contracts.filter(pc.fill_null(pc.invert(_is_midnight(stamps)), False)).unique()
        self._intraday.update(name for name in timed.to_pylist() if name is not None)
        return pc.is_in(contracts, value_set=pa.array(sorted(self._intraday), pa.string()))

    def _guarded(self, read: Callable[[], object]):
        """What `read` gives; its errors in words."""
        try:
            return read()
        except ServerSelectionTimeoutError:
            raise MongoError(
                f"{self.place}: no server answers within {ANSWER_WITHIN // 1000} seconds. Check host and port, that it "
                "runs, and that this machine may reach it"
            ) from None
        except OperationFailure as error:
            if error.code == AUTHENTICATION_FAILED:
                why = "the server refuses the log-in. Check user, password and ?authSource= in the address"
            elif error.code == UNAUTHORISED:
                why = "this user may not read the database. Give it the role read on it"
            else:
                name = (error.details or {}).get("codeName", "no name")
                why = f"the server refuses to read (code {error.code}, {name})"
            raise MongoError(f"{self.place}: {why}") from None
        except ConnectionFailure:
            raise MongoError(f"{self.place}: the connection broke off. Try again; nothing was imported") from None
        except PyMongoError as error:
            raise MongoError(f"{self.place}: cannot be read ({type(error).__name__})") from None


def _since(name: str, date: dt.date | None) -> dict:
    """Records from a date on, whether their dates are dates or text: one never compares with the other."""
    if date is None or name not in DATED:
        return {}
    starts = (dt.datetime.combine(date, dt.time()), date.isoformat())
    return {"$or": [{DATED[name]: {"$gte": start}} for start in starts]}


def _batches(collection: Collection, query: dict, columns: dict[str, Column]) -> Iterator[list[dict]]:
    cursor = collection.find(query, {"_id": 1, **dict.fromkeys(columns, 1)}, batch_size=BATCH)
    documents = []
    for document in cursor:
        documents.append(document)
        if len(documents) == BATCH:
            yield documents
            documents = []
    if documents:
        yield documents


class _Chunk:
    """Some documents as Arrow columns. Of dates and times, `stamps` has (UTC timestamps, what is not one as text)."""

    def __init__(self, spec: dict[str, Column], documents: list[dict]) -> None:
        self.columns: dict[str, pa.Array] = {}
        self.stamps: dict[str, tuple[pa.Array, pa.Array]] = {}
        ids = [one for document in documents if isinstance(one := document.get("_id"), ObjectId)]
        self.newest_id = max(ids, default=None)
        for name, column in spec.items():
            values = [document.get(name) for document in documents]
            if column.kind in ("number", "integer"):
                self.columns[name] = _numbers(values)
            elif column.kind == "text":
                self.columns[name] = pa.array(map(_word, values), pa.string())
            else:
                self.columns[name] = pa.nulls(len(values), pa.string())  # follows from the stamps of all chunks
                self.stamps[name] = _stamps(values)

    def newest(self, column: str | None) -> dt.datetime | None:
        return pc.max(self.stamps[column][0]).as_py() if column in self.stamps else None


def _numbers(values: list) -> pa.Array:
    """Numbers; as text, which the checks will complain of, if one of them is none."""
    values = [float(value.to_decimal()) if isinstance(value, Decimal128) else value for value in values]
    try:
        if any(isinstance(value, bool) for value in values):
            raise pa.ArrowInvalid
        return pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([repr(value) if isinstance(value, float) else _word(value) for value in values], pa.string())


def _word(value: object) -> str | None:
    """A field as a pack would have it; a list (of months, of codes) separated by spaces."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(filter(None, map(_word, value)))
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return str(value)


def _stamps(values: list) -> tuple[pa.Array, pa.Array]:
    stamps = [value if isinstance(value, dt.datetime) else None for value in values]
    words = [None if isinstance(value, dt.datetime) else _word(value) for value in values]
    return pa.array(stamps, pa.timestamp("us")), pa.array(words, pa.string())


def _joined(arrays: list[pa.Array]) -> pa.ChunkedArray:
    """Chunks as one column; as text, if one of them is."""
    if any(pa.types.is_string(array.type) for array in arrays):
        return pa.chunked_array([array.cast(pa.string()) for array in arrays], pa.string())
    return pa.chunked_array(arrays, None if arrays else pa.string())


def _is_midnight(stamps: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(stamps, pc.floor_temporal(stamps, unit="day"))


def _texts(stamps: pa.ChunkedArray, words: pa.ChunkedArray, intraday: pa.ChunkedArray | None) -> pa.ChunkedArray:
    """Dates and times as a pack has them. intraday: rows whose midnights are times."""
    dated = _is_midnight(stamps)
    if intraday is not None:
        dated = pc.and_(dated, pc.invert(intraday))
    whole = pc.equal(stamps, pc.floor_temporal(stamps, unit="second"))
    seconds = pc.floor_temporal(stamps, unit="second").cast(pa.timestamp("s"))
    times = pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%S+00:00")
    # A fraction of a second is kept, for the checks to refuse.
    exact = pc.strftime(stamps, format="%Y-%m-%dT%H:%M:%S+00:00")
    texts = pc.if_else(dated, pc.strftime(seconds, format="%Y-%m-%d"), pc.if_else(whole, times, exact))
    return pc.coalesce(words, texts)
