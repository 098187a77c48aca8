"""The desk's MongoDB, over the wire: a MongoDB-compatible server filled from packs gives what the packs give."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from django.core.management import CommandError, call_command
from pymongo import MongoClient
from secantus import SecantusDBServer

from algorithms.collar import BullishCollar
from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import run
from exo_registry.market import import_pack, import_tables, last_bar, load_market, store
from exo_registry.market.documents import Documents
from exo_registry.market.follow import follow
from exo_registry.market.mongo import MongoError, MongoMarket, shown
from exo_registry.market.pack import read_pack
from exo_registry.market.problems import Problems
from exo_registry.market.schema import PACK, STORE
from exo_registry.market.schema import REFUSED as REFUSED_COLUMN
from exo_registry.models import Event, Product, Revision
from tests.paths import PACKS, ROOT

from .packs import small_pack

INTEGERS = {"year", "monthint", "days_before_expiration"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SecantusDBServer(storage_path=str(tmp_path_factory.mktemp("mongo"))) as server:
        yield server


@pytest.fixture
def mongo(server, request):
    """An empty database of its own: `mongo.uri`, `mongo.fill(tables)`."""
    with MongoClient(server.uri) as client:
        database = _Database(client, server.uri, f"desk_{abs(hash(request.node.nodeid))}")
        yield database
        client.drop_database(database.name)


class _Database:
    def __init__(self, client: MongoClient, uri: str, name: str) -> None:
        self.name, self.data = name, client[name]
        self.uri = f"{uri.rstrip('/')}/{name}"

    def fill(self, tables: dict[str, list[dict]]) -> None:
        for name, rows in tables.items():
            self.data[name].insert_many([_document(name, row) for row in rows])


def _document(table: str, row: dict) -> dict:
    """A row of a pack as the desk stores it: dates are datetimes, numbers are numbers, nothing is blank."""
    document = {"sourceid": ObjectId(), "note": {"by": "feed"}}
    for name, value in row.items():
        kind = PACK[table][name].kind
        if value in ("", None):
            continue
        if kind in ("date", "moment") and isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        elif kind == "integer":
            value = int(value)
        elif kind == "number":
            value = float(value)
        document[name] = value
    return document


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def contents() -> dict[str, list[dict]]:
    """Everything in the store, sorted."""
    snapshot = store.Snapshot.current()
    rows_by_table = {}
    for name, schema in STORE.items():
        rows = [
            row
            for symbol in Product.objects.order_by("exchangesymbol").values_list("exchangesymbol", flat=True)
            for row in snapshot.read(name, symbol=symbol).to_pylist()
        ]
        rows_by_table[name] = sorted(rows, key=lambda row: [str(row.get(column)) for column in schema.names])
    return rows_by_table


def _terms() -> list[dict]:
    return [
        {name: value for name, value in row.items() if name != "id"}
        for row in Product.objects.order_by("exchangesymbol").values()
    ]


def _series() -> dict[tuple[str, str], tuple]:
    """Points and trades of a future and of a collar on every product."""
    results = {}
    for product in Product.objects.all():
        market = load_market(product)
        for algorithm in (ContinuousFuture(), BullishCollar()):
            result = run(algorithm, market)
            results[product.exchangesymbol, type(algorithm).__name__] = result.points, result.trades, result.gaps
    return results


@pytest.mark.slow
@pytest.mark.parametrize("name", ["futures_real", "spx_2018"])
def test_a_store_filled_from_a_database_is_as_one_filled_from_the_pack(mongo, db, settings, tmp_path, name):
    settings.MARKET_DATA_URI = str(tmp_path / "pack")
    import_pack(PACKS / name)
    wanted, terms, series = contents(), _terms(), _series()
    assert series
    Product.objects.all().delete()

    pack = read_pack(PACKS / name, Problems(), Problems())
    mongo.fill({table: source.data.to_pylist() for table, source in pack.tables.items()})
    settings.MARKET_DATA_URI = str(tmp_path / "mongo")
    call_command("importmarket", mongo.uri, verbosity=0)
    assert contents() == wanted
    assert _terms() == terms
    assert _series() == series


@pytest.fixture
def small(mongo):
    mongo.fill(small_pack())
    return mongo


def test_the_second_import_changes_nothing(small, db, capsys):
    call_command("importmarket", small.uri, "--activate")
    assert "ES" in capsys.readouterr().out
    assert Product.objects.get().active
    call_command("importmarket", small.uri)
    assert "nothing new in them" in capsys.readouterr().out
    assert Revision.objects.get().source == shown(small.uri)


def test_decimal128_lists_and_texts_are_read(mongo, db):
    tables = small_pack()
    mongo.fill(tables)
    mongo.data.instruments.update_one(
        {}, {"$set": {"rollover_months": [3, 6, 9, 12], "option_codes": ["^EW$", "^$"], "ticksize": Decimal128("0.25")}}
    )
    bar = mongo.data.contracts_bars.find_one({"contractname": "F.ESH20"})
    mongo.data.contracts_bars.update_one({"_id": bar["_id"]}, {"$set": {"close": Decimal128("2999.75"), "volume": 12}})
    mongo.data.riskfreerate.update_many(
        {}, [{"$set": {"date": {"$dateToString": {"date": "$date", "format": "%Y-%m-%d"}}}}]
    )
    call_command("importmarket", mongo.uri, verbosity=0)
    product = Product.objects.get()
    assert product.rollover_months == [3, 6, 9, 12]
    assert product.option_codes == ["^EW$", "^$"]
    assert product.ticksize == 0.25
    stored = contents()
    assert {(row["close"], row["volume"]) for row in stored["contracts_bars"]} >= {(2999.75, 12.0)}
    assert [str(row["date"]) for row in stored["riskfreerate"]] == ["2020-03-02", "2020-03-03"]


def test_times_are_utc_and_midnights_of_an_intraday_contract_are_times(mongo, db):
    tables = small_pack()
    day = {"contractname": "F.ESH20", "close": "3000"}
    tables["contracts_bars"] = [
        {**day, "datetime": "2020-03-03T00:00:00"},
        {**day, "datetime": "2020-03-03T20:45:00"},
        {"contractname": "F.ESH21", "close": "3010", "datetime": "2020-03-03"},
    ]
    mongo.fill(tables)
    call_command("importmarket", mongo.uri, verbosity=0)
    bars_stored = {
        (row["contractname"], row["date"].isoformat(), row["at"] and row["at"].isoformat())
        for row in contents()["contracts_bars"]
    }
    assert bars_stored == {
        ("F.ESH20", "2020-03-02", "2020-03-03T00:00:00+00:00"),  # 18:00 in Chicago, the day before
        ("F.ESH20", "2020-03-03", "2020-03-03T20:45:00+00:00"),
        ("F.ESH21", "2020-03-03", None),
    }


def test_since_leaves_out_older_records(small, db):
    call_command("importmarket", small.uri, since=dt.date(2020, 3, 3), verbosity=0)
    stored = contents()
    assert {row["date"].day for row in stored["contracts_bars"]} == {3, 4}
    assert {row["date"].day for row in stored["options_data"]} == {3, 4}
    assert len(stored["contracts"]) == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"$unset": {"close": 1}}, ": a value is missing"),
        ({"$set": {"close": "high"}}, "close = 'high': is not a number"),
        ({"$set": {"close": -1e10}}, "is no price"),
        ({"$set": {"close": True}}, "close: holds a boolean, not numbers"),
        ({"$set": {"datetime": "soon"}}, "is neither a date nor a date with time"),
        ({"$set": {"datetime": utc("2020-03-02T12:00:00.500")}}, "in whole seconds"),
        ({"$set": {"contractname": "F.NONE"}}, "F.NONE"),
    ],
)
def test_a_bad_document_is_named_and_the_others_are_imported(small, db, change, problem):
    bad = small.data.contracts_bars.find_one()["_id"]
    small.data.contracts_bars.update_one({"_id": bad}, change)
    with pytest.raises(CommandError) as caught:
        call_command("importmarket", small.uri)
    assert caught.value.returncode == 1
    assert "1 record was refused; the others were imported." in str(caught.value)
    assert f"contracts_bars, document {bad}, " in str(caught.value)
    assert problem in str(caught.value)
    assert len(contents()["contracts_bars"]) == 5


REFUSED = {
    "a list for a number": ("contracts_bars", {"close": [3002.25]}, "close: holds a list, not numbers"),
    "an object": ("contracts_bars", {"close": {"value": 3002.25}}, "close: holds an object, not numbers"),
    "a Decimal128 that is none": ("contracts_bars", {"close": Decimal128("sNaN")}, "close = nan: a value is missing"),
    "infinity": ("contracts_bars", {"close": Decimal128("Infinity")}, "close: holds the number Infinity, not numbers"),
    "too large": ("contracts_bars", {"close": Decimal128("1E+6000")}, "close: holds the number 1E+6000, not numbers"),
    "a pattern": ("contracts_bars", {"close": Regex("^1$")}, "close: holds a BSON Regex, not numbers"),
    "an epoch": (
        "contracts_bars",
        {"datetime": Int64(1709683200000)},
        "datetime: holds the number 1709683200000, not dates",
    ),
    "a BSON timestamp": (
        "contracts_bars",
        {"datetime": Timestamp(1, 1)},
        "datetime: holds a BSON Timestamp, not dates",
    ),
    "the year 9999": (
        "contracts_bars",
        {"datetime": dt.datetime(9999, 12, 31)},
        "datetime = '9999-12-31T00:00:00+00:00': is neither",
    ),
    "a list for a name": ("contracts_bars", {"contractname": ["F.ESH20"]}, "contractname: holds a list, not text"),
    "a fraction for a name": ("contracts_bars", {"contractname": 1.5}, "contractname: holds the number 1.5, not text"),
    "bytes": ("instruments", {"description": b"\xff\xfe"}, "description: holds bytes that are not UTF-8, not text"),
    "a list of lists": ("instruments", {"rollover_months": [[3, 6]]}, "rollover_months: holds a list with an item"),
    "an id": ("instruments", {"exchangesymbol": ObjectId()}, "exchangesymbol: holds an ObjectId, not text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_field_cannot_hold_is_named_by_document(mongo, db, name):
    table, change, message = REFUSED[name]
    mongo.fill({name: rows for name, rows in small_pack().items() if name in ("instruments", "contracts")})
    bars = [bar(f"2020-03-0{day}", 3000.0 + day) | {"_id": f"bar{day}"} for day in range(2, 7)]
    mongo.data.contracts_bars.insert_many(bars)
    bad = mongo.data[table].find_one({"_id": "bar4"} if table == "contracts_bars" else {})["_id"]
    mongo.data[table].update_one({"_id": bad}, {"$set": change})
    with pytest.raises(CommandError) as caught:
        call_command("importmarket", mongo.uri)
    head, problem, *others = str(caught.value).splitlines()
    assert f"{table}, document {bad}, {message}" in problem
    if table == "contracts_bars":
        assert "1 record was refused; the others were imported." in head
        assert not others
        assert [row["date"].day for row in contents()["contracts_bars"]] == [2, 3, 5, 6]
    else:
        assert "8 records were refused; nothing was imported." in head
        assert others == ["7 of them refer to another one that was refused."]


def test_what_python_cannot_hold_is_a_problem_of_its_document():
    """A server may hold a date beyond datetime's, and text that is not UTF-8; the test server does not."""
    documents = [{"_id": 1, "contractname": "F.\udcff", "datetime": DatetimeMS(2**60), "close": 1.0}]
    columns = Documents(PACK["contracts_bars"], documents).columns
    assert json.loads(columns[REFUSED_COLUMN][0].as_py()) == {
        "contractname": "holds text that is not UTF-8, not text",
        "datetime": "holds a BSON DatetimeMS, not dates, or dates with time",
    }


TAKEN = {
    "whole numbers": {"close": Int64(3004)},
    "text": {"close": "3004.0"},
    "a name with spaces around it": {"contractname": " F.ESH20 "},
    "bytes that are text": {"contractname": b"F.ESH20"},
    "text for a date": {"datetime": "2020-03-04"},
    "fields with dots and of other kinds": {"a.b": 1, "note": {"$where": 1}, "tags": [1, {"x": None}]},
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_a_field_can_hold_is_taken(mongo, db, name):
    mongo.fill({name: rows for name, rows in small_pack().items() if name in ("instruments", "contracts")})
    bars = [bar(f"2020-03-0{day}", 3000.0 + day) for day in range(2, 7)]
    bars[2] |= TAKEN[name]
    mongo.data.contracts_bars.insert_many(bars)
    call_command("importmarket", mongo.uri, verbosity=0)
    assert [(row["date"].day, row["at"], row["close"]) for row in contents()["contracts_bars"]] == [
        (day, None, 3000.0 + day) for day in range(2, 7)
    ]


def test_a_document_that_is_there_twice_counts_once(small, db):
    again = small.data.contracts_bars.find_one({}, {"_id": 0})
    small.data.contracts_bars.insert_one(dict(again))
    call_command("importmarket", small.uri, verbosity=0)
    assert len(contents()["contracts_bars"]) == 6
    small.data.contracts_bars.insert_one(again | {"_id": ObjectId(), "close": 1.0})
    with pytest.raises(CommandError, match=r"the key stands in document \w+ already, with other values"):
        call_command("importmarket", small.uri)


@pytest.mark.parametrize("time", ["2020-03-06T20:45:00", "2020-03-06T20:45:00.123"])
def test_one_time_among_dates_does_not_move_the_dates(mongo, db, time):
    """Midnights would become the evening before if one odd document made them times."""
    mongo.fill({name: rows for name, rows in small_pack().items() if name in ("instruments", "contracts")})
    mongo.data.contracts_bars.insert_many([bar(f"2020-03-0{day}", 3000.0) for day in range(2, 6)] + [bar(time, 3001.0)])
    with pytest.raises(CommandError, match=r"1 record was refused; the others were imported"):
        call_command("importmarket", mongo.uri)
    assert [(row["date"].day, row["at"]) for row in contents()["contracts_bars"]] == [
        (day, None) for day in range(2, 6)
    ]


def test_a_collection_without_a_required_field_is_named(small, db):
    small.data.riskfreerate.update_many({}, {"$unset": {"rate": 1}})
    with pytest.raises(CommandError, match="riskfreerate, rate: the column is missing"):
        call_command("importmarket", small.uri)


# What can be wrong with the address.


def refusal(uri: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("importmarket", uri)
    return str(caught.value)


def test_an_address_without_database(db):
    assert "names no database; write mongodb://host/DATABASE" in refusal("mongodb://desk:s3cret@host")


@pytest.mark.parametrize(
    "uri", ["mongodb://desk:s3/cr@et@host/db", "mongodb://desk:s3cret@host:port/db", "mongodb:///db"]
)
def test_an_address_that_is_none(db, uri):
    message = refusal(uri)
    assert "s3" not in message
    assert "mongodb://" in message


def test_a_server_that_does_not_answer(db, monkeypatch):
    monkeypatch.setattr("exo_registry.market.mongo.ANSWER_WITHIN", 200)
    message = refusal("mongodb://desk:s3cret@127.0.0.1:1/desk?appName=s3cret")
    assert message.startswith("mongodb://127.0.0.1:1/desk: no server answers within")
    assert "s3cret" not in message


def test_a_database_without_market_data_lists_what_it_has(mongo, db):
    mongo.data.trades.insert_one({})
    assert "has no collection of market data (it has: trades)" in refusal(mongo.uri)


def test_a_log_in_that_is_refused(tmp_path, db):
    with SecantusDBServer(storage_path=str(tmp_path / "secured"), require_auth=True) as server:
        host = server.uri.removeprefix("mongodb://").rstrip("/")
        message = refusal(f"mongodb://desk:s3cret@{host}/desk")
        assert "the server refuses the log-in" in message
        assert "s3cret" not in message
        assert "may not read the database" in refusal(f"mongodb://{host}/desk")


def test_log_in_and_options_are_not_shown():
    assert shown("mongodb://u:p@a:1,b:2/desk?authSource=x") == "mongodb://a:1,b:2/desk"
    assert shown("mongodb+srv://u:p%40@cluster.example/desk") == "mongodb+srv://cluster.example/desk"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mongodb://host/desk", "--watch"], "watched with --follow"),
        (["folder", "--follow"], "are for a MongoDB"),
        (["folder", "--since", "2020-01-01"], "are for a MongoDB"),
    ],
)
def test_options_that_do_not_go_together(arguments, message):
    with pytest.raises(CommandError, match=message) as caught:
        call_command("importmarket", *arguments)
    assert caught.value.returncode == 2


# Following.


def run_follow(market: MongoMarket, *rounds) -> list[str]:
    """Follow for as many polls as there are `rounds`, functions that are called before each; what was told."""
    lines, left = [], iter(rounds)

    def pause() -> bool:
        step = next(left, None)
        if step is None:
            return True
        step()
        return False

    follow(market, pause=pause, tell=lines.append)
    return lines


@pytest.fixture
def market(small, db):
    """Read and imported once, ready to be followed."""
    with MongoMarket(small.uri) as market:
        import_tables(market.read(), source=market.place)
        yield market


def bar(day: str, close: float, contract: str = "F.ESH20") -> dict:
    return {"contractname": contract, "datetime": dt.datetime.fromisoformat(day), "close": close}


def test_new_bars_are_imported(market, small):
    bars = small.data.contracts_bars
    lines = run_follow(
        market,
        lambda: None,
        lambda: bars.insert_many([bar("2020-03-05", 3010.0), bar("2020-03-05", 3020.0, "F.ESH21")]),
        lambda: None,
        lambda: bars.insert_one(bar("2020-03-06", 3011.0)),
    )
    assert len(lines) == 2
    assert lines[0].startswith("ES: ")
    assert Revision.objects.count() == 3
    assert last_bar(Product.objects.get()) == dt.date(2020, 3, 6)


def test_the_newest_bar_corrected_in_place_is_seen(market, small):
    run_follow(
        market, lambda: small.data.contracts_bars.update_one(bar("2020-03-04", 3002.25), {"$set": {"close": 3003.0}})
    )
    (stored_bar,) = [
        row
        for row in contents()["contracts_bars"]
        if row["contractname"] == "F.ESH20" and row["date"] == dt.date(2020, 3, 4)
    ]
    assert stored_bar["close"] == 3003.0


def test_a_late_bar_of_an_old_day_is_seen(market, small):
    run_follow(market, lambda: small.data.contracts_bars.insert_one(bar("2020-02-28", 2990.0)))
    assert min(row["date"] for row in contents()["contracts_bars"]) == dt.date(2020, 2, 28)


def test_new_rates_reach_every_product(market, small):
    run_follow(market, lambda: small.data.riskfreerate.insert_one({"date": utc("2020-03-04"), "rate": 0.01}))
    assert len(contents()["riskfreerate"]) == 3


def test_a_new_contract_comes_with_its_bars(market, small):
    contract = {"contractname": "F.ESM20", "exchangesymbol": "ES", "year": 2020, "monthint": 6}

    def arrive():
        small.data.contracts_bars.insert_one(bar("2020-03-05", 3012.0, "F.ESM20"))
        small.data.contracts.insert_one({**contract, "expirationdate": utc("2020-06-19")})

    run_follow(market, arrive)
    assert len(contents()["contracts"]) == 3


def test_what_an_operator_changed_is_not_undone(market, small):
    Product.objects.update(days_before_expiration=7)
    run_follow(market, lambda: small.data.contracts_bars.insert_one(bar("2020-03-05", 3010.0)))
    assert Product.objects.get().days_before_expiration == 7


def test_midnight_of_a_contract_known_as_intraday_is_a_time(mongo, db):
    tables = small_pack()
    tables["contracts_bars"] = [{"contractname": "F.ESH20", "close": "3000", "datetime": "2020-03-02T20:45:00"}]
    mongo.fill(tables)
    with MongoMarket(mongo.uri) as market:
        import_tables(market.read(), source=market.place)
        run_follow(market, lambda: mongo.data.contracts_bars.insert_one(bar("2020-03-04", 3001.0)))
    newest = max(contents()["contracts_bars"], key=lambda row: row["at"])
    assert newest["at"] == dt.datetime(2020, 3, 4, tzinfo=dt.UTC)


def test_a_bad_bar_is_refused_and_the_others_come_in(market, small):
    bad = bar("2020-03-05", -3e10, "F.ESH21")
    bars = small.data.contracts_bars
    lines = run_follow(
        market,
        lambda: bars.insert_many([bar("2020-03-05", 3010.0), bad]),
        lambda: None,  # still there, and not told again
        lambda: bars.update_one({"_id": bad["_id"]}, {"$set": {"close": 3020.0}}),
    )
    assert "1 record was refused; the others were imported" in lines[0]
    assert "close = -30000000000.0" in lines[0]
    assert any("read again without problems" in line for line in lines)
    assert sum("refused" in line for line in lines) == 1
    events = Event.objects.filter(kind="import", product=None).order_by("id")
    assert [event.level for event in events] == ["error", "info"]
    assert len(contents()["contracts_bars"]) == 8


def test_a_database_that_goes_away_is_tried_again(market, small, monkeypatch):
    real = MongoMarket.read_new
    answers = iter([MongoError("mongodb://host/desk: the connection broke off"), None])

    def read_new(self):
        error = next(answers, None)
        if error:
            raise error
        return real(self)

    monkeypatch.setattr(MongoMarket, "read_new", read_new)
    lines = run_follow(market, lambda: small.data.contracts_bars.insert_one(bar("2020-03-05", 1.0)), lambda: None)
    assert lines[0] == "mongodb://host/desk: the connection broke off"
    assert "read again without problems" in lines[1]
    assert len(contents()["contracts_bars"]) == 7


@pytest.mark.slow
def test_follow_runs_until_it_is_stopped(small, child_env):
    command = [sys.executable, "manage.py", "importmarket", small.uri, "--follow", "--interval", "0.2"]
    with subprocess.Popen(
        command, cwd=ROOT, env=child_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        timer = threading.Timer(60, child.kill)
        timer.start()
        lines = []
        for line in child.stdout:
            lines.append(line)
            if "following" in line:
                small.data.contracts_bars.insert_one(bar("2020-03-05", 3010.0))
            if line.startswith("ES: "):
                os.kill(child.pid, signal.SIGINT)
        timer.cancel()
    assert child.wait() == 0, "".join(lines)
    assert "1 row added" in "".join(lines)
