"""Migrations that look at what is there."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection
from django.utils.module_loading import import_string
from django_q.models import Schedule

from exo_registry.models import Product


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
def test_every_schedule_names_a_function_that_is_there():
    for path in Schedule.objects.values_list("func", flat=True):
        assert callable(import_string(path))
