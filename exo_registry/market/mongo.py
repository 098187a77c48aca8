"""Reads market data from the desk's MongoDB: one collection a table, named and with fields as in a market pack.

Nothing is ever written to it. What is read goes through `import_tables`, so the checks and reports are those of a pack.
Times in MongoDB are UTC. A date is stored as its midnight; which midnights of bars are dates, `daily_bars` says, as of
every source.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
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

from exo_registry.failures import MarketDataError

from .documents import Documents, chunked, date_texts, without_repeats
from .schema import PACK, RECORD, REFUSED, Column

BATCH = 20_000  # documents held as Python objects at a time
ANSWER_WITHIN = 5_000  # milliseconds
Answer = TypeVar("Answer")

AUTHENTICATION_FAILED, UNAUTHORISED = 18, 13
# An ObjectId starts with a second of its maker's clock, so that a document may come after one with a higher id.
ID_OVERLAP = dt.timedelta(minutes=2)
# Newest records are read again, since a feed may correct them in place.
TIME_OVERLAP = dt.timedelta(hours=1)
# A date or a text that Python cannot hold is a problem of its document, not of the whole read.
ODD_VALUES: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="surrogateescape"
)
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
        name = self.place.partition("://")[2].partition("/")[2].strip("/")
        if not name:
            raise MongoError(f"{self.place} names no database; write {self.place.rstrip('/')}/DATABASE")
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                self.uri, serverSelectionTimeoutMS=ANSWER_WITHIN, connectTimeoutMS=ANSWER_WITHIN, appname="exoweb"
            )
            self._database = self._client.get_database(name, codec_options=ODD_VALUES)
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
        self._positions = {name: replace(reached) for name, reached in position.items()}

    def _news(self, name: str) -> dict:
        position = self._positions[name]
        choices: list[dict[str, Any]] = []
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
            names = ", ".join(sorted(there)) or "none"
            raise MongoError(
                f"{self.place} has no collection of market data (it has: {names}). Name the database that holds "
                f"{', '.join(PACK)}"
            )

    def _read(self, queries: dict[str, dict], progress: Progress | None) -> dict[str, pa.Table]:
        tables = {}
        for name, query in queries.items():
            if progress:
                progress(f"reading {name}")
            table = self._guarded(partial(self._table, name, query))
            if len(table):
                tables[name] = table
        return tables

    def _table(self, name: str, query: dict) -> pa.Table:
        collection, position = self._database[name], self._positions[name]
        chunks = [Documents(PACK[name], documents) for documents in _batches(collection, query, PACK[name])]
        for chunk in chunks:
            if chunk.newest_id is not None:
                position.newest_id = max(position.newest_id or chunk.newest_id, chunk.newest_id)
            newest = chunk.newest(DATED.get(name))
            if newest is not None:
                position.newest_time = max(position.newest_time or newest, newest)
        names = (*PACK[name], RECORD, REFUSED)
        columns = {column: chunked([chunk.columns[column] for chunk in chunks]) for column in names}
        for column, kind in PACK[name].items():
            if kind.kind in ("date", "moment"):
                stamps, texts = (
                    pa.chunked_array([chunk.stamps[column][part] for chunk in chunks], kind_)
                    for part, kind_ in enumerate((pa.timestamp("us"), pa.string()))
                )
                columns[column] = date_texts(stamps, texts, has_times=kind.kind == "moment")
        # A field that no document has is a column that is not there; one that was refused is.
        refused = {field for note in columns[REFUSED].drop_null().to_pylist() for field in json.loads(note)}
        present = {
            column: values for column, values in columns.items() if values.null_count < len(values) or column in refused
        }
        return without_repeats(pa.table(present))

    def _guarded(self, read: Callable[[], Answer]) -> Answer:
        """What `read` gives; its errors as MongoError."""
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
        except (PyMongoError, BSONError) as error:
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
