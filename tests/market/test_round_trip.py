"""Export, then import: nothing changes, in any form; and into an empty store, the same market."""

import datetime as dt

import pyarrow as pa
import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exo_registry.market import MarketDataError, export_pack, import_pack, import_tables, load_market
from exo_registry.models import Product, Revision

from .packs import arrow, changed, small_pack

FORMS = ["csv", "csv.gz", "parquet"]


def market_of(symbol: str) -> tuple:
    market = load_market(Product.objects.get(exchangesymbol=symbol))
    return (
        market.rules,
        market.names,
        market.expiries,
        market._bar_instant.tolist(),
        market._bar_close.tolist(),
        market._options.code.tolist(),
        market._vols.day.tolist(),
        market._vols.vol.tolist(),
        market._rates.rate.tolist(),
    )


def nq_pack():
    tables = changed(small_pack(), "instruments", 0, exchangesymbol="NQ")
    for row in tables["contracts"]:
        row.update(exchangesymbol="NQ", contractname=row["contractname"].replace("ES", "NQ"))
    return {"instruments": tables["instruments"], "contracts": tables["contracts"]}


@pytest.mark.parametrize("form", FORMS)
def test_round_trip(form, load, tmp_path, settings):
    load()
    load(nq_pack())  # a product without rates beside one that has them
    rows = export_pack(["ES", "NQ"], tmp_path / "out", form=form)
    assert rows == {
        "instruments": 2,
        "contracts": 4,
        "options": 8,
        "contracts_bars": 6,
        "contract_settlements": 6,
        "options_data": 24,
        "riskfreerate": 2,
    }
    assert not import_pack(tmp_path / "out").changed_anything
    market = market_of("ES")
    Product.objects.all().delete()
    settings.MARKET_DATA_URI = str(tmp_path / "other")
    import_pack(tmp_path / "out")
    assert market_of("ES") == market


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dates", ["dates", "times", "both"])
def test_dates_and_times_of_bars_stay_what_they_are(form, dates, load, tmp_path):
    tables = small_pack()
    if dates != "dates":
        for row in tables["contracts_bars"][:: 2 if dates == "both" else 1]:
            row["datetime"] += "T14:40:00"
    load(tables)
    export_pack(["ES"], tmp_path / "out", form=form)
    assert not import_pack(tmp_path / "out").changed_anything


prices = st.floats(1e-5, 1e6, allow_subnormal=False)
vols = st.floats(1e-4, 4.9)
days = st.dates(dt.date(2019, 1, 1), dt.date(2020, 3, 19))
times = st.none() | st.times().map(lambda time: time.replace(microsecond=0))
bars = st.dictionaries(st.tuples(st.sampled_from(["F.ESH20", "F.ESH21"]), days, times), prices, min_size=1, max_size=20)
records = st.dictionaries(
    st.tuples(st.sampled_from(["C.ESH20.3000", "P.ESH21.3050"]), days),
    st.tuples(vols, st.none() | prices),
    max_size=20,
)
descriptions = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=20)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(bars=bars, records=records, description=descriptions | st.just("00"))
@pytest.mark.parametrize("form", FORMS)
def test_random_packs(form, bars, records, description, db, tmp_path_factory, settings):
    """Every number to the last bit, every text to the last character."""
    Product.objects.all().delete()
    folder = tmp_path_factory.mktemp("pack")
    settings.MARKET_DATA_URI = str(folder / "market")
    tables = {name: arrow(rows) for name, rows in small_pack().items()}
    place = tables["instruments"].column_names.index("description")
    text = pa.array([description], pa.string())  # a text also where it looks like a number
    tables["instruments"] = tables["instruments"].set_column(place, "description", text)
    utc = dt.UTC
    tables["contracts_bars"] = pa.table(
        {
            "contractname": [name for name, _, _ in bars],
            "datetime": [
                str(day) if time is None else dt.datetime.combine(day, time, utc).isoformat() for _, day, time in bars
            ],
            "close": list(bars.values()),
        }
    )
    if records:
        tables["options_data"] = pa.table(
            {
                "optionname": [name for name, _ in records],
                "date": [day for _, day in records],
                "impliedvol": [vol for vol, _ in records.values()],
                "price": pa.array([price for _, price in records.values()], pa.float64()),
            }
        )
    import_tables(tables, source="random")
    export_pack(["ES"], folder / "out", form=form)
    assert not import_pack(folder / "out").changed_anything
    assert Revision.objects.count() == 1
    assert Product.objects.get().description == description
    market = market_of("ES")
    assert sorted(market[4]) == sorted(bars.values())
    Product.objects.all().delete()
    settings.MARKET_DATA_URI = str(folder / "other")
    import_pack(folder / "out")
    assert market_of("ES") == market


def test_what_cannot_be_exported(load, tmp_path):
    load()
    with pytest.raises(MarketDataError, match="no such product: XX"):
        export_pack(["ES", "XX"], tmp_path / "out")
    with pytest.raises(MarketDataError, match="'xlsx' is no form of a pack; use csv, csv.gz, parquet"):
        export_pack(["ES"], tmp_path / "out", form="xlsx")
    Product.objects.update(option_codes=["^E W$"])
    with pytest.raises(MarketDataError, match=r"ES: option code '\^E W\$' is blank or has a space in it"):
        export_pack(["ES"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    Product.objects.update(option_codes=[])
    export_pack(["ES"], tmp_path / "out")
    with pytest.raises(MarketDataError, match="is there already; export into an empty folder"):
        export_pack(["ES"], tmp_path / "out", form="csv")


def test_commands(load, tmp_path, capsys):
    load()
    call_command("exportmarket", "ES", output=tmp_path / "out", format="csv")
    assert "options_data.csv: 24 rows" in capsys.readouterr().out
    call_command("importmarket", tmp_path / "out")
    assert "49 rows read; nothing new in them." in capsys.readouterr().out.replace("\n", " ")
