"""No page asks the database more than its budget, however many rows it shows."""

import json
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exo_registry.models import Run, Step

from .builders import make_series

BUDGETS = json.loads(Path(__file__).with_name("query_budgets.json").read_text())


def fill(make_product, products: int, exos: int) -> Run:
    """Series P0_E0 and on, each with a few points and a step of one run."""
    run = Run.objects.create(kind="backfill", source="shell", status="done")
    for i in range(products):
        product = make_product(f"P{i}")
        for j in range(exos):
            series = make_series(product, f"E{j}", points=12, gaps=1)
            Step.objects.create(run=run, series=series, product=product, position=0, status="done")
    return run


def queries(client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    assert response.status_code == 200
    return len(captured)


@pytest.mark.parametrize("page", BUDGETS)
def test_a_page_keeps_its_budget(viewer, make_product, page):
    run = fill(make_product, 2, 2)
    address = page.format(run=run.pk)
    viewer.get(address)  # the first request also fills the caches
    assert queries(viewer, address) <= BUDGETS[page]


@pytest.mark.parametrize("page", ["/", "/products/", "/runs/", "/status/", "/metrics", "/api/v1/series/"])
def test_two_hundred_series_cost_as_many_queries_as_one(viewer, make_product, page):
    fill(make_product, 1, 1)
    viewer.get(page)
    queries_of_one = queries(viewer, page)
    for i in range(1, 21):
        product = make_product(f"P{i}")
        for j in range(10):
            make_series(product, f"E{j}", points=2)
    assert queries(viewer, page) == queries_of_one
