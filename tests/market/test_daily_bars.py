"""Daily bars at midnight are dates, whichever way they come in: no Friday is lost."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from algorithms.engine import Market
from algorithms.engine.bar_times import dates_and_strays
from exo_registry.market import PackErrors, import_pack, load_market
from exo_registry.models import Product

from .packs import INSTRUMENT, write_pack
from .test_bars_api import feed, key, post
from .test_mongo import bar as document
from .test_mongo import mongo, server

__all__ = ["feed", "key", "mongo", "post", "server"]

WEEKDAYS = [day for day in (dt.date(2024, 3, 4) + dt.timedelta(n) for n in range(19)) if day.weekday() < 5]
NEW_YORK = dt.timezone(dt.timedelta(hours=-5))


def terms(*names: str) -> dict:
    contracts = [
        {"contractname": n, "exchangesymbol": "ES", "year": "2024", "monthint": "6", "expirationdate": "2024-06-21"}
        for n in names
    ]
    return {"instruments": [dict(INSTRUMENT)], "contracts": contracts}


def bars(times: list, name: str = "ESM24") -> list[dict]:
    return [{"contractname": name, "datetime": str(at), "close": str(5000 + n)} for n, at in enumerate(times)]


def stored() -> list[tuple]:
    """Sessions of the product with the first future's price at each."""
    market = load_market(Product.objects.get())
    return [(date, market.quote(0, session)[0]) for session, date in enumerate(market.dates)]


EXPECTED = [(day, 5000.0 + n) for n, day in enumerate(WEEKDAYS)]
TEXTS = {
    "UTC with nanoseconds": [f"{day}T00:00:00.000000000Z" for day in WEEKDAYS],
    "UTC with an offset": [f"{day} 00:00:00+00:00" for day in WEEKDAYS],
    "local midnights": [f"{day} 00:00:00" for day in WEEKDAYS],
    "midnights of their own offset": [dt.datetime.combine(day, dt.time(), NEW_YORK).isoformat() for day in WEEKDAYS],
    "dates and midnights": [*map(str, WEEKDAYS[:7]), *(f"{day}T00:00:00Z" for day in WEEKDAYS[7:])],
}
MIDNIGHTS = pa.array(WEEKDAYS).cast(pa.timestamp("ns"))
STAMPS = {
    "UTC": MIDNIGHTS.cast(pa.timestamp("ns", tz="UTC")),
    "UTC, shown in Chicago": MIDNIGHTS.cast(pa.timestamp("ns", tz="UTC")).cast(
        pa.timestamp("ns", tz="America/Chicago")
    ),
    "without a zone": MIDNIGHTS,
}


def as_parquet(folder, stamps):
    import pyarrow.parquet as pq

    folder = write_pack(folder, terms("ESM24"), "parquet")
    closes = [5000.0 + n for n in range(len(stamps))]
    table = pa.table({"contractname": ["ESM24"] * len(stamps), "datetime": stamps, "close": closes})
    pq.write_table(table, folder / "contracts_bars.parquet")
    return folder


@pytest.mark.parametrize("name", TEXTS)
def test_text_at_midnight_is_a_date(db, tmp_path, name):
    folder = write_pack(tmp_path / "pack", terms("ESM24") | {"contracts_bars": bars(TEXTS[name])})
    report = import_pack(folder)
    assert stored() == EXPECTED
    (note,) = report.note_lines
    assert note.startswith("contracts_bars.csv, datetime: all bars of 1 contract are at midnight (ESM24)")
    assert not import_pack(folder).changed_anything
    assert Market.from_pack(folder, "ES").dates == WEEKDAYS


@pytest.mark.parametrize("name", STAMPS)
def test_a_timestamp_at_midnight_is_a_date(db, tmp_path, name):
    folder = as_parquet(tmp_path / "pack", STAMPS[name])
    report = import_pack(folder)
    assert stored() == EXPECTED
    assert len(report.note_lines) == (name != "without a zone")
    assert Market.from_pack(folder, "ES").dates == WEEKDAYS


def test_midnights_over_http_are_dates(db, tmp_path, post):
    import_pack(write_pack(tmp_path / "pack", terms("ESM24")))
    rows = [row | {"close": float(row["close"])} for row in bars(TEXTS["UTC with nanoseconds"])]
    answer = post(rows).json()
    assert answer["accepted"] == len(WEEKDAYS)
    assert "taken as dates" in answer["notes"][0]
    assert stored() == EXPECTED


def test_midnights_from_mongodb_are_dates(db, mongo):
    from django.core.management import call_command

    mongo.fill(terms("ESM24"))
    mongo.data.contracts_bars.insert_many([document(str(day), 5000.0 + n, "ESM24") for n, day in enumerate(WEEKDAYS)])
    call_command("importmarket", mongo.uri, verbosity=0)
    assert stored() == EXPECTED


def test_texts_at_midnight_in_mongodb_are_dates(db, mongo):
    from django.core.management import call_command

    mongo.fill(terms("ESM24"))
    documents = [row | {"close": float(row["close"])} for row in bars(TEXTS["UTC with nanoseconds"])]
    mongo.data.contracts_bars.insert_many(documents)
    call_command("importmarket", mongo.uri, verbosity=0)
    assert stored() == EXPECTED


def test_midnight_is_a_time_where_the_store_has_other_times(db, tmp_path, post):
    """A feed within the day sends a bar at each full hour; that of 00:00 UTC is no price of the next session's end."""
    intraday = bars(["2024-03-04T20:30:00Z", "2024-03-04T20:45:00Z"])
    import_pack(write_pack(tmp_path / "pack", terms("ESM24") | {"contracts_bars": intraday}))
    answer = post([{"contractname": "ESM24", "datetime": "2024-03-06T00:00:00Z", "close": 5050.0}]).json()
    assert answer["accepted"] == 1
    assert "notes" not in answer
    assert stored() == [(dt.date(2024, 3, 4), 5001.0), (dt.date(2024, 3, 5), 5001.0)]


def test_each_contract_for_itself(db, tmp_path):
    times = [f"2024-03-{day:02}T{hour:02}:00:00Z" for day in (5, 6) for hour in (0, 12, 20)]
    rows = bars(TEXTS["UTC with nanoseconds"]) + bars(times, "ESU24")
    folder = write_pack(tmp_path / "pack", terms("ESM24", "ESU24") | {"contracts_bars": rows})
    report = import_pack(folder)
    assert "(ESM24)" in report.note_lines[0]
    market = load_market(Product.objects.get())
    session = market.dates.index(dt.date(2024, 3, 5))
    assert market.quote(market.number("ESU24"), session)[0] == 5002  # 20:00 UTC, the last before 14:45 in Chicago
    read = Market.from_pack(folder, "ES")
    assert [read.quote(read.number(name), session)[0] for name in ("ESM24", "ESU24")] == [5001, 5002]


def test_a_time_among_midnights_is_refused(db, tmp_path):
    times = [*TEXTS["UTC with nanoseconds"][:4], "2024-03-08T01:00:00Z"]
    folder = write_pack(tmp_path / "pack", terms("ESM24") | {"contracts_bars": bars(times)})
    with pytest.raises(PackErrors) as refused:
        import_pack(folder)
    assert refused.value.lines == [
        "contracts_bars.csv, line 6, datetime = '2024-03-08T01:00:00Z': is a time, though most bars of the contract "
        "are dates (midnight in UTC). Correct it, or leave the record out."
    ]
    with pytest.raises(Exception, match="row 5 is a time, though most bars"):
        Market.from_pack(folder, "ES")


def test_the_rule_bar_by_bar():
    contracts = np.array([0, 0, 0, 1, 1, 2, -1])
    midnight = np.array([True, True, False, True, False, True, True])
    dates, strays = dates_and_strays(contracts, midnight, ~midnight)
    assert dates.tolist() == [True, True, False, False, False, True, False]
    assert strays.tolist() == [False, False, True, False, False, False, False]
    known = np.array([True, False, False])
    dates, strays = dates_and_strays(contracts, midnight, ~midnight, known)
    assert not dates[:3].any()
    assert not strays.any()


def test_a_database_read_in_part_is_understood_by_what_the_store_has(db, mongo):
    """`--since` may leave nothing of an intraday contract but a midnight."""
    from django.core.management import call_command

    mongo.fill(terms("ESM24"))
    times = ("2024-03-04T20:45:00", "2024-03-06T00:00:00")
    mongo.data.contracts_bars.insert_many([document(time, 5000.0 + n, "ESM24") for n, time in enumerate(times)])
    call_command("importmarket", mongo.uri, verbosity=0)
    before = stored()
    call_command("importmarket", mongo.uri, since=dt.date(2024, 3, 6), verbosity=0)
    assert stored() == before == [(dt.date(2024, 3, 4), 5000.0), (dt.date(2024, 3, 5), 5000.0)]
