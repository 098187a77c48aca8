"""Series side by side."""

import datetime as dt

import pytest

from exo_registry.models import Series
from exo_registry.views.compare import MOST
from tests.html import attributes, table, texts

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
    answer = viewer.get("/compare/?s=ES_ContFut&s=CL_ContFut&s=ES_ContFut")
    text = answer.text
    assert [(line.series.name, line.number, line.without) for line in answer.context["chosen"]] == [
        ("ES_ContFut", 1, "/compare/?s=CL_ContFut"),
        ("CL_ContFut", 2, "/compare/?s=ES_ContFut"),
    ]
    assert text.index('data-series="ES_ContFut" data-line="1"') < text.index('data-series="CL_ContFut" data-line="2"')
    assert 'href="/compare/?s=CL_ContFut" aria-label="Remove ES_ContFut"' in text
    assert "Each in its own currency (EUR, USD), not converted." in text
    assert " style=" not in text


def test_an_unknown_name_suggests_the_nearest(viewer, two):
    text = viewer.get("/compare/?s=ES_ContFut&s=CL_Contfutt").text
    assert "There is no series CL_Contfutt with points." in text
    assert '<a href="?s=ES_ContFut&amp;s=CL_ContFut">CL_ContFut</a>' in text


@pytest.mark.parametrize(("count", "left_out"), [(6, []), (7, ["ES_E6"])])
def test_more_than_can_be_told_apart_are_left_out(viewer, es, count, left_out):
    for i in range(count):
        make_series(es, f"E{i}", points=5)
    query = "&".join(f"s=ES_E{i}" for i in range(count))
    answer = viewer.get(f"/compare/?{query}")
    assert MOST == 6
    assert [line.series.name for line in answer.context["chosen"]] == [f"ES_E{i}" for i in range(6)]
    assert [series.name for series in answer.context["left_out"]] == left_out
    assert ("Left out: ES_E6." in answer.text) == bool(left_out)
    assert len(viewer.get(f"/compare/statistics/?{query}").context["series"]) == 6


def side_by_side(viewer, query: str) -> dict[str, list[str]]:
    """The figures of each series by their name."""
    rows = [list(row.values()) for row in table(viewer.get(f"/compare/statistics/?{query}").text, "")]
    return {name: figures for name, *figures in rows}


def test_statistics_stand_side_by_side(viewer, two):
    figures = side_by_side(viewer, "s=ES_ContFut&s=CL_ContFut")
    assert figures["Profit"] == ["+548", "+398"]
    assert figures["Trades"] == ["30", "20"]
    assert len(figures["Sharpe"]) == 2
    assert side_by_side(viewer, "s=CL_ContFut&s=ES_ContFut")["Profit"] == ["+398", "+548"]
    assert "No series with points" in viewer.get("/compare/statistics/?s=gone").text


def test_a_comparison_starts_with_the_first_session_that_all_have(viewer, two):
    """ES loses its first fifty points, so that CL is looked at from there, too; 1.5 a session."""
    es = Series.objects.get(name="ES_ContFut")
    start = es.points.order_by("date")[50].date
    es.points.filter(date__lt=start).delete()
    Series.objects.filter(pk=es.pk).update(first_date=start)
    answer = viewer.get("/compare/statistics/?s=ES_ContFut&s=CL_ContFut")
    assert answer.context["start"] == start > dt.date(2020, 1, 1)
    assert [excerpt.partition(",")[0] for excerpt in texts(answer.text, "//p")] == [f"Since {start}"]
    assert side_by_side(viewer, "s=ES_ContFut&s=CL_ContFut")["Profit"] == ["+548", "+225"]
    assert side_by_side(viewer, "s=CL_ContFut")["Profit"] == ["+398"]


def test_statistics_are_of_the_range_that_is_asked_for(viewer, two):
    """1.5 a session; a period starts from the point before it."""
    es, both = "s=ES_ContFut", "s=ES_ContFut&s=CL_ContFut"
    assert side_by_side(viewer, f"{es}&from=2020-02-03&to=2020-02-07")["Profit"] == ["+8"]
    assert side_by_side(viewer, f"{both}&from=2020-02-03&to=2020-02-03")["Profit"] == ["+2", "+2"]
    assert side_by_side(viewer, f"{both}&from=&to=")["Profit"] == ["+548", "+398"]
    assert side_by_side(viewer, f"{es}&to=2020-01-01")["Profit"] == ["+100"]
    assert side_by_side(viewer, f"{es}&from=2030-01-01")["Profit"] == ["–"]
    text = viewer.get(f"/compare/statistics/?{es}&from=2020-02-03&to=2020-02-07").text
    assert texts(text, "//p")[0].startswith("Since 2020-02-03, to 2020-02-07; each on its own capital")
    refused = viewer.get(f"/compare/statistics/?{es}&from=soon").text
    assert texts(refused, "//p") == ["From: not a date: write it as YYYY-MM-DD."]


def test_the_page_asks_for_the_statistics_of_the_range_in_its_address(viewer, two):
    text = viewer.get("/compare/?s=ES_ContFut&from=2020-02-03&to=2020-02-07").text
    assert attributes(text, "//form[@id='shown-range']/input", "value") == ["2020-02-03", "2020-02-07"]
    assert attributes(text, "//*[@id='compare-statistics']", "hx-include") == ["#shown-range"]


def test_a_series_page_leads_here(viewer, contfut):
    assert 'href="/compare/?s=ES_ContFut"' in viewer.get("/series/ES_ContFut/").text
