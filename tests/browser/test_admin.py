"""The two live parts of the admin: the plan that follows the backfill form, help that follows the algorithm."""

import re

from playwright.sync_api import expect

from exo_registry.definitions import sync_series
from exo_registry.models import Run
from tests.runs.markets import import_bars, weekdays

DAYS = weekdays("2019-01-07", 200)


def test_the_plan_follows_the_form_and_start_leads_to_the_run(log_in, root, make_product, make_definition, tmp_path):
    make_product("ES")
    make_definition("ContFut")
    import_bars(tmp_path / "pack", "ES", DAYS)
    sync_series()
    page = log_in("rosa")
    page.goto("/admin/exo_registry/product/")
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_label("Action:").select_option("backfill")
    page.get_by_role("button", name="Go").click()
    expect(page.locator("#plan")).to_contain_text("200 sessions")
    page.get_by_label("From:").fill(str(DAYS[150]))
    page.get_by_label("From:").blur()
    expect(page.locator("#plan")).to_contain_text("50 sessions")
    page.get_by_label("Until:").fill("2018-01-01")
    page.get_by_label("Until:").blur()
    expect(page.locator("#plan")).to_contain_text("Correct the values above")
    expect(page.get_by_role("button", name="Start")).to_be_disabled()
    page.get_by_label("Until:").fill("")
    page.get_by_label("Until:").blur()
    expect(page.locator("#plan")).to_contain_text("50 sessions")
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile(r"/runs/\d+/$"))
    assert Run.objects.get().steps.get().sessions_total == 50


def test_the_table_of_parameters_follows_the_algorithm(log_in, root):
    page = log_in("rosa")
    page.goto("/admin/exo_registry/definition/add/")
    help_text = page.locator("#parameter-help")
    expect(help_text).to_contain_text("Choose an algorithm")
    page.get_by_label("Algorithm:").fill("algorithms.regime_spread.IchimokuSpread")
    expect(help_text).to_contain_text("displacement")
    page.get_by_label("Algorithm:").fill("algorithms.nothing")
    expect(help_text).to_contain_text("Choose an algorithm")


def test_a_mistyped_algorithm_is_put_right_by_a_click(log_in, root):
    page = log_in("rosa")
    page.goto("/admin/exo_registry/definition/add/")
    page.get_by_label("Name:").fill("Future")
    page.get_by_label("Algorithm:").fill("algorithms.continuous_futures.ContinuousFuture")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="algorithms.continuous_future.ContinuousFuture").click()
    expect(page.get_by_label("Algorithm:")).to_have_value("algorithms.continuous_future.ContinuousFuture")
    expect(page.locator("#parameter-help")).to_contain_text("ContinuousFuture")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
