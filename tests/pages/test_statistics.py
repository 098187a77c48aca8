"""Statistics of a series: the block that its page loads after itself."""

import datetime as dt

import pytest

from algorithms.analysis.statistics import Performance, YearRow
from exo_registry.views import statistics
from tests.html import columns, facts, table

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
    figures = facts(text)
    assert figures["Profit, USD"] == "+548"  # 300 points: 100 on the first day, then 1.5 each
    assert figures["Trades"] == figures["Contracts"] == "30"
    assert (figures["Hit rate"], figures["In the market"], figures["Total costs, USD"]) == ("100.0 %", "100.0 %", "0")
    assert {"Sharpe", "Sortino", "Calmar", "Turnover a year", "Average holding"} <= figures.keys()
    assert 'title="Change of exo over the period, net of costs."' in text
    newest, first = table(text, "Jan")
    assert (newest["Year"], first["Year"]) == ("2021", "2020")
    assert first["Jan"] == "+133"  # 22 further sessions after the first value of 100
    assert (newest["Feb"], newest["Year 2"]) == ("+26", "+57")
    assert newest["Mar"] == ""


def test_months_have_a_sign_and_are_empty_without_a_point():
    computed = Performance(months=[YearRow(2020, [None, 100.0, -40.0, 0.0, *[None] * 8], 60.0)])
    ((year, cells, total),) = statistics.monthly(computed)
    assert year == 2020
    assert cells[:4] == [("", "none"), ("+100", "up4"), ("−40", "down2"), ("0", "")]
    assert total.text == "+60"


def test_a_series_without_a_loss_has_no_such_ratios():
    figures = dict(statistics.groups(Performance(points=2, profit=1.0, max_drawdown=0.0), "USD"))
    risk = {figure.label: figure.text for figure in figures["Risk"]}
    assert risk["Sortino"] == risk["Calmar"] == "–"
    drawdown = {figure.label: figure.text for figure in figures["Max drawdown"]}
    assert (drawdown["Amount, USD"], drawdown["Made good"]) == ("0", "–")


def test_a_fall_reads_as_a_loss_and_tells_whether_it_was_made_good():
    computed = Performance(max_drawdown=1234.0, peak=dt.date(2020, 1, 2), trough=dt.date(2020, 2, 3))
    drawdown = {figure.label: figure.text for figure in dict(statistics.groups(computed, "USD"))["Max drawdown"]}
    assert drawdown["Amount, USD"] == "−1,234"
    assert (drawdown["Peak"], drawdown["Trough"], drawdown["Made good"]) == ("2020-01-02", "2020-02-03", "not yet")


def test_a_capital_of_ones_own_makes_the_returns(block):
    assert "need a capital" in block()
    text = block("?capital=1000")
    assert facts(text)["Return on capital"] == "+54.9 %"
    assert facts(text)["Capital used, USD"] == "1,000"
    assert "need a capital" not in text


def test_since_a_date(block):
    assert columns(block("?start=2021-01-01"), "Year", "Jan") == [("2021", "+32")]
    assert "No point since 2030-01-01" in block("?start=2030-01-01")


@pytest.mark.parametrize(
    ("query", "excerpt"),
    [
        ("?capital=0", "Capital: must be above zero"),
        ("?capital=x", "Capital: Enter a number."),
        ("?start=yesterday", "Start: not a date: write it as YYYY-MM-DD."),
    ],
)
def test_what_makes_no_sense_is_said_in_words(block, query, excerpt):
    text = block(query)
    assert excerpt in text
    assert "Sharpe" not in text


def test_without_points(viewer, es):
    make_series(es, points=0)
    assert "No points yet" in viewer.get("/series/ES_ContFut/statistics/").text


def test_an_unknown_series_has_none(viewer):
    assert viewer.get("/series/ES_ContFut/statistics/").status_code == 404
