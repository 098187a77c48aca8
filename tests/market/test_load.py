"""From the store to the engine: clocks, part loads, real packs, what pages ask."""

import datetime as dt
import shutil
import zoneinfo

import numpy as np
import pytest

from exo_registry.market import coverage, import_pack, last_bar, load_market, rules, sessions
from exo_registry.models import Product
from tests.paths import PACKS

from .packs import INSTRUMENT, changed, small_pack

CHICAGO = zoneinfo.ZoneInfo("America/Chicago")


@pytest.fixture
def es(load):
    load()
    return Product.objects.get()


def test_rules(es):
    es.optionticksize, es.optiontickvalue, es.cost_option = 0.05, 5.0, 1.25
    assert vars(rules(es)) == {
        "symbol": "ES",
        "currency": "USD",
        "point_value": 50.0,
        "option_point_value": 100.0,
        "decision_time": dt.time(14, 45),
        "pricing_model": "black76",
        "dividend_yield": 0.0,
        "rollover_months": (3, 6, 9, 12),
        "days_before_expiration": 2,
        "option_codes": ("^EW$", "^$"),
        "futures_limit": 4,
        "strikes_limit": 20,
        "cost_future": 0.0,
        "cost_option": 1.25,
        "conventions": "standard",
        "max_bar_age_days": 3,
        "calendar": "CMES",
    }


def bars_pack(*times: str, zone: str = "America/Chicago") -> dict:
    return {
        "instruments": [INSTRUMENT | {"timezone": zone}],
        "contracts": small_pack()["contracts"][:1],
        "contracts_bars": [
            {"contractname": "F.ESH20", "datetime": time, "close": str(at + 1)} for at, time in enumerate(times)
        ],
    }


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2020-03-06T14:45:00", "2020-03-06T20:45:00+00:00"),  # winter
        ("2020-03-09T14:45:00", "2020-03-09T19:45:00+00:00"),  # summer, the session after
        ("2020-03-09T14:45:00-06:00", "2020-03-09T20:45:00+00:00"),  # an offset says what it says
        ("2020-03-09T23:30:00Z", "2020-03-09T23:30:00+00:00"),
        ("2020-03-10T02:30:00Z", "2020-03-10T02:30:00+00:00"),  # the evening before in Chicago
        ("2020-03-08T01:59:59", "2020-03-08T07:59:59+00:00"),
        ("2020-03-08T03:00:00", "2020-03-08T08:00:00+00:00"),
        ("2019-11-03T01:30:00-05:00", "2019-11-03T06:30:00+00:00"),
        ("2019-11-03T01:30:00-06:00", "2019-11-03T07:30:00+00:00"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_times_of_bars(form, time, utc, load):
    load(bars_pack(time), form)
    newest = last_bar(Product.objects.get())
    assert newest.astimezone(dt.UTC) == dt.datetime.fromisoformat(utc)
    assert newest.tzinfo == CHICAGO


def test_the_clock_of_the_product(load):
    """A bar belongs to the session of its local date, and a date counts at the decision time."""
    load(
        bars_pack("2020-03-02T23:30:00", "2020-03-03", "2020-03-04T14:45:00", "2020-03-04T14:45:01", zone="Asia/Tokyo")
    )
    market = load_market(Product.objects.get())
    assert market.dates == [dt.date(2020, 3, 2), dt.date(2020, 3, 3), dt.date(2020, 3, 4)]
    prices = [market.future_price(0, session) for session in (1, 2)]
    assert prices == [2.0, 3.0]


def test_a_bar_after_expiry_is_no_quote(load):
    load(bars_pack("2020-03-02", "2020-03-23"))
    es = Product.objects.get()
    assert sessions(es).astype(str).tolist() == ["2020-03-02"]
    assert load_market(es).dates == [dt.date(2020, 3, 2)]


def test_weekends_are_no_sessions(load):
    load(bars_pack("2020-03-02", "2020-03-07", "2020-03-08T18:00:00"))
    es = Product.objects.get()
    assert sessions(es).astype(str).tolist() == [f"2020-03-0{day}" for day in range(2, 7)]
    es.conventions = "legacy"
    assert sessions(es).astype(str).tolist() == ["2020-03-02"]
    assert last_bar(es) == dt.datetime(2020, 3, 8, 18, tzinfo=CHICAGO)


def test_nothing_there(make_product):
    es = make_product("ES")
    assert sessions(es).size == 0
    assert last_bar(es) is None
    nothing = {"rows": 0, "first": None, "last": None}
    assert coverage(es) == {
        "contracts": [],
        "expirations": [],
        "bars": nothing,
        "settlements": nothing,
        "vols": nothing,
        "rates": nothing,
    }


def test_coverage(es):
    spans = coverage(es)
    assert spans["contracts"][0] == {
        "name": "F.ESH20",
        "year": 2020,
        "month": 3,
        "expiry": dt.date(2020, 3, 20),
        "bars": 3,
        "first": dt.date(2020, 3, 2),
        "last": dt.date(2020, 3, 4),
    }
    chain = {"expiry": dt.date(2021, 3, 19), "contract": "F.ESH21", "code": "", "calls": 2, "puts": 2}
    assert spans["expirations"][1] == chain
    assert spans["vols"] == {"rows": 24, "first": dt.date(2020, 3, 2), "last": dt.date(2020, 3, 4)}
    assert spans["rates"] == {"rows": 2, "first": dt.date(2020, 3, 2), "last": dt.date(2020, 3, 3)}
    assert last_bar(es) == dt.date(2020, 3, 4)


# -- part loads ---------------------------------------------------------------------------------------------------


def assert_same_values(full, part, since: dt.date):
    """Every session from `since` on: the same sessions, active contracts, quotes and chains, to the last bit."""
    offset = len(full.dates) - len([date for date in full.dates if date >= since])
    mine = len(part.dates) - (len(full.dates) - offset)
    assert part.dates[mine:] == full.dates[offset:]
    for session in range(len(full.dates) - offset):
        ours, theirs = part.active(mine + session), full.active(offset + session)
        assert (ours[0] is None) == (theirs[0] is None)
        if ours[0] is not None:
            assert part.names[ours[0]] == full.names[theirs[0]]
        assert (ours[1] is None) == (theirs[1] is None)
    for number, name in enumerate(part.names):
        other = full.number(name)
        for session in range(len(full.dates) - offset):
            assert _quote(part, number, mine + session) == _quote(full, other, offset + session)


def _quote(market, contract, session):
    try:
        return market.quote(contract, session)
    except Exception as error:
        return str(error)


@pytest.mark.parametrize("since", ["2020-03-02", "2020-03-04", "2020-03-20", "2020-03-21", "2021-01-01"])
def test_part_load_of_a_small_market(since, es):
    since = dt.date.fromisoformat(since)
    part = load_market(es, since=since)
    assert_same_values(load_market(es), part, since)
    assert ("F.ESH20" in part.names) == (since <= dt.date(2020, 3, 20))


def test_contracts_held_past_expiry(es):
    part = load_market(es, since=dt.date(2021, 1, 4), also=["P.ESH20.3050", "F.NONE"])
    assert part.names == ["F.ESH20", "F.ESH21", "P.ESH20.3050", *[n for n in part.names[3:] if "ESH21" in n]]
    assert len(part._vols.vol) == 15
    assert load_market(es, since=dt.date(2021, 1, 4), also=["F.ESH20"]).names[:2] == ["F.ESH20", "F.ESH21"]


def test_part_load_reads_only_late_partitions(es, market_folder):
    for table in ("contracts_bars", "options", "options_data"):
        shutil.rmtree(market_folder / table / "exchangesymbol=ES" / "expiry_year=2020")
    assert len(load_market(es, since=dt.date(2021, 1, 4))._vols.vol) == 12


@pytest.mark.parametrize("since", ["2018-01-17", "2018-02-01", "2018-02-26"])
def test_part_load_of_real_options(since, db):
    import_pack(PACKS / "spx_2018")
    spx = Product.objects.get()
    since = dt.date.fromisoformat(since)
    assert_same_values(load_market(spx), load_market(spx, since=since), since)


# -- real packs ---------------------------------------------------------------------------------------------------


def test_real_futures(db):
    report = import_pack(PACKS / "futures_real", activate=True)
    assert report.rows == {"instruments": 8, "contracts": 349, "contracts_bars": 53387}
    assert not report.warnings
    Product.objects.update(conventions="legacy")
    days = {"ES": 2690, "ZC": 2672, "6E": 2684, "ZN": 2680, "CL": 2682, "NG": 2685, "ZS": 2664, "ZW": 2666}
    assert {p.exchangesymbol: len(sessions(p)) for p in Product.objects.filter(active=True)} == days
    cl = Product.objects.get(exchangesymbol="CL")
    assert np.array_equal(load_market(cl).sessions, sessions(cl))
    assert not import_pack(PACKS / "futures_real").changed_anything


def test_real_options(db):
    import_pack(PACKS / "spx_2018")
    spans = coverage(Product.objects.get())
    assert spans["vols"]["rows"] == 14438
    assert [(row["expiry"], row["calls"]) for row in spans["expirations"]] == [
        (dt.date(2018, 1, 31), 193),
        (dt.date(2018, 2, 28), 182),
    ]


def test_vols_come_sorted(load):
    tables = small_pack()
    tables["options_data"].reverse()
    tables = changed(tables, "options_data", 0, impliedvol="0.3")
    load(tables)
    vols = load_market(Product.objects.get())._vols
    key = vols.option.astype(np.int64) * 100_000 + vols.day
    assert (np.diff(key) > 0).all()
