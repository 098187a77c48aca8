"""The lists: a bounded number of queries, search, filters and links; and what can be done to runs from theirs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Product, Run, Series, Status, Step

from .conftest import logged_in, messages_of

MODELS = ("product", "definition", "series", "run", "step", "event")
BUDGET = 18


def listing(model):
    return reverse(f"admin:exo_registry_{model}_changelist")


def queries(client, url):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_one(browser, fill, model):
    fill(1)
    few = queries(browser, listing(model))
    fill_more(fill)
    many = queries(browser, listing(model))
    assert many <= few + 1, (few, many)
    assert many <= BUDGET


def fill_more(fill):
    Product.objects.all().delete()
    Definition.objects.all().delete()
    Run.objects.all().delete()
    fill(50)


@pytest.mark.parametrize("model", ["product", "definition", "series", "run", "step"])
def test_a_page_of_one_row_takes_few_queries(browser, fill, model):
    fill(5)
    row = browser.get(listing(model)).context["cl"].result_list[0]
    assert queries(browser, reverse(f"admin:exo_registry_{model}_change", args=[row.pk])) <= BUDGET


@pytest.mark.parametrize(
    ("model", "query", "count"),
    [
        ("product", "q=P3", 1),
        ("product", "q=Test+product", 5),
        ("product", "active__exact=0", 0),
        ("definition", "q=D2", 1),
        ("definition", "q=P2", 1),
        ("definition", "enabled__exact=1", 5),
        ("series", "q=P1_", 1),
        ("series", "q=D1", 1),
        ("run", "q=P4_D4", 1),
        ("run", "status__exact=done", 5),
        ("run", "kind__exact=online", 0),
        ("step", "q=P0_D0", 1),
        ("step", "status__exact=failed", 0),
        ("event", "q=Done", 5),
        ("event", "level__exact=error", 0),
        ("event", "q=P2_", 1),
    ],
)
def test_lists_are_searched_and_filtered(browser, fill, model, query, count):
    fill(5)
    response = browser.get(f"{listing(model)}?{query}")
    assert response.status_code == 200
    assert response.context["cl"].result_count == count


def test_lists_link_to_the_pages_that_users_look_at(browser, fill):
    fill(1)
    run = Run.objects.get()
    products = browser.get(listing("product")).content.decode()
    assert 'href="/products/P0/"' in products
    assert f'href="{run.get_absolute_url()}"' in products
    series = browser.get(listing("series")).content.decode()
    assert 'href="/series/P0_D0/"' in series
    assert 'href="/products/P0/"' in series
    runs = browser.get(listing("run")).content.decode()
    assert f'href="{run.get_absolute_url()}"' in runs
    definitions = browser.get(listing("definition")).content.decode()
    assert f"{listing('series')}?definition__id__exact=" in definitions
    page = browser.get(reverse("admin:exo_registry_run_change", args=[run.pk])).content.decode()
    assert 'href="/series/P0_D0/"' in page


def test_counts_of_a_run_are_those_of_its_steps_even_in_a_search(browser, fill):
    fill(2)
    first, other = Series.objects.all()
    run = Run.objects.filter(steps__series=first).get()
    Step.objects.create(run=run, series=other, product=other.product, position=1, status="failed", sessions_total=7)
    row = browser.get(f"{listing('run')}?q=P").context["cl"].result_list.get(pk=run.pk)
    assert (row.steps_total, row.steps_failed, row.sessions_total) == (2, 1, 7)


@pytest.fixture
def active_run(es, make_definition):
    make_definition("ContFut")
    sync_series()
    series = Series.objects.get()
    run = Run.objects.create(kind="backfill", source="shell")
    Step.objects.create(run=run, series=series, product=es, position=0)
    return run


def test_an_operator_cancels_a_run_from_the_list(olga, active_run):
    data = {"action": "cancel_runs", "_selected_action": [active_run.pk]}
    response = logged_in(olga).post(listing("run"), data, follow=True)
    assert f"Run {active_run.pk}: cancelled." in messages_of(response)
    active_run.refresh_from_db()
    assert active_run.status == Status.CANCELLED
    response = logged_in(olga).post(listing("run"), data, follow=True)
    assert "None of these runs is active" in messages_of(response)


def test_an_operator_takes_up_again_what_failed(olga, active_run):
    Step.objects.update(status=Status.FAILED)
    Run.objects.update(status=Status.FAILED)
    data = {"action": "retry_failed", "_selected_action": [active_run.pk]}
    response = logged_in(olga).post(listing("run"), data, follow=True)
    assert "1 step waits to be computed again." in messages_of(response)
    assert Step.objects.get().status == Status.WAITING
    response = logged_in(olga).post(listing("run"), data, follow=True)
    assert "No failed steps could be retried." in messages_of(response)
