"""Series on modelled or synthetic market data are labelled wherever they show."""

import csv
import io
from unittest import mock

import pandas as pd
import pytest
from django.core.management import call_command

from exo_registry.definitions import import_registry
from exo_registry.market import PackErrors, import_pack
from exo_registry.models import Product, Series
from tests.html import columns, texts
from tests.market.packs import changed, small_pack, write_pack

from .builders import make_series
from .test_position import COLLAR, hold

PLACES = {
    "book": "/",
    "book, sorted": "/?sort=-value",
    "series": "/series/MM_Collar/",
    "statistics": "/series/MM_Collar/statistics/",
    "compare": "/compare/?s=MM_Collar",
    "compare, statistics": "/compare/statistics/?s=MM_Collar",
    "product": "/products/MM/",
    "products": "/products/",
    "status": "/status/",
}


@pytest.fixture
def series(make_product) -> Series:
    return make_series(make_product("MM", data_kind="modelled"), "Collar", points=20)


@pytest.mark.parametrize("place", PLACES)
def test_pages_label_what_is_not_quoted(viewer, series, place):
    def labels() -> list[str]:
        marked = '//*[contains(@class, "tag") and contains(@class, "modelled")] | //p[contains(., "Modelled market")]'
        return texts(viewer.get(PLACES[place]).text, marked)

    assert len(labels()) == 1
    assert "modelled" in labels()[0].lower()
    Product.objects.update(data_kind="quoted")
    assert labels() == []


def test_the_book_as_csv_has_a_column_of_it(viewer, series):
    (row,) = csv.DictReader(viewer.get("/book.csv").getvalue().decode().splitlines())
    assert row["Data"] == "modelled"


def test_the_position_in_the_api_has_it(viewer, tmp_path, make_definition):
    tables = changed(small_pack(), "instruments", 0, data_kind="modelled")
    hold(tmp_path, make_definition, "Cover", COLLAR["legs"], tables)
    assert viewer.get("/api/v1/series/ES_Cover/position").json()["data_kind"] == "modelled"


def test_the_book_finds_them(viewer, series, make_product):
    make_series(make_product("ES"))
    assert columns(viewer.get("/?q=modelled").text, "Series") == [("MM_Collar",)]


def test_the_api_names_the_kind(viewer, series):
    (listed,) = viewer.get("/api/v1/series/").json()["series"]
    assert listed["data_kind"] == "modelled"
    for address in ("MM_Collar.json", "MM_Collar/trades.json", "MM_Collar/statistics"):
        assert viewer.get(f"/api/v1/series/{address}").json()["data_kind"] == "modelled"


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_every_export_has_a_header_with_the_kind(viewer, series, form):
    answer = viewer.get(f"/api/v1/series/MM_Collar.{form}")
    assert answer["X-Exoweb-Data-Kind"] == "modelled"
    Product.objects.update(data_kind="quoted")
    again = viewer.get(f"/api/v1/series/MM_Collar.{form}", headers={"if-none-match": answer["ETag"]})
    assert (again.status_code, again["X-Exoweb-Data-Kind"]) == (200, "quoted")


def test_parquet_keeps_the_kind(viewer, series):
    content = viewer.get("/api/v1/series/MM_Collar.parquet").content
    assert pd.read_parquet(io.BytesIO(content)).attrs == {"data_kind": "modelled"}


def test_an_export_in_the_shell_says_so(series, capsys):
    call_command("exportexo", "MM_Collar")
    assert capsys.readouterr().err == "note: MM_Collar is computed from modelled market data.\n"
    Product.objects.update(data_kind="quoted")
    call_command("exportexo", "MM_Collar")
    assert capsys.readouterr().err == ""


def test_a_pack_says_the_kind_and_one_that_does_not_leaves_it(db, tmp_path):
    import_pack(write_pack(tmp_path / "one", changed(small_pack(), "instruments", 0, data_kind="modelled")))
    assert Product.objects.get().data_kind == "modelled"
    assert not import_pack(write_pack(tmp_path / "two", small_pack())).changed_anything
    bad = changed(small_pack(), "instruments", 0, data_kind="real")
    with pytest.raises(PackErrors, match="data_kind = 'real': .*not a valid choice. Use quoted, modelled or synthetic"):
        import_pack(write_pack(tmp_path / "three", bad))


def test_synthetic_data_stays_synthetic(db, tmp_path):
    import_pack(write_pack(tmp_path / "one", changed(small_pack(), "instruments", 0, data_kind="synthetic")))
    with pytest.raises(PackErrors, match="Synthetic data stays synthetic: delete the product"):
        import_pack(write_pack(tmp_path / "two", changed(small_pack(), "instruments", 0, data_kind="quoted")))


@pytest.mark.parametrize(
    ("entry", "kind"),
    [("synthetic: true", "synthetic"), ("synthetic: false", "modelled"), ("data_kind: quoted", "quoted")],
)
def test_registry_files_old_and_new(make_product, entry, kind):
    make_product("ES", data_kind="modelled")
    import_registry(f"products: [{{exchangesymbol: ES, {entry}}}]")
    assert Product.objects.get().data_kind == kind


def test_a_change_of_the_kind_makes_nothing_stale(series):
    from exo_registry.series import lineage

    before = lineage.product_record(series.product)
    with mock.patch.object(series.product, "data_kind", "quoted"):
        assert lineage.product_record(series.product) == before
