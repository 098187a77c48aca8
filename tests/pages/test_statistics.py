"""Statistics of a series: the block that its page loads after itself."""

import datetime as dt

import pytest

from algorithms.engine.statistics import Performance, YearRow
from exo_registry.views import statistics

from .builders import make_series


@pytest.fixture
def block(viewer, es):
    """`block("?start=…")`: the text of the block of a series with 300 points and two gaps."""
    make_series(es, points=300, gaps=2)

    def block(query: str = "") -> str:
        response = viewer.get(f"/series/ES_ContFut/statistics/{query}")
        assert response.status_code == 200
        return response.text

    return block


def test_the_page_asks_for_it_after_itself(viewer, contfut):
    text = viewer.get("/series/ES_ContFut/").text
    assert 'hx-get="/series/ES_ContFut/statistics/"' in text
    assert "Sharpe" not in text


def test_it_has_key_numbers_definitions_and_months(block):
    text = block()
    for part in (
        "Sharpe",
        "Sortino",
        "Calmar",
        "Hit rate",
        "Turnover",
        "Average holding",
        "Total costs",
        "Definitions",
    ):
        assert part in text
    assert "+548" in text  # 300 points from 100 up by 1.5 each
    assert 'title="Change of exo over the period, net of costs."' in text
    assert '<th scope="row">2020</th>' in text
    assert '<th scope="row">2021</th>' in text


def test_months_have_a_sign_and_are_empty_without_a_point():
    found = Performance(months=[YearRow(2020, [None, 100.0, -40.0, 0.0, *[None] * 8], 60.0)])
    ((year, cells, total),) = statistics.monthly(found)
    assert year == 2020
    assert cells[:4] == [("", "none"), ("+100", "up4"), ("−40", "down2"), ("0", "")]
    assert total.text == "+60"


def test_a_series_without_a_loss_has_no_such_ratios():
    figures = dict(statistics.groups(Performance(points=2, profit=1.0, max_drawdown=0.0), "USD"))
    risk = {one.label: one.text for one in figures["Risk"]}
    assert risk["Sortino"] == risk["Calmar"] == "–"
    drawdown = {one.label: one.text for one in figures["Max drawdown"]}
    assert (drawdown["Amount, USD"], drawdown["Made good"]) == ("0", "–")


def test_a_fall_reads_as_a_loss_and_tells_whether_it_was_made_good():
    found = Performance(max_drawdown=1234.0, peak=dt.date(2020, 1, 2), trough=dt.date(2020, 2, 3))
    drawdown = {one.label: one.text for one in dict(statistics.groups(found, "USD"))["Max drawdown"]}
    assert drawdown["Amount, USD"] == "−1,234"
    assert (drawdown["Peak"], drawdown["Trough"], drawdown["Made good"]) == ("2020-01-02", "2020-02-03", "not yet")


def test_a_capital_of_ones_own_makes_the_returns(block):
    assert "need a capital" in block()
    text = block("?capital=1000")
    assert "+54.9 %" in text
    assert "need a capital" not in text


def test_since_a_date(block):
    text = block("?start=2021-01-01")
    assert '<th scope="row">2020</th>' not in text
    assert '<th scope="row">2021</th>' in text
    assert "No point since 2030-01-01" in block("?start=2030-01-01")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?capital=0", "Capital: must be above zero"),
        ("?capital=x", "Capital: Enter a number."),
        ("?start=yesterday", "Start: Enter a valid date."),
    ],
)
def test_what_makes_no_sense_is_said_in_words(block, query, words):
    text = block(query)
    assert words in text
    assert "Sharpe" not in text


def test_without_points(viewer, es):
    make_series(es, points=0)
    assert "No points yet" in viewer.get("/series/ES_ContFut/statistics/").text


def test_an_unknown_series_has_none(viewer):
    assert viewer.get("/series/ES_ContFut/statistics/").status_code == 404
