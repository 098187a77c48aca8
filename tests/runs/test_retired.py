"""A series that its definition and product no longer ask for is retired: everywhere, and never late or stale."""

import datetime as dt

import pytest

from exo_registry.models import Run, Series
from exo_registry.operations import status
from exo_registry.runs import due, online, plan
from exo_registry.series.assessment import Assessment, assess_series
from tests.html import table

from .conftest import DAYS, START

pytestmark = pytest.mark.django_db

LATER = dt.datetime.combine(DAYS[105], dt.time(23), tzinfo=dt.UTC)
NO_LONGER_MEANT = "its definition no longer means CL"


@pytest.fixture
def cl(es, make_product, bars, make_definition, compute):
    """CL, with a series of a definition that named ES and CL, and now names ES alone; then bars of CL came."""
    product = make_product("CL")
    bars("CL", DAYS[:100])
    definition = make_definition("ContFut")
    definition.products.set([es, product])
    compute(start=START)
    definition.products.set([es])
    bars("CL", DAYS[100:103])
    bars("CL", DAYS[50:51], change={DAYS[50]: 5.0})
    return product


def assessed(name: str) -> Assessment:
    return assess_series(Series.objects.select_related("definition", "product").get(name=name), LATER)


def change(series: Series, reason: str) -> None:
    """Take what makes `reason` true out of calculation."""
    definition, product = series.definition, series.product
    if reason == "its definition is not enabled":
        definition.enabled = False
        definition.save()
    elif reason == "its product is not active":
        product.active = False
        product.save()
    else:
        series.direction, series.name = "sideways", f"{product}_Sideways"
        series.save()


@pytest.mark.parametrize(
    "reason",
    [
        "its definition is not enabled",
        "its product is not active",
        "its algorithm no longer has the direction 'sideways'",
    ],
)
def test_each_reason_is_given_and_no_run_computes_the_series(es, contfut, compute, bars, reason):
    compute(start=START)
    series = Series.objects.select_related("definition", "product").get()
    change(series, reason)
    bars("ES", DAYS[100:103])
    assert str(assessed(series.name)) == f"retired: {reason}"
    assert not any(product.due for product in due.look(LATER))
    planned = plan.make_plan(series=[series])
    assert planned.items == []
    assert f"{series} is not in calculation: {reason}." in planned.problems


def test_a_product_named_no_more(cl):
    assert str(assessed("CL_ContFut")) == f"retired: {NO_LONGER_MEANT}"
    assert assessed("ES_ContFut").state == "late"
    assert list(Series.objects.in_calculation().values_list("name", flat=True)) == ["ES_ContFut"]


def test_the_plan_and_the_tick_leave_it_alone(cl):
    assert {item.series.name for item in plan.make_plan(mode=Run.Mode.STALE).items} == {"ES_ContFut"}
    problems = plan.make_plan(series=[Series.objects.get(name="CL_ContFut")]).problems
    assert problems == [f"CL_ContFut is not in calculation: {NO_LONGER_MEANT}."]
    online.tick(LATER)
    assert not Run.objects.filter(kind=Run.Kind.ONLINE, steps__series__name="CL_ContFut").exists()


def test_the_pages_the_metrics_and_the_api_say_so(cl, admin_client, settings):
    book = {row["Series"]: row["State"] for row in table(admin_client.get("/").text, "Series") if "State" in row}
    [shown] = [state for name, state in book.items() if name.startswith("CL_ContFut")]
    assert shown == f"retired {NO_LONGER_MEANT}"
    page = admin_client.get("/series/CL_ContFut/").text
    assert '<span class="state retired">retired</span>' in page
    assert NO_LONGER_MEANT in page
    rows = {row["Product"]: row for row in table(admin_client.get("/status/").text, "Product")}
    assert (rows["CL"]["State"], rows["CL"]["Series"], rows["CL"]["Last session"]) == ("retired", "1 retired", "–")
    assert 'exoweb_series{state="retired"} 1.0' in admin_client.get("/metrics").text
    listed = {entry["name"]: entry for entry in admin_client.get("/api/v1/series/").json()["series"]}
    assert (listed["CL_ContFut"]["state"], listed["CL_ContFut"]["why"]) == ("retired", NO_LONGER_MEANT)


def test_it_counts_though_its_product_is_not_active(cl):
    cl.active = False
    cl.save()
    now = status.overview(LATER)
    assert [row.product.exchangesymbol for row in now.products] == ["ES"]
    assert now.states["retired"] == 1
