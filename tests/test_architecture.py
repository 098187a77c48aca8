"""The shape of the house: imports run downward only, modules stay small, nothing is left undeclared or untested."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.paths import ROOT

PACKAGES = ("algorithms", "exo_registry", "exoweb")
LONGEST_MODULE = 400  # lines


def modules() -> dict[str, Path]:
    """Every module of the three packages but the migrations, by dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    }


def imports(name: str, path: Path) -> set[str]:
    """Dotted names that a module imports, wherever in it; relative ones made absolute."""
    imported = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parents = package.split(".")
                above = ".".join(parents[: len(parents) - node.level + 1])
                origin = f"{above}.{origin}".rstrip(".")
            # `from package import module` imports the module; a name that is none does no harm here.
            imported.update(f"{origin}.{alias.name}" for alias in node.names)
    return imported


def test_imports_run_downward_only():
    """The contracts are in pyproject.toml; `lint-imports` prints what breaks one."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


def test_every_room_and_every_strategy_has_its_place_in_a_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["exo_registry"])
    rooms = {path.parent.name for path in (ROOT / "exo_registry").glob("*/__init__.py")}
    in_layers = {room for layer in layers for room in layer.split(" | ")}
    assert in_layers == rooms - {"migrations", "templatetags"} | {"failures"}
    strategies = {f"algorithms.{path.stem}" for path in (ROOT / "algorithms").glob("[!_]*.py")}
    assert strategies in [set(contract.get("forbidden_modules", ())) for contract in contracts]


def test_modules_are_short():
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_MODULE}


def undeclared(names: set[str], requirements: str) -> set[str]:
    """The top-level packages among dotted names that no line of a requirements text brings in."""
    declared = {normal(line) for line in re.findall(r"^[A-Za-z][\w.-]*", requirements, re.MULTILINE)}
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {*PACKAGES, "tests"}
    distributions = packages_distributions()
    return {
        name
        for name in foreign
        if not {normal(distribution) for distribution in distributions.get(name, [name])} & declared
    }


def test_every_import_is_a_declared_requirement():
    pinned = (ROOT / "requirements.txt").read_text()
    own = pinned.partition("# What those need")[0]
    assert not undeclared({target for name, path in modules().items() for target in imports(name, path)}, own)
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "_samples" not in str(path)]
    used = {target for path in tests for target in imports(f"tests.{path.stem}", path)}
    assert not undeclared(used, pinned + (ROOT / "requirements-dev.txt").read_text())


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_every_command_has_a_test():
    commands = {path.stem for path in (ROOT / "exo_registry/management/commands").glob("[!_]*.py")}
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert {name for name in commands if not re.search(rf"""["']{name}["']""", tests)} == set()
