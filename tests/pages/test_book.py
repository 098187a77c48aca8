"""The book: what it shows, and what it says while there is nothing to show."""

import csv

import pytest

from exo_registry.models import Definition, Series
from exo_registry.views import book
from tests.html import attributes, columns, facts, table, texts

from .builders import make_series


def test_without_products_it_says_how_to_import(operator):
    text = operator.get("/").text
    assert "No products yet" in text
    assert "importmarket FOLDER --activate" in text


def test_without_definitions_it_says_to_add_one(viewer, es):
    text = viewer.get("/").text
    assert "no definition yet" in text
    assert "importregistry FILE" in text


def test_the_link_to_the_admin_is_for_those_who_may_add(client, quinn, es):
    client.force_login(quinn)
    assert "/admin/exo_registry/definition/add/" in client.get("/").text


def test_without_series_it_says_why(viewer, make_product):
    make_product("ES", active=False)
    Definition.objects.create(name="ContFut", algorithm="algorithms.continuous_future.ContinuousFuture")
    assert "none of them meet" in viewer.get("/").text


def test_without_points_it_offers_a_backfill(operator, es):
    make_series(es, points=0)
    text = operator.get("/").text
    assert "No series has a point yet" in text
    assert "Backfill all of them" in text
    assert columns(text, "Series", "Value", "Day change", "State") == [("ES_ContFut", "–", "–", "never run")]


def test_a_row_has_value_change_trend_and_state(viewer, contfut):
    text = viewer.get("/").text
    [row] = table(text, "Series")
    names = ("Series", "Definition", "Value", "Day change", "Delta", "Last session")
    assert tuple(row[name] for name in names) == (
        "ES_ContFut",
        "ContFut",
        "144",
        "+2",
        "+0.50",
        contfut.last_date.isoformat(),
    )
    assert row["State"].startswith("stale")
    assert '<span class="gain">+2</span>' in text
    assert 'class="spark"' in text


def test_a_loss_has_its_sign_and_its_own_class(viewer, contfut):
    Series.objects.update(previous_exo=200)
    assert '<span class="loss">−56</span>' in viewer.get("/").text


@pytest.mark.parametrize(
    ("sessions", "suffix"), [(None, ""), (1, ""), (2, " over 2 sessions"), (3, " over 3 sessions")]
)
def test_a_change_over_several_sessions_names_its_span(viewer, contfut, sessions, suffix):
    Series.objects.update(change_sessions=sessions)
    for address in ("/", "/?q=stale", "/products/ES/"):
        assert columns(viewer.get(address).text, "Series", "Day change") == [("ES_ContFut", f"+2{suffix}")], address
    assert facts(viewer.get("/series/ES_ContFut/").text)["Day change"] == f"+1.50{suffix}"
    (listed,) = viewer.get("/api/v1/series/").json()["series"]
    assert (listed["change"], listed["change_sessions"]) == (1.5, sessions)
    (row,) = csv.DictReader(viewer.get("/book.csv").getvalue().decode().splitlines())
    assert (row["Day change"], row["Change sessions"]) == ("1.5", str(sessions or ""))


def test_synthetic_products_are_labelled(viewer, make_product):
    make_series(make_product("DEMO", data_kind="synthetic"))
    make_series(make_product("ES"))
    labelled = '//span[contains(@class, "synthetic")]'
    assert texts(viewer.get("/").text, f"//tr[@class='group'][.{labelled}]//a") == ["DEMO"]
    assert texts(viewer.get("/products/").text, f"//tr[.{labelled}]//a") == ["DEMO"]
    for page, count in (("series/{}_ContFut", 1), ("products/{}", 1)):
        assert len(texts(viewer.get(f"/{page.format('DEMO')}/").text, labelled)) == count
        assert texts(viewer.get(f"/{page.format('ES')}/").text, labelled) == []


def test_rows_are_grouped_by_product(viewer, make_product):
    for symbol in ("ES", "CL"):
        make_series(make_product(symbol))
    assert texts(viewer.get("/").text, "//table[@id='book']/tbody//a") == ["CL", "CL_ContFut", "ES", "ES_ContFut"]


@pytest.mark.parametrize("description", ["<script>alert(1)</script>", "O'Brien & sons"])
def test_descriptions_are_escaped(viewer, make_product, description):
    make_series(make_product("ES", description=description))
    assert description not in viewer.get("/").text


def names(client, query: str = "") -> list[str]:
    """The series that the book shows for a query, in their order."""
    return texts(client.get(f"/?{query}").text, "//table[@id='book']//td[contains(@class, 'name')]/a")


@pytest.fixture
def markets(make_product):
    """Three products with one series each: values 158.5, 128.5 and none."""
    make_series(make_product("ES", description="E-mini S&P 500"), "Spread", points=40)
    make_series(make_product("CL", description="Crude oil", data_kind="synthetic"), "Collar", points=20)
    make_series(make_product("GC", description="Gold"), "Future", points=0)
    Series.objects.exclude(name__in=["ES_Spread", "CL_Collar", "GC_Future"]).delete()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=es_", ["ES_Spread"]),
        ("q=E-MINI", ["ES_Spread"]),
        ("q=collar", ["CL_Collar"]),
        ("q=synthetic", ["CL_Collar"]),
        ("q=never", ["GC_Future"]),
        ("q=stale+oil", ["CL_Collar"]),
        ("q=gold+oil", []),
        ("sort=-value", ["ES_Spread", "CL_Collar", "GC_Future"]),
        ("sort=value", ["CL_Collar", "ES_Spread", "GC_Future"]),
        ("sort=-series", ["GC_Future", "ES_Spread", "CL_Collar"]),
        ("sort=-state", ["GC_Future", "CL_Collar", "ES_Spread"]),
        ("sort=-series&q=o", ["GC_Future", "CL_Collar"]),
        ("sort=nonsense&first=-3", ["CL_Collar", "ES_Spread", "GC_Future"]),
        ("first=99999999999999999999", ["CL_Collar", "ES_Spread", "GC_Future"]),
    ],
)
def test_the_address_filters_and_sorts(viewer, markets, query, shown):
    assert names(viewer, query) == shown


def test_a_filter_that_matches_nothing_says_so_and_offers_all_rows(viewer, markets):
    page = viewer.get("/?q=no+such&sort=-value").text
    assert "No row matches “no such”." in page
    assert "0 of 3 rows" in page
    assert texts(page, "//a[@href='?sort=-value']") == ["Show all rows"]


@pytest.fixture
def small_windows(monkeypatch):
    """The book fetches two rows at a time."""
    monkeypatch.setattr(book, "WINDOW", 2)


@pytest.mark.parametrize("query", ["", "sort=-value", "sort=state", "q=exo", "q=never"])
def test_windows_follow_each_other_without_a_loss(viewer, make_product, small_windows, query):
    for symbol in ("ES", "CL"):
        product = make_product(symbol)
        for exo in ("Exo1", "Exo2", "Exo3"):
            make_series(product, exo, points=0)
    rows, page, pages = [], f"/?{query}", 0
    while page:
        text = viewer.get(page).text
        rows += texts(text, "//td[contains(@class, 'name')]/a")
        following = attributes(text, "//tbody[contains(@class, 'more')]//a", "href")
        page, pages = (f"/{following[0]}" if following else ""), pages + 1
    assert pages == 3
    assert sorted(rows) == sorted(Series.objects.values_list("name", flat=True))


def test_a_window_names_a_product_once(viewer, make_product, small_windows):
    for symbol in ("CL", "ES"):
        product = make_product(symbol)
        for exo in ("Exo1", "Exo2", "Exo3"):
            make_series(product, exo, points=0)
    windows = [viewer.get(f"/?first={first}", headers={"HX-Request": "true"}).text for first in (2, 4)]
    assert [texts(window, "//tr[@class='group']//a") for window in windows] == [["ES"], []]
    assert "<html" not in windows[0]
    assert "Next 2 of 2 more rows" in windows[0]


def test_the_file_has_every_row_that_matches_in_its_order(viewer, markets, small_windows):
    answer = viewer.get("/book.csv?sort=-value")
    header, *rows = csv.reader(answer.getvalue().decode().splitlines())
    assert header == [
        "Series",
        "Definition",
        "Value",
        "Day change",
        "Change sessions",
        "Delta",
        "Last session",
        "State",
        "Data",
    ]
    assert [row[0] for row in rows] == ["ES_Spread", "CL_Collar", "GC_Future"]
    assert rows[0][1:6] == ["Spread", "158.5", "1.5", "1", "0.5"]
    assert rows[2] == ["GC_Future", "Future", "", "", "", "", "", "never run", "quoted"]
    assert len(viewer.get("/book.csv?q=gold").getvalue().splitlines()) == 2
