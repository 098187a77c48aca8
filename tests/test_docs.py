"""The documents say what is: variables, commands, files and packages that they name exist, and none is missing."""

import datetime as dt
import re
import sys
from types import ModuleType

import pytest
from django.apps import apps
from django.core.management import get_commands
from django.db import models
from packaging.version import Version

from algorithms import engine
from algorithms.engine import Algorithm, run
from exo_registry.market.schema import HOLDS, PACK
from exoweb import __version__
from tests.engine.markets import Draft, weekdays
from tests.paths import ROOT

README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VARIABLE = r"(?:EXOWEB_[A-Z_]+|DATABASE_URL|MARKET_DATA_URI|REDIS_URL)"


def test_the_configuration_table_lists_every_variable():
    table = re.findall(rf"^\| `({VARIABLE})` \|", README, re.MULTILINE)
    assert sorted(table) == sorted(set(table))
    assert set(table) == set(re.findall(rf'"({VARIABLE})"', (ROOT / "exoweb/settings.py").read_text()))


def test_the_example_environment_has_known_variables_only():
    names = re.findall(r"^([A-Z_]+)=", (ROOT / "docs/deploy/exoweb.env").read_text(), re.MULTILINE)
    assert set(names) <= set(re.findall(VARIABLE, README))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_commands_exist(document):
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]
    assert not {name for name in re.findall(r"manage\.py ([a-z_]+)", text) if name not in get_commands()}


def test_every_document_is_in_the_menu_of_the_site():
    menu = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", menu)) == pages


def test_the_reference_has_what_an_author_imports_and_every_strategy():
    pages = "\n".join(path.read_text() for path in (ROOT / "docs/reference").glob("*.md"))
    described = set(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE))
    for name in engine.__all__:
        places = {f"algorithms.engine.{name}", getattr(engine, name).__module__}
        assert places & described, f"{name} is not in docs/reference"
    assert {f"algorithms.{path.stem}" for path in (ROOT / "algorithms").glob("[!_]*.py")} <= described


def test_every_requirement_has_a_reason():
    own = (ROOT / "requirements.txt").read_text().partition("# What those need")[0]
    names = re.findall(r"^([A-Za-z][\w-]*)", own, re.MULTILINE)
    reasons = README.partition("## What it is made of")[2].lower().replace("_", "-")
    assert not [name for name in names if name.lower().replace("_", "-") not in reasons]


def modules(document: str) -> list[str]:
    """The code blocks of a document that are modules with a class."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if re.search(r"^class ", block, re.MULTILINE)]


@pytest.mark.parametrize(
    "source", modules("docs/algorithms.md"), ids=lambda source: source.split("class ")[1].split("(")[0]
)
def test_the_algorithms_of_the_authors_guide_trade(source, monkeypatch):
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, "guide", module)
    exec(compile(source, "docs/algorithms.md", "exec"), module.__dict__)
    made = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == "guide"]
    (algorithm,) = [kind for kind in made if issubclass(kind, Algorithm)]
    draft = Draft().future("FH", "2020-03-20").bars("FH", dict.fromkeys(weekdays("2020-01-06", 10), 100.0))
    result = run(algorithm(), draft.chain("FH", "2020-02-21", range(80, 121)).market())
    assert result.trades
    assert not result.gaps
    assert {name for point in result.points for name in point.extra or ()} == set(algorithm.columns)


def table_rows(text: str) -> list[list[str]]:
    """The cells of every table row of a document; `|` stands for nothing else in them."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_the_module_map_is_the_tree():
    rows = [row for row in table_rows((ROOT / "docs/architecture.md").read_text()) if row[0].startswith("`")]
    rooms = {room.strip("`"): re.findall(r"`([\w]+)`", modules) for room, _question, modules in rows}
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("algorithms", "exo_registry", "exoweb")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(rooms) == packages
    named = [ROOT.joinpath(*room.split("."), f"{module}.py") for room, modules in rooms.items() for module in modules]
    assert not [path for path in named if not path.exists()]


def test_only_documents_of_the_project_are_cited():
    files = [*DOCUMENTS, *(ROOT / "docs/deploy").iterdir(), ROOT / "CHANGELOG.md", ROOT / "Makefile"]
    for folder in ("algorithms", "exo_registry", "exoweb", "benchmarks", "templates"):
        files += [
            path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".html", ".css", ".js", ".yaml"}
        ]
    cited = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in re.findall(r"(?:[\w/-]+/)?[\w-]+\.md\b|\b[A-Z]{4,}(?= section \d)", path.read_text())
        if not any((place / name).exists() for place in (ROOT, ROOT / "docs", path.parent))
    }
    assert not cited


def test_the_market_pack_document_has_the_schema():
    _title, *sections = re.split(r"^## ", (ROOT / "docs/market-pack.md").read_text(), flags=re.MULTILINE)
    tables = {section.partition("\n")[0]: table_rows(section)[2:] for section in sections}
    assert {row[0] for row in tables.pop("Types")} == set(HOLDS)
    documented = {
        table: [(column.strip("`"), kind, required == "yes") for column, kind, required, *_ in rows]
        for table, rows in tables.items()
    }
    assert documented == {
        table: [(name, column.kind, column.required) for name, column in columns.items()]
        for table, columns in PACK.items()
    }


def test_the_data_model_document_has_every_table_with_its_key():
    rows = [row for row in table_rows((ROOT / "docs/data-model.md").read_text()) if row[0].startswith("`")]
    keys = {row[0].strip("`"): row[2] for row in rows}
    tables = {
        model.__name__: model
        for model in apps.get_app_config("exo_registry").get_models()
        if not model.__name__.startswith("Historical")
    }
    assert set(keys) == set(tables)
    for name, key in keys.items():
        for fields in [tuple(re.findall(r"\w+", alternative)) for alternative in key.split(";")]:
            assert fields in unique_fields(tables[name]), f"{name} may have two rows with the same {fields}"


def unique_fields(model: type[models.Model]) -> set[tuple[str, ...]]:
    """The combinations of fields that the database lets no two rows of a model share."""
    primary = model._meta.pk
    together = {constraint.fields for constraint in model._meta.total_unique_constraints}
    single = {(field.name,) for field in model._meta.fields if field.unique}
    composite = {tuple(name.removesuffix("_id") for name in getattr(primary, "field_names", ()))}
    return single | together | composite


def test_the_changelog_has_what_is_unreleased_and_then_versions_with_their_dates():
    unreleased, *released = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert unreleased == "Unreleased"
    newest = Version(released[0].partition(" ")[0])
    assert Version(__version__) == newest or (Version(__version__) > newest and Version(__version__).is_devrelease)
    dates = [dt.date.fromisoformat(re.fullmatch(r"\d+\.\d+\.\d+ \((.*)\)", title)[1]) for title in released]
    assert dates == sorted(dates, reverse=True)
