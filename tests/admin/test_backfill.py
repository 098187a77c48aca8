"""The backfill action: choose rows, see the plan, start the run; and every way in which it is refused."""

import pytest
from django_q.models import OrmQ

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Product, Run, Series, Step
from exo_registry.runs import plan, worker
from tests.html import columns, texts
from tests.runs.markets import import_bars, weekdays

from .conftest import logged_in, messages_of

DAYS = weekdays("2020-01-06", 60)
URLS = {model: f"/admin/exo_registry/{model._meta.model_name}/" for model in (Product, Definition, Series)}


@pytest.fixture
def market(make_product, make_definition, tmp_path):
    """ES and CL with sixty sessions each, and a continuous future on both."""
    for symbol in ("ES", "CL"):
        make_product(symbol)
        import_bars(tmp_path / symbol, symbol, DAYS)
    make_definition("ContFut")
    sync_series()


def act(client, rows, follow=False, **fields):
    """The action on rows of one model; `confirm=1` or `preview=1` as the buttons would."""
    rows = list(rows)
    data = {"action": "backfill", "_selected_action": [row.pk for row in rows], "mode": "missing"} | fields
    return client.post(URLS[type(rows[0])], data, follow=follow)


def planned(response):
    return {item.series.name: (item.action, item.sessions) for item in response.context["plan"].items}


@pytest.mark.parametrize("model", [Product, Definition, Series])
def test_the_action_leads_to_a_page_with_the_plan_and_starts_nothing(browser, market, model):
    response = act(browser, model.objects.all())
    assert response.status_code == 200
    assert planned(response) == {"CL_ContFut": ("backfill", 60), "ES_ContFut": ("backfill", 60)}
    page = response.content.decode()
    assert texts(page, "//p[@class='summary']/strong") == ["2", "120 sessions"]
    assert columns(page, "Series", "Action", "Sessions", "First session", "Last session", "Reason") == [
        (name, "backfill", "60", str(DAYS[0]), str(DAYS[-1]), "first backfill") for name in ("CL_ContFut", "ES_ContFut")
    ]
    assert not Run.objects.exists()


def test_only_what_was_chosen_is_planned(browser, market):
    response = act(browser, Product.objects.filter(exchangesymbol="CL"))
    assert list(planned(response)) == ["CL_ContFut"]
    assert "Backfill CL" in response.content.decode()


def test_series_without_points_start_at_the_first_session_there_is(browser, market):
    form = act(browser, Series.objects.all()).context["form"]
    assert form["start"].value() == str(DAYS[0])


def test_the_preview_follows_the_form(browser, market):
    series = Series.objects.filter(name="ES_ContFut")
    response = act(browser, series, preview="1", start=str(DAYS[50]), until=str(DAYS[54]))
    assert planned(response) == {"ES_ContFut": ("backfill", 5)}
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("fields", "excerpt"),
    [
        ({"start": "soon"}, "not a date: write it as YYYY-MM-DD."),
        (
            {"start": "2020-02-01", "until": "2020-01-01"},
            "2020-01-01 is before the first session asked for",
        ),
        ({"mode": "all"}, "all is not one of the available choices."),
    ],
)
def test_a_bad_form_shows_no_plan_and_starts_nothing(browser, market, fields, excerpt):
    response = act(browser, Series.objects.all(), confirm="1", **fields)
    page = response.content.decode()
    assert excerpt in page
    assert "Correct the values above to see the plan." in page
    assert response.context["plan"] is None
    assert not Run.objects.exists()


def test_what_cannot_be_planned_is_told(browser, market, make_product):
    make_product("NG")
    sync_series()
    response = act(browser, Series.objects.filter(name="NG_ContFut"))
    page = response.content.decode()
    [problem] = texts(page, "//section[@id='plan']/p[@class='problem']")
    assert "NG has no complete session of market data." in problem
    assert 'value="Start" disabled' in page


@pytest.mark.django_db(transaction=True)
def test_confirming_starts_the_run_rings_for_workers_and_leads_to_its_page(root, market):
    browser = logged_in(root)
    response = act(browser, Product.objects.all(), confirm="1", start=str(DAYS[0]))
    run = Run.objects.get()
    assert response.headers["Location"] == run.get_absolute_url()
    assert (run.source, run.user, run.mode, run.start) == ("admin", root, "missing", DAYS[0])
    assert set(run.steps.values_list("series__name", flat=True)) == {"CL_ContFut", "ES_ContFut"}
    assert OrmQ.objects.count() == 2
    for product in Product.objects.all():
        worker.work(run.pk, product.pk)
    assert Series.objects.get(name="ES_ContFut").points_count == 60


def test_a_second_run_of_the_same_series_is_refused_with_a_link(browser, market):
    first = plan.start(plan.make_plan(start=DAYS[0]), source="shell")
    response = act(browser, Series.objects.filter(name="ES_ContFut"), confirm="1", start=str(DAYS[0]))
    assert response.status_code == 200
    assert f"Run {first.pk} is already computing ES_ContFut" in messages_of(response)
    assert f'<a href="{first.get_absolute_url()}">Open run {first.pk}</a>' in messages_of(response)
    assert Run.objects.count() == 1


def test_a_plan_without_work_says_so_and_starts_nothing(browser, market):
    run = plan.start(plan.make_plan(start=DAYS[0]), source="shell")
    for product in Product.objects.all():
        worker.work(run.pk, product.pk)
    response = act(browser, Series.objects.all())
    assert "<strong>Nothing to do:</strong>" in response.content.decode()
    assert 'value="Start" disabled' in response.content.decode()
    response = act(browser, Series.objects.all(), confirm="1")
    assert "Nothing to compute" in messages_of(response)
    assert Run.objects.count() == 1


def test_reset_computes_everything_again(browser, market):
    run = plan.start(plan.make_plan(start=DAYS[0]), source="shell")
    for product in Product.objects.all():
        worker.work(run.pk, product.pk)
    response = act(browser, Series.objects.all(), preview="1", mode="reset", start=str(DAYS[10]))
    assert planned(response) == {"CL_ContFut": ("rebuild", 50), "ES_ContFut": ("rebuild", 50)}


def test_all_rows_of_a_filtered_list_can_be_chosen_at_once(browser, market):
    series = Series.objects.get(name="ES_ContFut")
    url = f"{URLS[Series]}?product__id__exact={series.product_id}"
    data = {"action": "backfill", "_selected_action": [series.pk], "select_across": "1", "index": "0"}
    response = browser.post(url, data)
    assert list(planned(response)) == ["ES_ContFut"]
    assert ("select_across", "1") in response.context["hidden"]
    assert f'action="{url}"' in response.content.decode()


def test_the_action_needs_its_own_permission(staff, market, root):
    client = staff("view_product", "change_product")
    assert "backfill" not in client.get(URLS[Product]).content.decode()
    response = act(client, Product.objects.all(), confirm="1", start=str(DAYS[0]))
    assert response.status_code == 302  # back to the list: there is no such action for them
    assert not Run.objects.exists()


def test_somebody_who_may_only_look_and_start_runs_can_use_it(staff, market):
    client = staff("view_series", "start_run")
    response = act(client, Series.objects.all(), confirm="1", start=str(DAYS[0]))
    assert response.headers["Location"] == Run.objects.get().get_absolute_url()
    assert Step.objects.count() == 2


def test_the_pages_of_rows_have_a_backfill_button(browser, staff, market):
    for model in URLS:
        url = f"{URLS[model]}{model.objects.first().pk}/change/"
        assert '<button type="submit">Backfill</button>' in browser.get(url).content.decode()
    client = staff("view_product")
    url = f"{URLS[Product]}{Product.objects.first().pk}/change/"
    assert "Backfill" not in client.get(url).content.decode()


@pytest.mark.parametrize(("count", "rest"), [(6, ""), (7, " and 1 more"), (9, " and 3 more")])
def test_titles_name_a_few_rows_and_count_the_rest(browser, make_product, count, rest):
    for number in range(count):
        make_product(f"P{number}")
    response = act(browser, Product.objects.all())
    assert response.context["title"] == f"Backfill P0, P1, P2, P3, P4, P5{rest}"
