"""Loading the demonstration: into an empty registry, again, a day later, and beside real products."""

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from exo_registry import demo
from exo_registry.models import Definition, Product, Revision, Series
from exo_registry.runs import plan

FRIDAY, MONDAY = dt.date(2018, 6, 29), dt.date(2018, 7, 2)

pytestmark = pytest.mark.django_db


@pytest.fixture
def at(time_machine):
    """`at(day)`: from now on it is noon of that day."""
    return lambda day: time_machine.move_to(dt.datetime.combine(day, dt.time(12), dt.UTC), tick=False)


def loaddemo(**options) -> str:
    out = StringIO()
    call_command("loaddemo", stdout=out, **options)
    return out.getvalue()


def test_an_empty_registry_gets_products_and_exos_labelled_synthetic(at):
    at(FRIDAY)
    assert demo.wanted()
    assert "2018-01-02 to 2018-06-28" in loaddemo()
    assert not demo.wanted()
    assert set(demo.symbols()) == set(Product.objects.values_list("exchangesymbol", flat=True))
    assert all(product.is_synthetic and product.active for product in Product.objects.all())
    assert all("Synthetic" in product.description for product in Product.objects.all())
    for product in Product.objects.all():
        product.full_clean()
    assert {"XES_ContFut", "XCL_BearishCollarBW", "X6E_PutSpread"} <= set(Series.objects.values_list("name", flat=True))


def test_again_changes_nothing(at):
    at(FRIDAY)
    loaddemo()
    before = [list(model.objects.values_list()) for model in (Product, Definition, Series, Revision)]
    loaddemo(verbosity=2)
    assert [list(model.objects.values_list()) for model in (Product, Definition, Series, Revision)] == before


def test_what_a_person_changed_stays(at):
    at(FRIDAY)
    loaddemo()
    Product.objects.filter(exchangesymbol="XCL").update(cost_future=9.0)
    Definition.objects.filter(name="Spread").update(notes="mine")
    loaddemo()
    assert Product.objects.get(exchangesymbol="XCL").cost_future == 9.0
    assert Definition.objects.get(name="Spread").notes == "mine"


def test_next_day_adds_the_newest_session(at):
    at(FRIDAY)
    loaddemo()
    at(MONDAY)
    assert demo.wanted()
    loaddemo()
    assert not demo.wanted()
    assert set(Revision.objects.filter(number=2).values_list("earliest_change", flat=True)) <= {
        dt.date(2018, 6, 29), dt.date(2018, 6, 30), dt.date(2018, 7, 1), dt.date(2018, 7, 2)
    }  # fmt: skip
    assert Revision.objects.filter(rows_changed__gt=0).count() == 0


def test_its_series_compute_without_failures_and_nearly_without_gaps(at):
    at(dt.date(2018, 12, 31))
    loaddemo()
    assert demo.missing().plan().total_sessions > 240 * Series.objects.count()
    out = StringIO()
    call_command("runexo", *demo.symbols(), backfill="2018-01-02", stdout=out)
    assert not demo.missing().plan().work
    for series in Series.objects.all():
        assert series.points_count > 240, series
        assert series.gaps_count < 10, series
    assert not plan.make_plan(start=demo.START).work


def test_a_real_product_is_never_touched(at, make_product):
    at(FRIDAY)
    real = make_product("XCL", description="Real crude")
    assert not demo.wanted()
    with pytest.raises(CommandError, match="XCL: a product of this name is there"):
        loaddemo()
    assert list(Product.objects.values_list("exchangesymbol", "description")) == [("XCL", real.description)]
    assert not Revision.objects.exists()


def test_beside_real_products_it_is_not_wanted_by_itself(at, make_product):
    at(FRIDAY)
    make_product("CL")
    assert not demo.wanted()
    loaddemo()
    assert Product.objects.filter(data_kind="synthetic").count() == len(demo.symbols())
    assert not Product.objects.get(exchangesymbol="CL").is_synthetic
