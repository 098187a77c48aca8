"""Statistics of a series: the block that its page loads after itself."""

import datetime as dt

import pytest

from algorithms.analysis.statistics import DayChange, Performance, YearRow
from exo_registry.models import Definition
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
    (line,) = statistics.monthly(computed)
    assert line.year == 2020
    assert line.cells[:4] == [("", "none"), ("+100", "up4"), ("−40", "down2"), ("0", "")]
    assert line.total.text == "+60"


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
    assert facts(text)["Capital, USD"] == "1,000 as given above"
    assert columns(text, "Year", "Capital", "Return") == [("2021", "1,000", "+5.7 %"), ("2020", "1,000", "+49.1 %")]
    assert "need a capital" not in text


def test_a_declared_capital_makes_the_returns_unless_another_is_given(block):
    Definition.objects.update(capital=2000.0)
    declared = facts(block())
    assert (declared["Return on capital"], declared["Capital, USD"]) == ("+27.4 %", "2,000 declared")
    assert facts(block("?capital=1000"))["Capital, USD"] == "1,000 as given above"


def test_a_notional_is_named_with_its_year():
    months = [YearRow(2019, [], 1.0, 1500.0, 0.1), YearRow(2020, [], 2.0, 1800.0, 0.2), YearRow(2021, [], 0.0)]
    computed = Performance(capital=1800.0, capital_basis="notional", months=months)
    capital = {figure.label: figure for figure in dict(statistics.groups(computed))["Return"]}["Capital"]
    assert (capital.text, capital.note) == ("1,800", "notional, start of 2020")
    assert [(line.capital, line.total_return) for line in statistics.monthly(computed)] == [
        ("–", "–"),
        ("1,800", "+20.0 %"),
        ("1,500", "+10.0 %"),
    ]


@pytest.mark.parametrize(("sessions", "note"), [(1, "2020-03-16"), (2, "2020-03-16 over 2 sessions")])
def test_a_worst_change_names_its_span(sessions, note):
    computed = Performance(worst=DayChange(dt.date(2020, 3, 16), -500.0, sessions))
    worst = {figure.label: figure for figure in dict(statistics.groups(computed))["Sessions"]}["Worst"]
    assert (worst.text, worst.note) == ("−500", note)


def test_changes_over_gaps_and_older_bars_are_shown(viewer, es):
    series = make_series(es, points=20)
    gap, after = series.points.order_by("date").values_list("date", flat=True)[10:12]
    series.points.filter(date=gap).delete()
    series.gaps.create(date=gap, reason="no bar")
    series.points.filter(date=after).update(stale_days=1)
    text = viewer.get("/series/ES_ContFut/statistics/").text
    figures = facts(text)
    assert (figures["On older bars"], figures["Oldest bar"]) == ("1", "1 day")
    assert figures["Best"] == f"+3 {after} over 2 sessions"
    assert "1 change is over more than one session." in text


def test_since_a_date(block):
    assert columns(block("?start=2021-01-01"), "Year", "Jan") == [("2021", "+32")]
    assert "No point since 2030-01-01" in block("?start=2030-01-01")


@pytest.mark.parametrize(
    ("query", "excerpt"),
    [
        ("?capital=0", "Capital: Must be above zero."),
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
