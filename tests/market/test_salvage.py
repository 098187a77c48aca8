"""Imports that refuse single rows and keep the others."""

import pyarrow as pa
import pytest

from exo_registry.market import PackErrors, import_tables
from exo_registry.market.salvage import import_valid_rows
from exo_registry.models import Revision

from .packs import arrow, small_pack

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    import_tables({name: arrow(rows) for name, rows in small_pack().items()}, source="pack")


def bars(*closes: object, day: str = "2020-03-05") -> dict[str, pa.Table]:
    rows = [
        {"contractname": "F.ESH20", "datetime": f"{day}T{10 + at // 60:02}:{at % 60:02}:00", "close": str(close)}
        for at, close in enumerate(closes)
    ]
    return {"contracts_bars": pa.Table.from_pylist(rows)}


def test_good_rows_are_imported_and_bad_ones_named(market):
    report, refused = import_valid_rows(bars(3000, "high", 3001, -1e10, 3002), source="feed")
    assert report.products[0].added == {"contracts_bars": 3}
    assert sorted(refused["contracts_bars"]) == [1, 3]
    (problem,) = refused["contracts_bars"][3]
    assert (problem.column, problem.value) == ("close", "-10000000000.0")


def test_many_bad_rows_are_each_named_by_their_own_place(market):
    closes = [3000 if at % 2 else "x" for at in range(300)]
    report, refused = import_valid_rows(bars(*closes), source="feed")
    assert sorted(refused["contracts_bars"]) == list(range(0, 300, 2))
    assert report.products[0].added == {"contracts_bars": 150}


def test_nothing_is_left(market):
    report, refused = import_valid_rows(bars("a", "b"), source="feed")
    assert report is None
    assert len(refused["contracts_bars"]) == 2
    assert Revision.objects.count() == 1


def test_rows_that_hang_on_a_refused_one_are_refused_too(db):
    tables = {name: arrow(rows) for name, rows in small_pack().items()}
    contracts = small_pack()["contracts"]
    contracts[1]["expirationdate"] = "soon"
    tables["contracts"] = pa.Table.from_pylist(contracts)
    report, refused = import_valid_rows(tables, source="feed")
    assert list(refused["contracts"]) == [1]
    assert len(refused["options"]) == 4
    assert len(refused["contracts_bars"]) == 3
    assert report.products[0].added["contracts"] == 1


def test_a_missing_column_refuses_all(market):
    with pytest.raises(PackErrors, match="close: the column is missing"):
        import_valid_rows({"contracts_bars": bars(3000)["contracts_bars"].drop(["close"])}, source="feed")
