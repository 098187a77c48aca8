"""Product pages and the search."""

import pytest

from exo_registry.models import Definition
from tests.html import columns, facts, table, texts
from tests.runs.markets import import_bars, weekdays

from .builders import make_series


def test_products_without_any_say_how_to_import(viewer):
    assert "importmarket FOLDER --activate" in viewer.get("/products/").text


def test_a_product_without_data_says_how_to_import(viewer, contfut):
    text = viewer.get("/products/ES/").text
    assert "No market data" in text
    assert columns(text, "Series", "First session", "Last session", "Gaps") == [
        ("ES_ContFut", "2020-01-01", "2020-02-11", "2")
    ]
    assert facts(text)["Future"] == "tick 0.25 worth 12.5; a point is worth 50"


def test_a_product_with_data_shows_contracts_and_revisions(viewer, es, tmp_path):
    import_bars(tmp_path / "pack", "ES", weekdays("2020-01-06", 40))
    text = viewer.get("/products/ES/").text
    assert columns(text, "Table", "Rows", "From", "To")[:2] == [
        ("Futures bars", "135", "2020-01-06", "2020-02-28"),
        ("Futures settlements", "0", "–", "–"),
    ]
    first = table(text, "Future")[-1]
    assert (first["Future"], first["Expiry"], first["Bars"]) == ("ES202001", "2020-01-20", "11")
    assert columns(text, "Revision", "Rows added", "Rows changed", "Earliest change") == [
        ("1", "140", "0", "2020-01-06")
    ]
    assert "strategies that need an option chain stay flat" in text


@pytest.mark.parametrize("conventions", ["standard", "legacy"])
def test_a_product_says_where_its_rules_and_its_data_do_not_fit(viewer, make_product, tmp_path, conventions):
    """Bars on Good Friday, 2020-04-10."""
    make_product("ES", calendar="CMES", conventions=conventions)
    import_bars(tmp_path / "pack", "ES", weekdays("2020-03-02", 40))
    text = viewer.get("/products/ES/").text
    advice = (
        "ES has bars at its decision time on a day that the calendar CMES does not expect, such as 2020-04-10: they "
        "make no session. Correct the calendar if the exchange was open."
    )
    assert (advice in texts(text, "//p[@class='note warning']")) == (conventions == "standard")
    assert facts(text)["Conventions"].startswith(conventions)


def test_an_unknown_symbol_suggests_the_nearest(viewer, es):
    response = viewer.get("/products/EX/")
    assert response.status_code == 404
    assert "/products/ES/" in response.text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("contfut", ["ContFut", "ES_ContFut"]),
        ("ES_C", ["ES_ContFut"]),
        ("test product", ["ES"]),
        ("oth", ["Other", "ES_Other"]),
    ],
)
def test_search_finds_by_part_of_a_name(viewer, contfut, query, names):
    make_series(contfut.product, "Other")
    answer = viewer.get("/search/", {"q": query}, headers={"hx-request": "true"})
    assert "<html" not in answer.text
    assert [hit.name for hit in answer.context["hits"]] == names
    assert answer.text.count('role="option"') == len(names)


def test_the_exact_name_comes_first_then_those_that_begin_with_the_query(viewer, make_product):
    for symbol in ("AZN", "ZN2"):
        make_product(symbol)
    Definition.objects.create(name="Zn", algorithm="algorithms.continuous_future.ContinuousFuture")
    hits = viewer.get("/search/", {"q": "zn"}, headers={"hx-request": "true"}).context["hits"]
    assert [hit.name for hit in hits] == ["Zn", "ZN2", "AZN"]


@pytest.mark.parametrize(("count", "shown"), [(8, 8), (9, 8)])
def test_the_field_shows_eight_results_of_a_kind(viewer, db, count, shown):
    for number in range(count):
        Definition.objects.create(name=f"Exo{number}", algorithm="algorithms.continuous_future.ContinuousFuture")
    in_field = viewer.get("/search/", {"q": "exo"}, headers={"hx-request": "true"})
    assert len(in_field.context["hits"]) == shown
    assert len(viewer.get("/search/", {"q": "exo"}).context["hits"]) == count


def test_search_goes_straight_to_an_exact_name(viewer, contfut):
    assert viewer.get("/search/", {"q": "es"})["Location"] == "/products/ES/"
    assert viewer.get("/search/", {"q": "es_contfut"})["Location"] == "/series/ES_ContFut/"


def test_search_that_finds_nothing_says_so(viewer, contfut):
    assert "No results for “xyz”" in viewer.get("/search/", {"q": "xyz"}).text
    assert "No results for “&lt;b&gt;”" in viewer.get("/search/", {"q": "<b>"}).text


def test_an_unknown_address_is_explained(viewer):
    response = viewer.get("/nowhere/")
    assert response.status_code == 404
    assert "/nowhere/ is not a page" in response.text
