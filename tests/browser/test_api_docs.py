"""The page of the API: it lists the operations, and sends requests with the log-in of the page."""

import json

from playwright.sync_api import expect


def test_an_operation_is_read_and_one_that_writes_is_tried_with_the_log_in(log_in, olga, make_product):
    make_product("ES")
    page = log_in("olga")
    page.locator("summary", has_text="olga").click()
    page.get_by_role("link", name="API", exact=True).click()
    operation = page.locator("#operations-runs-post_runs")
    expect(page.locator(".opblock")).to_have_count(16)
    expect(operation).to_contain_text("Plan a run, and start it")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea").fill(json.dumps({"products": ["ES"], "dry_run": True}))
    operation.get_by_role("button", name="Execute").click()
    response = operation.locator(".live-responses-table .response")
    expect(response.locator(".response-col_status")).to_contain_text("200")
    expect(response).to_contain_text('"plan"')


def test_the_page_goes_dark_with_the_others(log_in, vera):
    page = log_in("vera")
    page.goto("/api/v1/docs/")
    expect(page.locator(".opblock").first).to_be_visible()
    was_dark = page.locator("html.dark-mode").count()
    page.locator("#theme").click()
    expect(page.locator("html.dark-mode")).to_have_count(1 - was_dark)
