"""Migrations that look at what is there."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import import_string
from django_q.models import Schedule

from exo_registry.models import Product, Series
from tests.pages.builders import make_series


@pytest.mark.django_db(transaction=True)
def test_products_that_case_alone_tells_apart_stop_the_migration_in_a_sentence(make_product):
    migration = import_module("exo_registry.migrations.0007_login_events_and_symbol_case")
    database = SimpleNamespace(connection=connection)
    (constraint,) = Product._meta.constraints
    with connection.schema_editor() as editor:
        editor.remove_constraint(Product, constraint)
    try:
        make_product("ES")
        make_product("ZZ")
        migration.refuse_twins(apps, database)
        make_product("zz")
        with pytest.raises(CommandError, match=r"The products ZZ and zz differ in case only: .* delete all but one\."):
            migration.refuse_twins(apps, database)
    finally:
        Product.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Product, constraint)


@pytest.mark.django_db
def test_schedules_of_functions_that_moved_are_renamed():
    migration = import_module("exo_registry.migrations.0009_moved_functions")
    schedule = Schedule.objects.create(name="old", func="exo_registry.prune.prune")
    migration.forwards(apps, SimpleNamespace(connection=connection))
    schedule.refresh_from_db()
    assert schedule.func == "exo_registry.operations.retention.prune"


@pytest.mark.django_db
@pytest.mark.parametrize(("first_gap", "sessions"), [(28, 1), (27, 2), (10, 19)])
def test_series_that_are_there_get_the_span_of_their_last_change(make_product, first_gap, sessions):
    """Points 0 to 29; those from `first_gap` to the last but one are gaps."""
    series = make_series(make_product("ES"), points=30)
    dates = list(series.points.order_by("date").values_list("date", flat=True))
    for date in dates[first_gap:28]:
        series.points.filter(date=date).delete()
        series.gaps.create(date=date, reason="no bar")
    series.points.filter(date=dates[28]).delete()
    Series.objects.update(change_sessions=None, gaps_count=28 - first_gap)
    import_module("exo_registry.migrations.0014_change_sessions").count_sessions(
        apps, SimpleNamespace(connection=connection)
    )
    series.refresh_from_db()
    assert series.change_sessions == sessions


@pytest.mark.django_db
def test_every_schedule_names_a_function_that_is_there():
    for path in Schedule.objects.values_list("func", flat=True):
        assert callable(import_string(path))


@pytest.mark.django_db(transaction=True)
def test_synthetic_products_keep_their_mark_both_ways(make_product):
    """0016 names the kind of data in place of a mark, in the products and in their histories."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    make_product("ES")
    make_product("XES", data_kind="synthetic")
    make_product("SPX", data_kind="modelled")
    try:
        executor.migrate([("exo_registry", "0015_bachelier_and_dividends")])
        before = executor.loader.project_state([("exo_registry", "0015_bachelier_and_dividends")]).apps
        for name in ("Product", "HistoricalProduct"):
            rows = before.get_model("exo_registry", name).objects
            assert set(rows.filter(synthetic=True).values_list("exchangesymbol", flat=True)) == {"XES"}
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(leaves)
    kinds = {"ES": "quoted", "XES": "synthetic", "SPX": "quoted"}  # the mark knew no third kind
    assert dict(Product.objects.values_list("exchangesymbol", "data_kind")) == kinds
    assert dict(Product.history.values_list("exchangesymbol", "data_kind")) == kinds
