"""What imports do: idempotence, corrections and the dates they reach back to, crashes, order of writes."""

import copy
import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest

from exo_registry.market import (
    MarketDataError,
    PackErrors,
    coverage,
    import_tables,
    importing,
    load_market,
    sessions,
    store,
)
from exo_registry.models import Event, Product, Revision

from .packs import INSTRUMENT, arrow, changed, small_pack, state

DAY = dt.date(2020, 3, 3)


@pytest.fixture
def es(load):
    load()
    return Product.objects.get(exchangesymbol="ES")


def only(report):
    (product,) = report.products
    return product


def test_first_import(load):
    report = load(activate=True)
    product = Product.objects.get()
    assert (product.exchangesymbol, product.active, product.data_kind) == ("ES", True, "quoted")
    assert product.rollover_months == [3, 6, 9, 12]
    assert product.option_codes == ["^EW$", "^$"]
    assert product.decision_time == dt.time(14, 45)
    es = only(report)
    assert es.created
    assert es.activated
    assert es.added == {
        "contracts": 2,
        "options": 8,
        "contracts_bars": 6,
        "contract_settlements": 6,
        "options_data": 24,
        "riskfreerate": 2,
    }
    assert (es.revision.number, es.revision.rows_added, es.revision.rows_changed) == (1, 48, 0)
    assert es.revision.earliest_change == dt.date(2020, 3, 2)
    assert set(es.revision.versions) == set(es.added)
    assert report.rows["options_data"] == 24
    assert Event.objects.get(kind="import").product == product


def test_products_are_inactive_unless_asked(es):
    assert not es.active


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_importing_again_changes_nothing(form, load, market_folder):
    load()
    before = state(market_folder)
    report = load(form=form)
    assert state(market_folder) == before
    assert not report.changed_anything
    assert Event.objects.count() == 1


def test_activating_later_is_no_market_revision(load):
    load()
    report = load(activate=True)
    assert only(report).activated
    assert Product.objects.get().active
    assert Revision.objects.count() == 1


def test_terms_of_the_product_are_no_market_revision(load):
    load()
    report = load(changed(small_pack(), "instruments", 0, tickvalue="25", description=""))
    assert only(report).fields == ["description", "tickvalue"]
    product = Product.objects.get()
    assert (product.tickvalue, product.description) == (25.0, "")
    assert product.history.count() == 2
    assert Revision.objects.count() == 1


def test_columns_that_a_pack_lacks_stay_as_they_are(load):
    load()
    tables = small_pack()
    tables["instruments"] = [{name: INSTRUMENT[name] for name in ("exchangesymbol", "ticksize", "tickvalue")}]
    for row in tables["options_data"]:
        del row["price"]
    for row in tables["options"]:
        del row["optioncode"]
    assert not load(tables).changed_anything


CORRECTIONS = {
    # A bar: its own date. A settlement: none, so the day after the data. A volatility, a rate: the day after its date.
    "bar": (("contracts_bars", 1, {"close": "2999"}), dt.date(2020, 3, 3)),
    "settlement": (("contract_settlements", 1, {"settlement": "2999"}), dt.date(2020, 3, 5)),
    "volatility": (("options_data", 1, {"impliedvol": "0.26"}), dt.date(2020, 3, 4)),
    "option price": (("options_data", 1, {"price": ""}), dt.date(2020, 3, 4)),
    "rate": (("riskfreerate", 1, {"rate": "0.01"}), dt.date(2020, 3, 4)),
    # A contract's terms: from when the rollover rule could choose it, here within the first contract's last days.
    "first future": (("contracts", 0, {"expirationdate": "2020-03-27"}), dt.date(2020, 3, 2)),
    "second future": (("contracts", 1, {"expirationdate": "2021-03-26"}), dt.date(2020, 3, 18)),
    "strike of the second chain": (("options", 4, {"strikeprice": "3001"}), dt.date(2020, 3, 18)),
    "strike of the first chain": (("options", 0, {"strikeprice": "3001"}), dt.date(2020, 3, 2)),
}


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_correction_raises_the_revision(name, load):
    load()
    (table, row, values), earliest = CORRECTIONS[name]
    report = load(changed(small_pack(), table, row, **values))
    assert only(report).changed == {table: 1}
    revision = Revision.objects.first()
    assert (revision.number, revision.rows_added, revision.rows_changed) == (2, 0, 1)
    assert revision.earliest_change == earliest
    assert not load(changed(small_pack(), table, row, **values)).changed_anything


def test_listing_a_later_contract_leaves_the_past_alone(load):
    load()
    new = dict(small_pack()["contracts"][0], contractname="F.ESM21", year="2021", monthint="6")
    new["expirationdate"] = "2021-06-18"
    load({"contracts": [new]})
    assert Revision.objects.first().earliest_change == dt.date(2021, 3, 17)


def test_a_contract_put_in_between_reaches_back(load):
    load()
    new = dict(small_pack()["contracts"][0], contractname="F.ESF20", monthint="3", expirationdate="2020-03-10")
    load({"contracts": [new]})
    assert Revision.objects.first().earliest_change == dt.date(2020, 3, 2)


def test_a_chain_that_the_rule_never_takes_matters_to_nothing(load):
    load()
    new = [
        dict(option, optionname=f"{option['optionname']}.W", expirationdate="2020-03-13", optioncode="EW1")
        for option in small_pack()["options"][:4]
    ]
    load({"options": new})
    assert Revision.objects.first().earliest_change == dt.date(2020, 3, 5), "the day after the last bar"


def test_a_new_day_touches_only_its_partitions(load, market_folder):
    load()
    before = set(market_folder.rglob("*.parquet"))
    load({"options_data": [{"optionname": "C.ESH21.3000", "date": "2020-03-05", "impliedvol": "0.2"}]})
    written = set(market_folder.rglob("*.parquet")) - before
    assert [path.parent.relative_to(market_folder).as_posix() for path in written] == [
        "options_data/exchangesymbol=ES/expiry_year=2021"
    ]
    assert Revision.objects.first().earliest_change == dt.date(2020, 3, 6)


def test_one_product_leaves_the_other_alone(load):
    load()
    tables = small_pack()
    tables = {
        "instruments": tables["instruments"],
        "contracts": tables["contracts"],
        "riskfreerate": [{"date": "2020-03-02", "rate": "0.5"}],
    }
    tables["instruments"][0]["exchangesymbol"] = "NQ"
    for row in tables["contracts"]:
        row.update(exchangesymbol="NQ", contractname=row["contractname"].replace("ES", "NQ"))
    load(tables)
    assert Revision.objects.filter(product__exchangesymbol="ES").count() == 1
    market = load_market(Product.objects.get(exchangesymbol="ES"))
    assert market._rates.rate.tolist() == [0.014, 0.0125]


def test_an_expiry_moved_to_another_year_takes_its_records_along(load, es):
    tables = small_pack()
    tables["contracts"][0]["expirationdate"] = "2021-01-15"
    tables["options"][0]["expirationdate"] = "2021-01-15"
    load({name: tables[name] for name in ("contracts", "options")})
    market = load_market(es)
    assert dict(zip(market.names, market.expiries, strict=True))["C.ESH20.3000"] == 18642
    bars = {(int(f), int(d)) for f, d in zip(market._bar_bounds[:-1], market._bar_bounds[1:], strict=True)}
    assert bars == {(0, 3), (3, 6)}
    assert len(market._vols.vol) == 24
    since = load_market(es, since=dt.date(2021, 1, 10))
    assert len(since._vols.vol) == 15
    assert not load({name: tables[name] for name in ("contracts", "options")}).changed_anything


CRASHES = ["before any table", "between the tables", "before the database", "in the database"]


def crash(monkeypatch, moment: str) -> None:
    """Make the next import die at a moment, and be unable to clean up after itself, as if its process were killed."""
    calls = 0
    write = store.replace

    def dying(*args):
        nonlocal calls
        calls += 1
        if moment == "before any table" or (moment == "between the tables" and calls == 4):
            raise KeyboardInterrupt
        return write(*args)

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "replace", dying)
    monkeypatch.setattr(store, "undo", lambda *args: None)
    if moment == "before the database":
        monkeypatch.setattr(importing, "_save", die)
    if moment == "in the database":
        monkeypatch.setattr(importing, "record", die)


def correction():
    tables = small_pack()
    for table, column in (("contracts_bars", "close"), ("options_data", "impliedvol"), ("riskfreerate", "rate")):
        for row in tables[table]:
            row[column] = str(float(row[column]) * 1.5)
    tables["options"][0]["strikeprice"] = "2999"
    tables["contracts"][0]["monthint"] = "6"
    return tables


def content(product):
    market = load_market(product)
    return (
        market.names,
        market._bar_close.tolist(),
        market._vols.vol.tolist(),
        market._rates.rate.tolist(),
        market._options.strike.tolist(),
        market._futures.month.tolist(),
    )


@pytest.mark.parametrize("moment", CRASHES)
def test_a_killed_import_is_never_seen(moment, load, es, monkeypatch):
    before = content(es)
    with monkeypatch.context() as patch:
        crash(patch, moment)
        with pytest.raises(KeyboardInterrupt):
            load(correction())
    assert content(es) == before
    assert Revision.objects.count() == 1
    assert not load().changed_anything, "what is there is still what the first pack said"
    load({"riskfreerate": [{"exchangesymbol": "ES", "date": "2020-03-05", "rate": "0.01"}]})
    assert content(es)[:3] == before[:3], "the next import did not bring the half-written one to light"
    assert content(es)[4:] == before[4:]
    assert content(es)[3] == [*before[3], 0.01]


@pytest.mark.parametrize("moment", CRASHES)
def test_a_killed_first_import_leaves_nothing(moment, load, monkeypatch):
    with monkeypatch.context() as patch:
        crash(patch, moment)
        with pytest.raises(KeyboardInterrupt):
            load(correction())
    assert not Product.objects.exists()
    load({"instruments": small_pack()["instruments"], "contracts": small_pack()["contracts"]})
    es = Product.objects.get()
    assert coverage(es)["vols"]["rows"] == 0
    assert load_market(es).names == ["F.ESH20", "F.ESH21"]
    load()
    assert content(es)[3] == [0.014, 0.0125]


def test_an_import_that_fails_cleans_up(load, es, market_folder, monkeypatch):
    """Other readers of the tables (pandas, DuckDB) open the newest version: it holds what was there before."""
    from deltalake import DeltaTable

    before = set(DeltaTable(str(market_folder / "options_data")).file_uris())
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_save", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            load(correction())
    assert set(DeltaTable(str(market_folder / "options_data")).file_uris()) == before


def test_a_product_that_comes_back_starts_empty(load, es):
    es.delete()
    load({"instruments": small_pack()["instruments"], "contracts": small_pack()["contracts"][:1]})
    es = Product.objects.get()
    assert es.revisions.get().number == 1
    assert load_market(es).names == ["F.ESH20"]
    assert sessions(es).size == 0


def test_an_import_that_finds_another_one_finished(load, es, monkeypatch):
    """If the lock did not hold them apart, the second to finish is refused."""
    real = store.Snapshot.current()
    snapshots = iter([real, replace(real, revision=real.revision + 1)])
    monkeypatch.setattr(store.Snapshot, "current", lambda: next(snapshots))
    with pytest.raises(MarketDataError, match="another import changed the market data meanwhile; import again"):
        load(correction())


def test_tables_from_elsewhere(db):
    tables = {name: arrow(rows) for name, rows in small_pack().items()}
    report = import_tables(tables, source="mongodb://host/db")
    assert Revision.objects.get().source == report.source == "mongodb://host/db"
    with pytest.raises(ValueError, match="no such tables: trades; there are instruments"):
        import_tables({"trades": pa.table({})}, source="x")
    bad = copy.deepcopy(small_pack())["contracts_bars"]
    bad[0]["close"] = "-1e10"
    with pytest.raises(PackErrors, match="contracts_bars, row 1, close = -10000000000.0: is no price"):
        import_tables({"contracts_bars": arrow(bad)}, source="x")


def test_no_market_data(make_product):
    with pytest.raises(MarketDataError, match="ES has no market data; load it with: manage.py importmarket FOLDER"):
        load_market(make_product("ES"))
