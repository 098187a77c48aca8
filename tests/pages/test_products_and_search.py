"""Product pages and the search."""

import pytest

from tests.runs.markets import import_bars, weekdays

from .builders import make_series


def test_products_without_any_say_how_to_import(viewer):
    assert "importmarket FOLDER --activate" in viewer.get("/products/").text


def test_a_product_without_data_says_how_to_import(viewer, contfut):
    text = viewer.get("/products/ES/").text
    assert "No market data" in text
    assert "ES_ContFut" in text
    assert "a point is worth 50" in text


def test_a_product_with_data_shows_contracts_and_revisions(viewer, es, tmp_path):
    import_bars(tmp_path / "pack", "ES", weekdays("2020-01-06", 40))
    text = viewer.get("/products/ES/").text
    assert "Futures bars" in text
    assert "2020-01-06" in text
    assert "Revisions of the data" in text
    assert "EXOs that need a chain stay flat" in text


def test_an_unknown_symbol_suggests_the_nearest(viewer, es):
    response = viewer.get("/products/EX/")
    assert response.status_code == 404
    assert "/products/ES/" in response.text


@pytest.mark.parametrize("query", ["contfut", "ES_C", "test product"])
def test_search_finds_by_part_of_a_name(viewer, contfut, query):
    make_series(contfut.product, "Other")
    text = viewer.get("/search/", {"q": query}, headers={"hx-request": "true"}).text
    assert "<html" not in text
    assert 'role="option"' in text


def test_search_goes_straight_to_an_exact_name(viewer, contfut):
    assert viewer.get("/search/", {"q": "es"})["Location"] == "/products/ES/"
    assert viewer.get("/search/", {"q": "es_contfut"})["Location"] == "/series/ES_ContFut/"


def test_search_that_finds_nothing_says_so(viewer, contfut):
    assert "Nothing is named like “xyz”" in viewer.get("/search/", {"q": "xyz"}).text
    assert "Nothing is named like “&lt;b&gt;”" in viewer.get("/search/", {"q": "<b>"}).text


def test_an_unknown_address_is_explained(viewer):
    response = viewer.get("/nowhere/")
    assert response.status_code == 404
    assert "/nowhere/ is not a page" in response.text
