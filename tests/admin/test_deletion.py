"""Deleting products, definitions and series: what goes is counted, and what would break something is refused."""

import datetime as dt

import pytest
from django.urls import reverse

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Point, Product, Run, Series, Step

from .conftest import ICHIMOKU


def delete_url(row):
    return reverse(f"admin:exo_registry_{row._meta.model_name}_delete", args=[row.pk])


@pytest.fixture
def series(es, make_definition):
    """ES_ContFut with three points."""
    make_definition("ContFut")
    sync_series()
    row = Series.objects.get()
    numbers = dict.fromkeys(
        (
            "exo",
            "delta",
            "nfutures_executed",
            "nfutures_opened",
            "noptions_executed",
            "noptions_opened",
            "costs",
            "gross",
        ),
        0.0,
    )
    days = [dt.date(2020, 1, day) for day in (2, 3, 6)]
    Point.objects.bulk_create(Point(series=row, date=day, is_rollover=False, **numbers) for day in days)
    Series.objects.update(points_count=3, first_date=days[0], last_date=days[-1])
    return row


def everything():
    return (Product.objects.count(), Definition.objects.count(), Series.objects.count(), Point.objects.count())


@pytest.mark.parametrize("model", [Product, Definition])
def test_the_page_counts_what_goes_and_confirming_takes_it_out(browser, series, model):
    row = model.objects.get()
    page = browser.get(delete_url(row)).content.decode()
    assert "Series ES_ContFut: 3 points, 2020-01-02 to 2020-01-06" in page
    assert "Points: 3" in page
    assert browser.post(delete_url(row), {"post": "yes"}).status_code == 302
    assert everything() == (int(model is Definition), int(model is Product), 0, 0)


def test_the_action_on_a_list_counts_in_the_same_way(browser, series):
    data = {"action": "delete_selected", "_selected_action": [series.definition_id]}
    url = reverse("admin:exo_registry_definition_changelist")
    assert "3 points" in browser.post(url, data).content.decode()
    browser.post(url, data | {"post": "yes"})
    assert everything() == (1, 0, 0, 0)


def test_points_need_the_permission_to_delete_series(staff, series):
    client = staff("view_definition", "delete_definition")
    assert "series that hold points" in client.get(delete_url(series.definition)).content.decode()
    assert client.post(delete_url(series.definition), {"post": "yes"}).status_code == 403
    assert everything() == (1, 1, 1, 3)


def refused(browser, row, excerpt):
    before = everything()
    assert excerpt in browser.get(delete_url(row)).content.decode()
    browser.post(delete_url(row), {"post": "yes"})
    assert everything() == before


@pytest.mark.parametrize("what", ["product", "definition", "series"])
def test_what_is_being_computed_is_not_deleted(browser, series, what):
    run = Run.objects.create(kind="backfill", source="shell", status="running")
    Step.objects.create(run=run, series=series, product=series.product, position=0, status="running")
    refused(browser, series if what == "series" else getattr(series, what), "ES_ContFut is being computed")


def test_a_definition_that_another_reads_is_not_deleted(browser, series, make_definition):
    make_definition("Ichi", ICHIMOKU)
    refused(browser, series.definition, "EXO definition Ichi: It reads the series ContFut of ES")


def test_a_product_that_is_a_definitions_only_one_is_not_deleted(browser, series, make_definition, make_product):
    make_definition("Only", products=[series.product])
    make_definition("Both", products=[series.product, make_product("CL")])
    refused(browser, series.product, "EXO definition Only is on ES only, and one without products is on every active")


def test_deleting_a_series_forgets_what_was_computed_and_makes_it_anew(browser, series):
    browser.post(delete_url(series), {"post": "yes"})
    assert everything() == (1, 1, 1, 0)
    fresh = Series.objects.get()
    assert (fresh.name, fresh.points_count) == ("ES_ContFut", 0)
    assert fresh.pk != series.pk


def test_a_series_left_by_a_former_definition_is_gone_for_good(browser, series):
    Definition.objects.update(enabled=False)
    url = reverse("admin:exo_registry_series_changelist")
    browser.post(url, {"action": "delete_selected", "_selected_action": [series.pk], "post": "yes"})
    assert Series.objects.count() == 0
