"""What only a browser can tell: the chart, the tables' tools, the search field, themes and widths."""

import csv

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from exo_registry.models import Run, Status, Step
from exo_registry.views import book
from tests.pages.builders import make_series, weekdays

TEN_YEARS = 2600


@pytest.fixture
def series(make_product):
    """Ten years of ES_ContFut, with three gaps."""
    return make_series(make_product("ES", description="E-mini"), points=TEN_YEARS, gaps=3)


def test_from_log_in_over_the_book_to_a_chart(log_in, vera, series, capsys):
    page = log_in("vera")
    page.get_by_role("link", name="ES_ContFut").click()
    page.wait_for_selector("#chart[data-drawn]")
    page.reload()  # as a user meets it: files in the cache, server awake
    drawn = page.wait_for_selector("#chart[data-drawn]").get_attribute("data-drawn")
    with capsys.disabled():
        print(f"\n  chart of {TEN_YEARS} points drawn {drawn} ms after navigation")
    for text in ("Value 3,998.50", "Drawdown 0.00", "Delta +0.50"):
        expect(page.locator(".legend", has_text=text)).to_be_visible()
    assert page.locator("#chart canvas").count() >= 6
    expect(page.get_by_role("link", name="TradingView")).to_be_visible()


def test_the_range_is_kept_in_the_address(log_in, vera, series):
    page = log_in("vera")
    page.goto("/series/ES_ContFut/?from=2022-03-01&to=2022-06-30")
    expect(page.locator("#range-change")).to_have_text("+130.50")
    page.get_by_role("button", name="1Y").click()
    expect(page.get_by_role("button", name="1Y")).to_have_attribute("aria-pressed", "true")
    last = series.last_session
    year = [day for day in weekdays(TEN_YEARS + 3) if day >= last.replace(year=last.year - 1)]
    page.wait_for_url(lambda url: f"from={year[0]}" in url and f"to={last}" in url)
    page.reload()
    page.wait_for_selector("#chart[data-drawn]")
    expect(page.get_by_role("button", name="1Y")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="All").click()
    page.wait_for_url(lambda url: "from=" not in url)


def test_log_scale_is_for_positive_values_only(log_in, vera, series):
    page = log_in("vera")
    page.goto("/series/ES_ContFut/")
    button = page.get_by_role("button", name="Log", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    series.points.filter(date="2020-01-02").update(exo=-1)
    type(series).objects.update(generation=2)
    page.reload()
    expect(button).to_be_disabled()


def test_a_chart_without_data_says_why(log_in, vera, series, page):
    log_in("vera")
    page.route("**/chart.json", lambda route: route.fulfill(status=200, body="{}", content_type="text/html"))
    page.goto("/series/ES_ContFut/")
    expect(page.locator("#chart[data-failed] .chart-note")).to_be_visible()


def test_the_book_filters_sorts_and_remembers(log_in, vera, series, make_product):
    make_series(make_product("CL"), points=5)
    page = log_in("vera")
    rows = page.locator("#book tbody tr:not(.group):visible")
    expect(rows).to_have_count(2)
    page.get_by_label("Filter the book").fill("e-mini")
    expect(rows).to_have_count(1)
    expect(page.get_by_text("1 of 2 rows")).to_be_visible()
    assert "q=e-mini" in page.url
    page.get_by_label("Filter the book").fill("no such thing")
    expect(page.get_by_text("No row matches “no such thing”.")).to_be_visible()
    page.get_by_role("link", name="Show all rows").click()
    expect(rows).to_have_count(2)
    expect(page.get_by_text("No row matches")).to_be_hidden()
    page.get_by_label("Filter the book").fill("e-mini")
    expect(rows).to_have_count(1)
    page.get_by_label("Filter the book").press("Escape")
    expect(rows).to_have_count(2)
    value = page.get_by_role("link", name="Value")
    value.press("Enter")
    expect(rows.first).to_contain_text("ES_ContFut")
    expect(value).to_be_focused()
    value.press("Enter")
    expect(rows.first).to_contain_text("CL_ContFut")
    page.reload()
    expect(rows.first).to_contain_text("CL_ContFut")


def test_the_book_fetches_more_rows_on_the_way_down(log_in, vera, make_product):
    product = make_product("ES")
    for number in range(book.WINDOW + 3):
        make_series(product, f"Exo{number:03}", points=0)
    page = log_in("vera")
    rows = page.locator("#book tbody tr:not(.group) .name")
    expect(rows).to_have_count(book.WINDOW)
    page.get_by_role("link", name="Next 3 of 3 more rows").focus()
    expect(rows).to_have_count(book.WINDOW + 3)
    expect(rows.nth(book.WINDOW).get_by_role("link")).to_be_focused()
    expect(page.locator("#book tr.group")).to_have_count(1)


def test_the_book_goes_to_csv(log_in, vera, series):
    page = log_in("vera")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    header, row = download.value.path().read_text().splitlines()
    assert header == "Series,Definition,Value,Day change,Change sessions,Delta,Last session,State,Data"
    assert row.startswith("ES_ContFut,ContFut,3998.5,1.5,1,0.5,2029-12-")


def test_a_table_goes_to_csv_without_formulas(log_in, vera, django_user_model):
    names = ["=1+1", "@SUM(A1)", "'+x", "plain"]
    for name in names:
        Run.objects.create(kind="backfill", source="page", user=django_user_model.objects.create_user(name))
    page = log_in("vera")
    page.goto("/runs/")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().open(newline="")))
    by = [row["By"] for row in reversed(rows)]
    assert by == ["'=1+1 (page)", "'@SUM(A1) (page)", "''+x (page)", "plain (page)"]


def test_a_slash_focuses_the_search_and_enter_opens(log_in, vera, series):
    page = log_in("vera")
    page.keyboard.press("/")
    page.keyboard.type("es_con")
    expect(page.get_by_role("option", name="ES_ContFut")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/series/ES_ContFut/")


def test_enter_opens_what_the_text_finds_not_what_its_beginning_found(log_in, vera, series):
    """Results come a moment after each key; the product ES, first among those for "es", is none for "es_con"."""
    page = log_in("vera")
    page.keyboard.press("/")
    page.keyboard.type("es")
    expect(page.get_by_role("option").first).to_have_attribute("href", "/products/ES/")
    page.keyboard.type("_con")
    page.keyboard.press("Enter")
    page.wait_for_url("**/series/ES_ContFut/")


def test_dark_or_light_is_remembered(log_in, vera):
    page = log_in("vera")
    page.get_by_role("button", name="Switch to dark colours").click()
    page.goto("/runs/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    expect(page.get_by_role("button", name="Switch to light colours")).to_be_visible()


def test_no_page_is_wider_than_a_phone(log_in, root, series):
    page = log_in("rosa")
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("/", "/series/ES_ContFut/", "/products/", "/products/ES/", "/runs/", "/runs/new/", "/search/?q=o"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address


def test_the_progress_of_a_run_keeps_what_the_user_has_opened_and_focused(log_in, root, series):
    run = Run.objects.create(status=Status.RUNNING, started=timezone.now())
    step = Step.objects.create(
        run=run, series=series, product=series.product, position=0, status=Status.RUNNING, warnings=["2020-03-09: thin"]
    )
    page = log_in("rosa")
    page.goto(f"/runs/{run.pk}/")
    page.get_by_text("1 warning").click()
    page.get_by_role("button", name="Cancel").focus()
    step.sessions_done = step.sessions_total = 40
    step.save()
    expect(page.get_by_role("cell", name="40 of 40")).to_be_visible()  # the next answer has come
    expect(page.get_by_text("2020-03-09: thin")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    Run.objects.update(status=Status.DONE, finished=timezone.now())
