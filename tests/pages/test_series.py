"""A series' page and its chart data."""

from django.urls import reverse

from exo_registry.models import Definition, Run, Series, Step

from .builders import COLLAR, make_series


def test_it_shows_figures_trades_gaps_and_how_it_is_made(viewer, contfut):
    text = viewer.get("/series/ES_ContFut/").text
    for part in (
        "143.50",
        "+1.50",
        "F.ESH20",
        "150,012.50",
        "F.ESH20 has no bar",
        "2020-01-01",
        "Methodology",
        "Lineage",
    ):
        assert part in text
    assert "algorithms.continuous_future.ContinuousFuture" in text
    assert reverse("api:points", args=["ES_ContFut", "csv"]) in text


def test_the_explanation_and_parameters_come_from_the_algorithm(viewer, es):
    make_series(es, "Collar", algorithm=COLLAR)
    text = viewer.get("/series/ES_Collar/").text
    assert "wing" in text.lower()


def test_an_algorithm_that_is_gone_is_said_not_raised(viewer, contfut):
    Definition.objects.update(algorithm="algorithms.gone.Gone")
    response = viewer.get("/series/ES_ContFut/")
    assert response.status_code == 200
    assert "algorithms.gone" in response.text


def test_an_unknown_name_suggests_the_nearest(viewer, contfut):
    response = viewer.get("/series/ES_ContFutt/")
    assert response.status_code == 404
    assert "There is no series ES_ContFutt" in response.text
    assert '<a href="/series/ES_ContFut/">ES_ContFut</a>' in response.text


def test_without_points_it_offers_a_backfill(operator, es):
    make_series(es, points=0)
    text = operator.get("/series/ES_ContFut/").text
    assert "No points yet" in text
    assert "Backfill ES_ContFut" in text
    assert "chart.js" not in text


def test_without_points_a_viewer_is_told_the_command(viewer, es):
    make_series(es, points=0)
    assert "manage.py runexo ES -E ContFut -B" in viewer.get("/series/ES_ContFut/").text


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
    assert text.count("F.ESH20</td>") == 25
    assert "250, latest first" in viewer.get("/series/ES_ContFut/?trades=all").text


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
