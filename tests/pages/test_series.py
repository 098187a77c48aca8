"""A series' page and its chart data."""

import pytest
from django.urls import reverse

from exo_registry.models import Definition, Gap, Run, Series, Step, Trade
from tests.html import attributes, columns, facts, table, texts
from tests.runs.markets import import_bars

from .builders import COLLAR, make_series, weekdays


def test_it_shows_figures_trades_gaps_and_how_it_is_made(viewer, contfut):
    text = viewer.get("/series/ES_ContFut/").text
    figures = facts(text)
    shown = ("Value, USD", "Day change", "Delta", "Points", "Gaps", "Market data")
    assert [figures[name] for name in shown] == ["143.50", "+1.50", "+0.50", "30", "2", "revision 1"]
    days = weekdays(32)
    trade = ("F.ESH20", "+1", "3,000.25", "150,012.50", "open")
    assert columns(text, "Date", "Contract", "Quantity", "Price", "Value, USD", "Reason") == [
        (str(day), *trade) for day in (days[20], days[10], days[0])
    ]
    assert columns(text, "Session", "Reason") == [(str(day), "F.ESH20 has no bar") for day in (days[31], days[30])]
    assert columns(text, "Parameter", "Value") == [("legs", "+1 F")]
    assert "algorithms.continuous_future.ContinuousFuture" in texts(text, "//p/code")
    assert reverse("api:points", args=["ES_ContFut", "csv"]) in text


def test_the_explanation_and_parameters_come_from_the_algorithm(viewer, es):
    make_series(es, "Collar", algorithm=COLLAR)
    text = viewer.get("/series/ES_Collar/").text
    [explanation] = texts(text, "//p[@class='prose']")
    assert explanation.startswith("A collar with a second, further option")
    assert [row["Parameter"] for row in table(text, "Parameter")] == ["bullish", "bearish"]


def test_an_algorithm_that_is_gone_is_said_not_raised(viewer, contfut):
    Definition.objects.update(algorithm="algorithms.gone.Gone")
    response = viewer.get("/series/ES_ContFut/")
    assert response.status_code == 200
    [error] = texts(response.text, "//p[contains(@class, 'note error')]")
    assert "there is no module algorithms.gone" in error


def test_an_unknown_name_suggests_the_nearest(viewer, contfut):
    response = viewer.get("/series/ES_ContFutt/")
    assert response.status_code == 404
    assert "There is no series ES_ContFutt" in response.text
    assert '<a href="/series/ES_ContFut/">ES_ContFut</a>' in response.text


@pytest.fixture
def market(es, tmp_path):
    """Market data of ES."""
    import_bars(tmp_path / "pack", "ES", weekdays(40))


def test_without_points_it_offers_a_backfill(operator, es, market):
    make_series(es, points=0)
    text = operator.get("/series/ES_ContFut/").text
    assert "No points yet" in text
    assert "Backfill ES_ContFut" in text
    assert "chart.js" not in text


def test_without_market_data_it_says_so(operator, es):
    make_series(es, points=0)
    text = operator.get("/series/ES_ContFut/").text
    assert "ES has no market data yet." in text
    assert "Backfill ES_ContFut" not in text


def test_without_points_a_viewer_is_told_the_command(viewer, es, market):
    make_series(es, points=0)
    assert "manage.py runexo ES -E ContFut -B" in viewer.get("/series/ES_ContFut/").text


@pytest.mark.parametrize("points", [0, 60])
def test_a_series_that_failed_says_where_and_why_and_can_be_retried(operator, es, points):
    series = make_series(es, points=points)
    run = Run.objects.create(kind="backfill", source="page", status="failed")
    error = "ContFut failed on 2020-01-08: ValueError: <oh>"
    Step.objects.create(run=run, series=series, product=es, position=0, status="failed", error=error)
    response = operator.get("/series/ES_ContFut/")
    assert response.context["failure"].run == run
    assert f'<a href="/runs/{run.pk}/">Run {run.pk}</a> failed' in response.text
    assert "ValueError: &lt;oh&gt;" in response.text
    assert attributes(response.text, '//div[@class="head"]//form', "action") == [reverse("run-retry", args=[run.pk])]
    assert "No points yet" not in response.text
    assert "/runs/new/" not in response.text
    operator.post(reverse("run-retry", args=[run.pk]))
    assert "failed" not in operator.get("/series/ES_ContFut/").context["row"].state


def test_without_the_right_to_retry_there_is_no_retry(viewer, es):
    series = make_series(es, points=0)
    run = Run.objects.create(kind="backfill", source="page", status="failed")
    Step.objects.create(run=run, series=series, product=es, position=0, status="failed", error="oh")
    text = viewer.get("/series/ES_ContFut/").text
    assert f'<a href="/runs/{run.pk}/">Run {run.pk}</a> failed' in text
    assert reverse("run-retry", args=[run.pk]) not in text


def test_a_run_at_work_takes_the_place_of_the_action(operator, contfut):
    run = Run.objects.create(kind="backfill", source="page")
    Step.objects.create(run=run, series=contfut, product=contfut.product, position=0, status="running")
    text = operator.get("/series/ES_ContFut/").text
    assert f"Run {run.pk} is running" in text
    assert "/runs/new/?series=ES_ContFut" not in text


def test_many_trades_are_cut_and_can_be_had_in_full(viewer, es):
    make_series(es, points=2500)
    text = viewer.get("/series/ES_ContFut/").text
    assert "latest 25 of 250" in text
    assert '<a class="button" href="?trades=all#trades-panel">Show all 250</a>' in text
    days = [str(day) for day in weekdays(2500)[::-1][9::10]]
    assert [row["Date"] for row in table(text, "Contract")] == days[:25]
    everything = viewer.get("/series/ES_ContFut/?trades=all").text
    assert "250, latest first" in everything
    assert [row["Date"] for row in table(everything, "Contract")] == days


@pytest.mark.parametrize(("count", "cut"), [(25, False), (26, True)])
def test_up_to_25_trades_are_shown_at_once(viewer, es, count, cut):
    series = make_series(es, points=10)
    Trade.objects.all().delete()
    terms = {"contract": "F.ESH20", "qty": 1, "price": 1.0, "value": 50.0}
    Trade.objects.bulk_create(
        Trade(series=series, date=series.last_date, number=number, **terms) for number in range(count)
    )
    answer = viewer.get("/series/ES_ContFut/")
    assert answer.context["all_trades"] is not cut
    assert len(table(answer.text, "Contract")) == 25
    assert ("Show all 26" in answer.text) is cut


@pytest.mark.parametrize("count", [200, 201])
def test_the_latest_200_gaps_are_shown(viewer, es, count):
    series = make_series(es, points=10)
    days = weekdays(10 + count)[10:]
    Gap.objects.bulk_create(Gap(series=series, date=day, reason="no bar") for day in days)
    Series.objects.update(gaps_count=count)
    text = viewer.get("/series/ES_ContFut/").text
    assert [row["Session"] for row in table(text, "Session")] == [str(day) for day in days[::-1][:200]]
    assert ("latest 200 shown" in text) == (count > 200)


def test_chart_data_has_points_trades_and_gaps(viewer, contfut):
    data = viewer.get("/series/ES_ContFut/chart.json").json()
    assert data["points"]["date"][0] == "2020-01-01"
    assert data["points"]["exo"][:2] == [100, 101.5]
    assert data["trades"] == {"2020-01-01": 1, "2020-01-15": 1, "2020-01-29": 1}
    assert list(data["gaps"].values()) == ["F.ESH20 has no bar"] * 2


def test_chart_data_is_sent_once(viewer, contfut):
    first = viewer.get("/series/ES_ContFut/chart.json")
    again = viewer.get("/series/ES_ContFut/chart.json", headers={"if-none-match": first["ETag"]})
    assert again.status_code == 304
    Series.objects.update(generation=2)
    changed = viewer.get("/series/ES_ContFut/chart.json", headers={"if-none-match": first["ETag"]})
    assert changed.status_code == 200


def test_the_page_preloads_the_address_that_the_chart_reads(viewer, contfut):
    text = viewer.get("/series/ES_ContFut/").text
    assert '<link rel="preload" as="fetch" href="/series/ES_ContFut/chart.json" crossorigin>' in text
    assert 'data-url="/series/ES_ContFut/chart.json"' in text
