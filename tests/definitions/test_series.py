"""Series rows follow the definitions, and nothing computed is ever lost."""

import datetime as dt

import pytest

from exo_registry.definitions import catalogue, sync_series, validation
from exo_registry.models import Definition, Gap, Point, Product, Run, Series, Step

from .conftest import COLLAR, CONTFUT, SPREAD


def names():
    return sorted(Series.objects.values_list("name", flat=True))


def point(series):
    numbers = dict.fromkeys(
        (
            "exo",
            "delta",
            "nfutures_executed",
            "nfutures_opened",
            "noptions_executed",
            "noptions_opened",
            "costs",
            "gross",
        ),
        0.0,
    )
    return Point.objects.create(series=series, date=dt.date(2020, 1, 2), is_rollover=False, **numbers)


def test_every_direction_of_every_active_product(es, cl, make_product):
    make_product("NQ", active=False)
    Definition.objects.create(name="ContFut", algorithm=CONTFUT)
    Definition.objects.create(name="CollarBW", algorithm=COLLAR).products.set([cl])
    report = sync_series()
    assert names() == ["CL_BearishCollarBW", "CL_BullishCollarBW", "CL_ContFut", "ES_ContFut"]
    assert sorted(report.added) == names()
    assert Series.objects.get(name="CL_BearishCollarBW").direction == "bearish"


def test_a_second_time_changes_nothing(es, define):
    define("Spread", SPREAD)
    before = list(Series.objects.values())
    report = sync_series()
    assert report.changed == 0
    assert list(Series.objects.values()) == before


def test_the_number_of_queries_does_not_grow(make_product, define, django_assert_max_num_queries):
    for number in range(20):
        make_product(f"P{number}")
    for number in range(20):
        Definition.objects.create(name=f"D{number}", algorithm=CONTFUT)
    with django_assert_max_num_queries(20):  # rows are written some 50 at a time
        assert len(sync_series().added) == 400


def test_a_named_product_counts_even_if_it_is_not_active(make_product, define):
    define("ContFut", CONTFUT, make_product("NQ", active=False))
    assert names() == ["NQ_ContFut"]


def test_only_the_given_definitions_are_touched(es, define):
    other = Definition.objects.create(name="Other", algorithm=CONTFUT)
    define("ContFut")
    assert names() == ["ES_ContFut"]
    sync_series([other])
    assert names() == ["ES_ContFut", "ES_Other"]


def test_series_that_hold_nothing_go_when_they_are_not_wanted(es, define):
    definition = define("ContFut")
    definition.enabled = False
    definition.save()
    assert sync_series().removed == ["ES_ContFut"]
    assert names() == []


@pytest.mark.parametrize("what", ["point", "gap", "step"])
def test_series_that_hold_something_stay(es, define, what):
    definition = define("ContFut")
    series = Series.objects.get()
    if what == "point":
        point(series)
    elif what == "gap":
        Gap.objects.create(series=series, date=dt.date(2020, 1, 2), reason="no quote")
    else:
        run = Run.objects.create(kind="backfill", source="shell")
        Step.objects.create(run=run, series=series, product=es, position=0, status="done")
    definition.enabled = False
    definition.save()
    assert sync_series().changed == 0
    assert names() == ["ES_ContFut"]


def test_a_product_taken_out_of_calculation_keeps_what_was_computed(es, cl, define):
    define("ContFut")
    point(Series.objects.get(name="ES_ContFut"))
    Product.objects.update(active=False)
    sync_series()
    assert names() == ["ES_ContFut"]


def test_a_renamed_definition_takes_its_series_along(es, define):
    definition = define("Spread", SPREAD)
    keys = set(Series.objects.values_list("pk", flat=True))
    definition.name = "Vertical"
    definition.save()
    report = sync_series([definition])
    assert names() == ["ES_CallVertical", "ES_PutVertical"]
    assert set(Series.objects.values_list("pk", flat=True)) == keys
    assert ("ES_CallSpread", "ES_CallVertical") in report.renamed


def test_two_definitions_may_swap_names(es, define):
    definition, other = define("One"), define("Two")
    first = Series.objects.get(name="ES_One").pk
    Definition.objects.filter(pk=definition.pk).update(name="Three")
    Definition.objects.filter(pk=other.pk).update(name="One")
    Definition.objects.filter(pk=definition.pk).update(name="Two")
    sync_series()
    assert names() == ["ES_One", "ES_Two"]
    assert Series.objects.get(pk=first).name == "ES_Two"


def test_a_definition_that_cannot_be_loaded_keeps_its_series_and_is_named(es, define):
    definition = define("ContFut")
    Definition.objects.filter(pk=definition.pk).update(algorithm="algorithms.gone.Gone")
    report = sync_series()
    assert names() == ["ES_ContFut"]
    assert "there is no module algorithms.gone" in report.broken["ContFut"]


def two_directions(monkeypatch, **directions):
    monkeypatch.setattr(catalogue.load(COLLAR), "directions", directions)


def test_a_direction_that_is_renamed_under_its_label_keeps_what_was_computed(es, define, monkeypatch):
    definition = define("CollarBW", COLLAR)
    series = Series.objects.get(direction="bullish")
    point(series)
    two_directions(monkeypatch, long="Bullish{name}", bearish="Bearish{name}")
    report = sync_series([definition])
    assert (report.added, report.removed, report.renamed, report.blocked) == ([], [], [], {})
    series.refresh_from_db()
    assert (series.name, series.direction, series.points.count()) == ("ES_BullishCollarBW", "long", 1)
    assert sync_series().changed == 0


def test_a_name_that_a_series_of_a_direction_gone_holds_is_left_to_it(es, define, monkeypatch):
    define("CollarBW", COLLAR)
    gone, kept = Series.objects.get(direction="bearish"), Series.objects.get(direction="bullish")
    point(gone)
    two_directions(monkeypatch, bullish="Bearish{name}")
    report = sync_series()
    assert report.changed == 0
    assert list(report.blocked) == [gone.name]
    assert names() == ["ES_BearishCollarBW", "ES_BullishCollarBW"]
    gone.delete()
    assert sync_series().renamed == [(kept.name, gone.name)]


def test_labels_may_be_swapped(es, define, monkeypatch):
    define("CollarBW", COLLAR)
    bullish = Series.objects.get(direction="bullish").pk
    two_directions(monkeypatch, bullish="Bearish{name}", bearish="Bullish{name}")
    assert len(sync_series().renamed) == 2
    assert Series.objects.get(pk=bullish).name == "ES_BearishCollarBW"


@pytest.mark.parametrize("named", [(), ("ES",), ("CL",), ("ES", "CL")])
@pytest.mark.parametrize("active", [(), ("ES",), ("ES", "CL")])
def test_rows_drafts_and_queries_agree_on_what_a_definition_means(make_product, define, named, active):
    products = {symbol: make_product(symbol, active=symbol in active) for symbol in ("ES", "CL")}
    definition = define("ContFut", CONTFUT, *(products[symbol] for symbol in named))
    meant = validation.draft_of(definition, named).symbols(active)
    assert set(names()) == {f"{symbol}_ContFut" for symbol in meant}
    for symbol, product in products.items():  # a series of every product, as left by an earlier definition
        Series.objects.get_or_create(definition=definition, product=product, defaults={"name": f"{symbol}_ContFut"})
    in_calculation = set(Series.objects.in_calculation().values_list("product__exchangesymbol", flat=True))
    assert in_calculation == meant & set(active)
