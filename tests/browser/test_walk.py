"""The desk's day one, in a browser: add a product and an EXO, backfill, watch, look at the chart."""

import re

from playwright.sync_api import expect

from exo_registry.models import Product, Run
from tests.runs.markets import import_bars, weekdays

DAYS = weekdays("2019-01-07", 500)


def form_is_ready(page, first: str) -> None:
    """The admin moves the focus to a form's first field when the page has loaded; typing starts after that."""
    page.wait_for_load_state("load")
    expect(page.get_by_label(first)).to_be_focused()


def test_from_an_empty_registry_to_a_chart(log_in, root, worker, tmp_path):
    worker()
    page = log_in("rosa")

    page.get_by_role("link", name="Add a product by hand").click()
    form_is_ready(page, "Symbol:")
    page.get_by_label("Symbol:").fill("ES")
    page.get_by_label("Tick size:", exact=True).fill("0.25")
    page.get_by_label("Tick value:", exact=True).fill("12.5")
    page.get_by_label("Active").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    import_bars(tmp_path / "pack", "ES", DAYS)
    assert Product.objects.get().active

    page.goto("/")
    page.get_by_role("link", name="Add a definition").click()
    form_is_ready(page, "Name:")
    page.get_by_label("Name:").fill("ContFut")
    page.get_by_label("Algorithm:").fill("algorithms.continuous_future.ContinuousFuture")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()

    page.goto("/")
    page.get_by_role("link", name="ES_ContFut").click()
    page.get_by_role("link", name="Backfill ES_ContFut").click()
    expect(page.get_by_text("first backfill")).to_be_visible()
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("heading", name=re.compile(r"Run \d+"))).to_be_visible()
    page.get_by_role("link", name="Open the series").wait_for(timeout=90_000)
    expect(page.get_by_text(re.compile(r"\b(\d+) of \1\b")).first).to_be_visible()
    expect(page.locator("#log")).to_contain_text("done")
    assert Run.objects.get().status == "done"

    page.get_by_role("link", name="Open the series").click()
    page.wait_for_selector("#chart[data-drawn]")
    expect(page.locator(".state.fresh, .state.late, .state.history").first).to_be_visible()
