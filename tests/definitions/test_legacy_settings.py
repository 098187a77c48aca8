"""Old settings files: several shapes are read, nothing in them is run, what is not understood is listed."""

import io

import pytest
from django.core.management import CommandError, call_command

from exo_registry.definitions import catalogue, legacy_settings
from exo_registry.definitions.legacy_settings import (
    LegacyExo,
    SettingsError,
    definition_of,
    migrate,
    read_settings,
)
from exo_registry.models import Definition, Event, Product, Series

from .conftest import COLLAR, CONTFUT, SPREAD

PLAIN = b"""
# -*- coding: utf-8 -*-
from exobuilder.algorithms.exo_brokenwing import EXOBrokenwingCollar
from exobuilder.algorithms.exo_vertical_spread import EXOVerticalSpread
from exobuilder.algorithms.exo_continous_fut import EXOContinuousFut

INSTRUMENTS_LIST = ['ES', 'CL', 'NG']   # one line
MONGO_CONNSTR = 'mongodb://desk:s3cret@host/db'

EXO_LIST = [
    {'name': 'ContFut', 'class': EXOContinuousFut},
    # {'name': 'Off', 'class': EXOSwitchedOff},
    {'name': 'CollarBW', 'class': EXOBrokenwingCollar},
    {'name': 'VerticalSpread', 'class': EXOVerticalSpread},
]
"""


def exos(text: str) -> list[tuple[str, str]]:
    return [(exo.class_name, exo.name) for exo in read_settings(text.encode()).exos]


def symbols(text: str) -> list[str]:
    return read_settings(text.encode()).symbols


def test_the_plain_shape():
    settings = read_settings(PLAIN)
    assert settings.symbols == ["ES", "CL", "NG"]
    assert settings.exos == [
        LegacyExo("EXOContinuousFut", "ContFut"),
        LegacyExo("EXOBrokenwingCollar", "CollarBW"),
        LegacyExo("EXOVerticalSpread", "VerticalSpread"),
    ]
    assert settings.unread == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EXO_LIST = [A, pkg.mod.B, 'pkg.mod.C']", [("A", ""), ("B", ""), ("C", "")]),
        ("EXO_LIST = (A, B)", [("A", ""), ("B", "")]),
        ("EXO_LIST = [('x', A), (B, 'y', {'p': 1}), ('z', 'pkg.C')]", [("A", "x"), ("B", "y"), ("C", "z")]),
        ("EXO_LIST = {'x': A, 'y': B}", [("A", "x"), ("B", "y")]),
        ("EXO_LIST: list = [dict(name='x', cls=A)]", [("A", "x")]),
        ("EXO_LIST = [{'algo': 'pkg.A', 'params': {'n': -1}}]", [("A", "")]),
        ("from m import A as B\nEXO_LIST = [B]", [("A", "")]),
        ("import m.A as B\nEXO_LIST = [{'class': B, 'name': 'x'}]", [("A", "x")]),
        ("BASE = [A]\nEXO_LIST = BASE + [B]\nEXO_LIST += [C]", [("A", ""), ("B", ""), ("C", "")]),
        ("BASE = [A]\nEXO_LIST = [*BASE, B]", [("A", ""), ("B", "")]),
        ("EXO_LIST = [A]\nEXO_LIST = [B]", [("B", "")]),
    ],
)
def test_shapes_of_the_list_of_exos(text, expected):
    assert exos(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSTRUMENTS_LIST = ('ES', 'CL')", ["ES", "CL"]),
        ("INSTRUMENTS_LIST = 'ES CL'.split()", ["ES", "CL"]),
        ("INSTRUMENTS_LIST = ['US.ES', 'ES', ' CL ']", ["ES", "CL"]),
        ("INSTRUMENTS_LIST = [{'name': 'ES', 'opt_codes': ['EW', '']}, {'instrument': 'US.6E'}]", ["ES", "6E"]),
        ("INSTRUMENTS_LIST = [('ES', 14), ('CL', 13)]", ["ES", "CL"]),
        ("INSTRUMENTS_LIST = {'ES': {'time': 1}, 'CL': {}}", ["ES", "CL"]),
        ("A = B = INSTRUMENTS_LIST = ['ES']", ["ES"]),
    ],
)
def test_shapes_of_the_list_of_products(text, expected):
    assert symbols(text) == expected


def test_nothing_is_run(tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    source = f"""
import os, exoweb_no_such_module
open({str(trap)!r}, "w")
os.environ["EXOWEB_TRAP"] = "1"
PASSWORD = os.environ["MONGO_PASSWORD"]
raise SystemExit("must not run")
INSTRUMENTS_LIST = os.environ.get("SYMBOLS", "ES").split(",")
EXO_LIST = [
    {{'name': 'ContFut', 'class': EXOContinuousFut}},
    {{'name': 'x', 'class': make_exo(open({str(trap)!r}, "w"))}},
    [c for c in ()],
    {{**{{}}, 'class': A}},
    (lambda: B)(),
]
"""
    settings = read_settings(source.encode())
    assert not trap.exists()
    assert settings.symbols == []
    assert [exo.class_name for exo in settings.exos] == ["EXOContinuousFut"]
    assert settings.unread == [
        "INSTRUMENTS_LIST, line 7: call is not read, since nothing is run",
        "EXO_LIST: the entry with name, class (line 10: call is not read, since nothing is run) names no class",
        "EXO_LIST: an entry (line 11: listcomp is not read, since nothing is run) names no class",
        "EXO_LIST: an entry (line 12: dict is not read, since nothing is run) names no class",
        "EXO_LIST: an entry (line 13: call is not read, since nothing is run) names no class",
    ]


@pytest.mark.parametrize(
    "change",
    [
        "EXO_LIST.append(B)",
        "if DEBUG:\n    EXO_LIST = [B]",
        "for c in X:\n    EXO_LIST += [c]",
        "try:\n    EXO_LIST = [B]\nexcept E:\n    pass",
        "if DEBUG:\n    EXO_LIST.append(B)",
        "for c in X:\n    EXO_LIST.append(c)",
        "try:\n    EXO_LIST.extend([B])\nexcept E:\n    pass",
        "def add():\n    EXO_LIST.append(B)",
        "with x:\n    EXO_LIST[0]['name'] = 'y'",
        "x = EXO_LIST.append(B)",
        "EXO_LIST[0] = B",
        "EXO_LIST, other = [B], 1",
        "del EXO_LIST[0]",
    ],
)
def test_changes_that_depend_are_told(change):
    settings = read_settings(f"EXO_LIST = [A]\n{change}\n".encode())
    assert [exo.class_name for exo in settings.exos] == ["A"]
    assert settings.unread == ["line 2: EXO_LIST is changed under a condition or by a call; not read"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("if DEBUG:\n    MORE.append(B)", "line 2: MORE is changed under a condition or by a call; not read"),
        ("OTHER = EXO_LIST\nOTHER.append(B)", "line 3: OTHER is changed under a condition or by a call; not read"),
        ("try:\n    from local import *\nexcept E:\n    pass", "line 3: what local brings is not read"),
    ],
)
def test_what_reaches_a_list_by_another_way_is_listed(change, line):
    settings = read_settings(f"MORE = []\n{change}\nEXO_LIST = [A] + MORE\n".encode())
    assert settings.unread == [line]


def test_other_names_do_not_matter():
    text = "import sys\nsys.path.append('x')\nPATHS = []\nif sys:\n    PATHS.append('y')\nEXO_LIST = [A]"
    assert read_settings(text.encode()).unread == []


def test_values_of_the_file_are_never_shown():
    text = "INSTRUMENTS_LIST = [{'key': 's3cret'}, 5]\nEXO_LIST = [{'password': 's3cret'}, ('s3cret', 7), 's3 cret']"
    settings = read_settings(text.encode())
    assert len(settings.unread) >= 4
    assert "s3" not in " ".join(settings.unread)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"print 'python 2'\n", "Line 1: this is not Python 3"),
        (b"EXO_LIST = [\n", "this is not Python 3"),
        (b"\x00", "annot be read as Python|not Python 3"),
        (b"OTHER = 1\n", "assigns neither INSTRUMENTS_LIST nor EXO_LIST"),
        (b"EXO_LIST = load()\n", "EXO_LIST, line 1: call is not read"),
        (b"NAME = '\xff'\nEXO_LIST = []\n", "annot be read as Python|not Python 3"),
        (b"EXO_LIST = " + b"(" * 5000 + b")" * 5000, "annot be read as Python|not Python 3"),
        (b" " * (legacy_settings.LIMIT + 1), "at most 2,000,000"),
    ],
)
def test_files_that_cannot_be_read(source, message):
    with pytest.raises(SettingsError, match=message):
        read_settings(source)


def test_a_few_lines_do_not_unfold_without_end():
    text = "A = ['ES']\n" + "A = A + A\n" * 64 + "INSTRUMENTS_LIST = A\nEXO_LIST = [X]"
    assert exos(text) == [("X", "")]


def test_another_encoding_is_read():
    assert symbols("INSTRUMENTS_LIST = ['ES']") == ["ES"]
    assert read_settings("# -*- coding: latin-1 -*-\n# é\nINSTRUMENTS_LIST = ['ES']".encode("latin-1")).symbols == [
        "ES"
    ]


# Old classes and their definitions.


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("EXOContinuousFut", "ContFut"),
        ("ContinousFut", "ContFut"),
        ("EXOBrokenwingCollar", "CollarBW"),
        ("BrokenWing_Collar", "CollarBW"),
        ("EXOBrokenwingCollarV2", "CollarBW"),
        ("EXOVerticalSpread", "Spread"),
        ("VerticalSpreadEXO", "Spread"),
        ("BullishCollar", "BullishCollar"),
        ("EXOBullishCollar", "BullishCollar"),
        ("EXOBullishCall", "BullishCall"),
        ("LongCallAlgorithm", "BullishCall"),
    ],
)
def test_old_classes_become_definitions(name, definition):
    new_name, path = definition_of(name)
    assert new_name == definition
    catalogue.build(path, {}, next(iter(catalogue.load(path).directions)))


@pytest.mark.parametrize("name", ["SmartEXOIchiBullishCollar", "EXO", "", "EXOBullish", "NotAContFut"])
def test_other_classes_do_not(name):
    assert definition_of(name) is None


def test_the_migration_names_what_is_left_to_do(es):
    source = PLAIN.replace(b"'VerticalSpread', 'class': EXOVerticalSpread", b"'Ichi', 'class': SmartEXO_Ichi_Bi_Spread")
    migration = migrate(source)
    assert migration.unmapped == [
        "product CL: does not exist yet; import its market data (importmarket), then run this command again",
        "product NG: does not exist yet; import its market data (importmarket), then run this command again",
        "definition Ichi (SmartEXO_Ichi_Bi_Spread): looks like a regime spread: define it with "
        "algorithms.regime_spread.IchimokuSpread and the legs of its zones",
    ]
    assert "s3cret" not in migration.text


# The command.


def run(*arguments: str) -> tuple[str, str]:
    out, errors = io.StringIO(), io.StringIO()
    call_command("importregistry", *arguments, stdout=out, stderr=errors, no_color=True)
    return out.getvalue(), errors.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings_exo.py"
    path.write_bytes(PLAIN)
    return str(path)


def test_the_old_lists_become_the_registry(file, es, cl):
    Product.objects.update(active=False)
    out, errors = run("--from-settings", file)
    remedy = "import its market data (importmarket), then run this command again"
    assert errors == f"not mapped: product NG: does not exist yet; {remedy}\n"
    assert "definition VerticalSpread becomes Spread, so that its series keep the names that they had" in out
    assert "definition ContFut: added" in out
    assert dict(Definition.objects.values_list("name", "algorithm")) == {
        "ContFut": CONTFUT, "CollarBW": COLLAR, "Spread": SPREAD,
    }  # fmt: skip
    assert set(Series.objects.values_list("name", flat=True)) >= {
        "ES_ContFut", "ES_BullishCollarBW", "ES_BearishCollarBW", "CL_CallSpread", "CL_PutSpread",
    }  # fmt: skip
    assert Product.objects.filter(active=True).count() == 2
    assert run("--from-settings", file)[0].endswith("0 changed, 5 unchanged.\n")


def test_a_dry_run_writes_nothing(file, es):
    out, _ = run("--from-settings", file, "--dry-run")
    assert "definition ContFut: added" in out
    assert out.endswith("Dry run: nothing was written.\n")
    assert not Definition.objects.exists()
    assert not Event.objects.exists()


def test_a_registry_file_can_be_tried_too(tmp_path, db):
    path = tmp_path / "registry.yaml"
    path.write_text(f"exos:\n  - {{name: ContFut, algorithm: {CONTFUT}}}\n")
    assert "definition ContFut: added" in run(str(path), "--dry-run")[0]
    assert not Definition.objects.exists()


def test_a_definition_that_is_here_is_kept(file, es, cl, define):
    define("ContFut", CONTFUT, cl)
    define("Spread", COLLAR, es)
    _, errors = run("--from-settings", file)
    assert f"definition Spread: exists already, with another algorithm ({COLLAR}); it is unchanged" in errors
    assert Definition.objects.get(name="Spread").algorithm == COLLAR
    assert [str(product) for product in Definition.objects.get(name="ContFut").products.all()] == ["CL"]


@pytest.mark.parametrize("arguments", [(), ("a.yaml", "--from-settings", "b.py")])
def test_one_file_is_given(arguments):
    with pytest.raises(CommandError, match="Give one file") as caught:
        run(*arguments)
    assert caught.value.returncode == 2


def test_a_file_that_is_no_settings_file(tmp_path, db):
    path = tmp_path / "settings.py"
    path.write_text("print 'hello'\n")
    with pytest.raises(CommandError, match="was refused: Line 1: this is not Python 3") as caught:
        run("--from-settings", str(path))
    assert caught.value.returncode == 1
    with pytest.raises(CommandError, match="cannot be read") as caught:
        run("--from-settings", str(tmp_path / "nothing.py"))
    assert caught.value.returncode == 2
