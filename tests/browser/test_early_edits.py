"""What a user changes before the page's scripts have come is not lost: what follows the form catches up with it."""

import pytest
from playwright.sync_api import expect

from exo_registry.definitions import sync_series
from exo_registry.models import event_log
from tests.runs.markets import import_bars, weekdays

DAYS = weekdays("2019-01-07", 200)


@pytest.fixture
def es(make_product, make_definition, tmp_path):
    """A product with 200 sessions and a series that was never computed."""
    es = make_product("ES")
    make_definition("ContFut")
    import_bars(tmp_path / "pack", "ES", DAYS)
    sync_series()
    return es


def test_a_date_in_the_admins_backfill_form(log_in, root, es, hold):
    page = log_in("rosa")
    page.goto("/admin/exo_registry/product/")
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_label("Action:").select_option("backfill")
    release = hold("**/admin.js")
    page.get_by_role("button", name="Go").click()
    page.get_by_label("From:").fill(str(DAYS[150]))
    expect(page.locator("#plan")).to_contain_text("200 sessions")
    release()
    expect(page.locator("#plan")).to_contain_text("50 sessions")


def test_a_date_in_the_backfill_form(log_in, root, es, hold):
    page = log_in("rosa")
    release = hold("**/htmx.min.js")
    page.goto("/runs/new/", wait_until="commit")
    page.get_by_label("From").fill(str(DAYS[150]))
    expect(page.locator("#plan")).to_contain_text("200 sessions")
    release()
    expect(page.locator("#plan")).to_contain_text("50 sessions")


def test_the_algorithm_of_a_definition(log_in, root, hold):
    page = log_in("rosa")
    release = hold("**/admin.js")
    page.goto("/admin/exo_registry/definition/add/", wait_until="commit")
    page.get_by_label("Algorithm:").fill("algorithms.regime_spread.IchimokuSpread")
    expect(page.locator("#parameter-help")).to_contain_text("Choose an algorithm")
    release()
    expect(page.locator("#parameter-help")).to_contain_text("displacement")


def test_the_level_of_the_event_log(log_in, root, hold):
    event_log.record("test", "all is well")
    event_log.record("test", "it broke", level="error")
    page = log_in("rosa")
    release = hold("**/htmx.min.js")
    page.goto("/events/", wait_until="commit")
    page.get_by_label("Level").select_option("error")
    expect(page.locator("#events")).to_contain_text("all is well")
    release()
    expect(page.locator("#events")).not_to_contain_text("all is well")
    expect(page.locator("#events")).to_contain_text("it broke")


def test_words_in_the_search_field(log_in, root, es, hold):
    page = log_in("rosa")
    release = hold("**/search.js")
    page.goto("/runs/", wait_until="commit")
    page.get_by_role("combobox", name="Search").fill("contfut")
    release()
    expect(page.get_by_role("option", name="ES_ContFut")).to_be_visible()
