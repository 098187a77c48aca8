"""Names that end in a column of the database: taken up to its length, refused beyond, on every database alike."""

import datetime as dt

import pytest

from exo_registry.market import PackErrors, import_pack
from exo_registry.models import Product, Run, Trade
from exo_registry.runs import plan, worker

from .packs import small_pack, write_pack

pytestmark = pytest.mark.django_db

LIMIT = 200


def renamed(column: str, length: int):
    """The small pack with its first contract, or first option, given a name of a length, with spaces."""
    tables = small_pack()
    old = tables[{"contractname": "contracts", "optionname": "options"}[column]][0][column]
    new = f"{old} {'LONG NAME ' * LIMIT}"[: length - 1] + "X"
    for rows in tables.values():
        for row in rows:
            if row.get(column) == old:
                row[column] = new
    return tables, new


@pytest.mark.parametrize(
    ("column", "file"), [("contractname", "contracts.csv, line 2"), ("optionname", "options.csv, line 2")]
)
def test_a_name_that_is_too_long_for_a_trade_is_refused_at_import(tmp_path, column, file):
    tables, _ = renamed(column, LIMIT + 1)
    with pytest.raises(PackErrors) as refused:
        import_pack(write_pack(tmp_path, tables))
    assert refused.value.count == 1
    line = refused.value.lines[0]
    assert line.startswith(f"{file}, {column} = ")
    assert line.endswith(f": the name has more than {LIMIT} characters. Use a shorter one.")
    assert len(line) < 300
    assert not Product.objects.exists()


@pytest.mark.parametrize("leg", [{"right": "F", "qty": 1}, {"right": "C", "offset": 0, "qty": 1}], ids=["F", "C"])
def test_the_longest_name_is_imported_and_traded(tmp_path, make_definition, leg):
    column = "contractname" if leg["right"] == "F" else "optionname"
    tables, name = renamed(column, LIMIT)
    assert len(name) == LIMIT
    import_pack(write_pack(tmp_path, tables), activate=True)
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters={"legs": [leg]})
    run = plan.start(plan.make_plan(start=dt.date(2020, 3, 2)), source=Run.Source.SHELL)
    worker.work(run.pk, Product.objects.get().pk)
    run.refresh_from_db()
    assert (run.status, run.steps.get().error) == ("done", "")
    assert name in set(Trade.objects.values_list("contract", flat=True))
