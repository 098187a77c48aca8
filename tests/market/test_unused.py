"""An import names the fields that no rule of its products uses."""

import copy

from django.core.management import call_command

from .packs import small_pack, write_pack

SETTLEMENTS = (
    "contract_settlements.csv, settlement: no rule of ES uses it: futures are priced by their bars. "
    "It is stored, and changes no series."
)
PRICES = (
    "options_data.csv, price: no rule of ES uses it: options are priced by the product's model. "
    "It is stored, and changes no series."
)


def test_settlements_and_prices_of_options_are_named(load):
    assert load().note_lines == [SETTLEMENTS, PRICES]


def test_what_has_no_value_is_not_named(load):
    tables = small_pack()
    for row in tables["options_data"]:
        row["price"] = ""
    assert load(tables).note_lines == [SETTLEMENTS]
    del tables["contract_settlements"]
    assert load(tables).note_lines == []


def test_many_products_are_counted(load):
    tables: dict = {}
    for number in range(7):
        other = copy.deepcopy(small_pack())
        other["instruments"][0]["exchangesymbol"] = f"X{number}"
        for name in ("contracts", "contract_settlements"):
            for row in other[name]:
                row["contractname"] += f".{number}"
                if "exchangesymbol" in row:
                    row["exchangesymbol"] = f"X{number}"
            tables.setdefault(name, []).extend(other[name])
        tables.setdefault("instruments", []).extend(other["instruments"])
    (note,) = load(tables).note_lines
    assert "no rule of X0, X1, X2, X3, X4 and 2 more uses it" in note


def test_the_shell_prints_the_notes(db, tmp_path, capsys):
    call_command("importmarket", str(write_pack(tmp_path / "pack", small_pack())))
    assert capsys.readouterr().err.splitlines() == [f"note: {SETTLEMENTS}", f"note: {PRICES}"]
