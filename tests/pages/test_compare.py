"""Series side by side."""

import pytest

from .builders import make_series


@pytest.fixture
def two(make_product):
    make_series(make_product("ES"), points=300)
    make_series(make_product("CL", currency="EUR"), points=200)


def test_without_series_it_says_what_to_do(viewer, es):
    assert "Backfill some first" in viewer.get("/compare/").text
    make_series(es)
    text = viewer.get("/compare/").text
    assert "Choose the series to compare" in text
    assert '<option value="ES_ContFut">' in text
    assert "compare.js" not in text


def test_series_keep_the_order_of_the_address_and_can_be_removed(viewer, two):
    text = viewer.get("/compare/?s=ES_ContFut&s=CL_ContFut&s=ES_ContFut").text
    assert "2 series" in text
    assert text.index('data-series="ES_ContFut" data-line="1"') < text.index('data-series="CL_ContFut" data-line="2"')
    assert 'href="/compare/?s=CL_ContFut" aria-label="Remove ES_ContFut"' in text
    assert "Each in its own currency (EUR, USD), not converted." in text
    assert " style=" not in text


def test_an_unknown_name_suggests_the_nearest(viewer, two):
    text = viewer.get("/compare/?s=ES_ContFut&s=CL_Contfutt").text
    assert "There is no series CL_Contfutt with points." in text
    assert '<a href="?s=ES_ContFut&amp;s=CL_ContFut">CL_ContFut</a>' in text


def test_more_than_can_be_told_apart_are_left_out(viewer, es):
    for i in range(7):
        make_series(es, f"E{i}", points=5)
    text = viewer.get("/compare/?" + "&".join(f"s=ES_E{i}" for i in range(7))).text
    assert "Left out: ES_E6." in text
    assert "At most 6 at a time" in text


def test_statistics_stand_side_by_side_over_the_common_sessions(viewer, two):
    text = viewer.get("/compare/statistics/?s=ES_ContFut&s=CL_ContFut").text
    assert "Since 2020-01-01, the first session that all of them have" in text
    for part in ("Sharpe", "ES_ContFut", "CL_ContFut", "+548", "+398"):
        assert part in text
    assert "No series with points" in viewer.get("/compare/statistics/?s=gone").text


def test_a_series_page_leads_here(viewer, contfut):
    assert 'href="/compare/?s=ES_ContFut"' in viewer.get("/series/ES_ContFut/").text
