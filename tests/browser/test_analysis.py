"""What a user does with one series, and with several: statistics, position, what-if, comparison."""

import re

from playwright.sync_api import expect

from exo_registry.models import Series
from tests.pages.builders import make_series
from tests.pages.test_position import COLLAR, hold

TEN_YEARS = 2600


def test_statistics_position_and_a_what_if(log_in, vera, tmp_path, make_definition):
    hold(tmp_path, make_definition, "Cover", COLLAR["legs"])
    page = log_in("vera")
    page.goto("/series/ES_Cover/")
    expect(page.get_by_role("region", name="Contracts held")).to_contain_text("P.ESH20.3000")
    expect(page.get_by_role("region", name="Profit and loss by month")).to_contain_text("2020")
    curve = page.locator("#payoff polyline.day")
    before = curve.get_attribute("points")
    page.get_by_label("After").fill("10")
    page.locator("#what-if").get_by_label("Price").fill("-30")
    expect(page.get_by_text("10 days after 2020-03-04")).to_be_visible()
    expect(curve).not_to_have_attribute("points", before)
    expect(page.locator("#what-if").get_by_label("Price")).to_be_focused()
    page.get_by_role("button", name="Reset").click()
    expect(curve).to_have_attribute("points", before)
    page.get_by_label("After").fill("-1")
    expect(page.get_by_text("Days ahead: Ensure this value is greater than or equal to 0.")).to_be_visible()


def test_statistics_since_a_date_on_a_capital(log_in, vera, make_product):
    make_series(make_product("ES"), points=TEN_YEARS)
    page = log_in("vera")
    page.goto("/series/ES_ContFut/")
    months = page.get_by_role("region", name="Profit and loss by month")
    expect(months).to_contain_text("2020")
    page.get_by_label("Since").fill("2022-01-03")
    expect(months).not_to_contain_text("2020")
    page.get_by_label("Capital, USD").fill("1000")
    page.get_by_label("Capital, USD").press("Enter")
    expect(page.locator("#statistics")).to_contain_text("Return on capital")
    page.get_by_role("button", name="Whole series, default capital").click()
    expect(months).to_contain_text("2020")


def test_a_chart_that_failed_can_be_tried_again(log_in, vera, make_product, page):
    make_series(make_product("ES"), points=300)
    log_in("vera")
    page.route("**/chart.json", lambda route: route.fulfill(status=200, body="{", content_type="application/json"))
    page.goto("/series/ES_ContFut/")
    expect(page.get_by_text("The answer of the server was cut off.")).to_be_visible()
    page.unroute("**/chart.json")
    page.locator("#chart").get_by_role("button", name="Try again").click()
    page.wait_for_selector("#chart[data-drawn]")
    expect(page.locator(".chart-note")).to_be_hidden()


def test_the_chart_names_the_span_of_a_change_over_a_gap(log_in, vera, make_product):
    series = make_series(make_product("ES"), points=300)
    *_, gap, last = series.points.order_by("date").values_list("date", flat=True)
    page = log_in("vera")
    page.goto("/series/ES_ContFut/")
    page.wait_for_selector("#chart[data-drawn]")
    legend = page.locator(".legend", has_text="Value")
    expect(legend).to_contain_text(f"{last}Value 548.50+1.50")
    series.points.filter(date=gap).delete()
    series.gaps.create(date=gap, reason="no bar")
    Series.objects.update(generation=2, gaps_count=1, change_sessions=2)
    page.reload()
    page.wait_for_selector("#chart[data-drawn]")
    expect(legend).to_contain_text("+3.00over 2 sessions")
    expect(page.locator(".figures").first).to_contain_text("over 2 sessions")
    page.set_viewport_size({"width": 390, "height": 800})
    for address in ("/", "/series/ES_ContFut/"):
        page.goto(address)
        expect(page.get_by_text("over 2 sessions").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_series_are_compared_scaled_added_and_removed(log_in, vera, make_product):
    for symbol, points in (("ES", TEN_YEARS), ("CL", 300)):
        make_series(make_product(symbol), points=points)
    page = log_in("vera")
    page.goto("/series/ES_ContFut/")
    page.get_by_role("link", name="Compare").last.click()
    page.get_by_label("Add a series").fill("CL_ContFut")
    page.get_by_role("button", name="Add").click()
    page.wait_for_selector("#chart[data-drawn]")
    expect(page.locator("output[data-of=CL_ContFut]")).to_have_text("549")
    page.get_by_role("button", name="Change").click()
    expect(page.locator("output[data-of=CL_ContFut]")).to_have_text("449")
    page.wait_for_url("**scale=change**")
    expect(page.get_by_role("region", name="Statistics side by side")).to_contain_text("Sharpe")
    whole = page.get_by_text("Since 2020-01-01, the first session that all of them have;")
    expect(whole).to_be_visible()
    page.get_by_role("button", name="1Y").click()
    expect(page.get_by_text(re.compile(r"Since\s+2028-12-\d\d,\s+to 2029-12-"))).to_be_visible()
    page.get_by_role("button", name="All").click()
    expect(whole).to_be_visible()
    page.get_by_role("link", name="Remove ES_ContFut").click()
    page.wait_for_url(re.compile(r"/compare/\?s=CL_ContFut$"))
