"""The shape of the house: imports run downward only, modules stay small, nothing is left undeclared or untested."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.paths import ROOT

PACKAGES = ("algorithms", "exo_registry", "exoweb")
LONGEST_MODULE = 450  # lines; 400 is the aim

# What the modules of a package must not import. Longer names come first: the first that fits counts.
FORBIDDEN = {
    "algorithms.engine": ("algorithms", "exo_registry", "exoweb", "django"),
    "algorithms": ("exo_registry", "exoweb", "django"),
    "exo_registry.models": ("exo_registry", "exoweb"),
    "exo_registry.views": ("exo_registry.admin", "exo_registry.management", "exoweb"),
    "exo_registry.admin": ("exo_registry.views", "exo_registry.api", "exo_registry.management", "exoweb"),
    "exo_registry.management": ("exo_registry.views", "exo_registry.admin", "exo_registry.api", "exoweb"),
    "exo_registry.urls": ("exoweb",),
    "exo_registry.api": ("exo_registry.admin", "exo_registry.management", "exoweb"),
    "exo_registry": (
        "exo_registry.views",
        "exo_registry.admin",
        "exo_registry.api",
        "exo_registry.urls",
        "exo_registry.management",
        "exoweb",
    ),
}
# A package may import from itself, and these exceptions are meant.
ALLOWED = {"algorithms.engine": ("algorithms.engine",), "exo_registry.models": ("exo_registry.models",)}


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


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
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parents = package.split(".")
                above = ".".join(parents[: len(parents) - node.level + 1])
                origin = f"{above}.{origin}".rstrip(".")
            # `from package import module` imports the module; a name that is none does no harm here.
            found.update(f"{origin}.{alias.name}" for alias in node.names)
    return found


def upward(name: str, path: Path) -> list[str]:
    """The imports of a module that its package must not make."""
    package = next(package for package in (*FORBIDDEN, "exoweb") if is_below(name, package))
    return sorted(
        target
        for target in imports(name, path)
        if any(is_below(target, high) for high in FORBIDDEN.get(package, ()))
        and not any(is_below(target, own) for own in ALLOWED.get(package, ()))
        and not is_below(target, package if package not in PACKAGES else "-")
    )


def test_imports_run_downward_only():
    wrong = {name: found for name, path in modules().items() if (found := upward(name, path))}
    assert not wrong


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("algorithms.engine.loop", "from algorithms.collar import BullishCollar"),
        ("algorithms.engine.loop", "from .. import collar"),
        ("algorithms.collar", "import django.db"),
        ("algorithms.collar", "def late():\n    from exo_registry.models import Series"),
        ("exo_registry.runs.plan", "from ..views import book"),
        ("exo_registry.models.run", "from exo_registry import events"),
        ("exo_registry.events", "import exoweb.settings"),
    ],
)
def test_an_upward_import_is_found(tmp_path, name, source):
    path = tmp_path / "module.py"
    path.write_text(source)
    assert upward(name, path)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("algorithms.engine.loop", "from .market import Market\nfrom algorithms.engine import pricing"),
        ("exo_registry.runs.plan", "from ..models import Run\nfrom . import lineage"),
        ("exo_registry.views.book", "from .rows import row\nfrom exo_registry.runs import freshness"),
        ("exoweb.urls", "from exo_registry import urls"),
    ],
)
def test_a_downward_import_is_fine(tmp_path, name, source):
    path = tmp_path / "module.py"
    path.write_text(source)
    assert not upward(name, path)


def test_modules_are_short():
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_MODULE}


def undeclared(names: set[str], requirements: str) -> set[str]:
    """The top-level packages among dotted names that no line of a requirements text brings in."""
    declared = {normal(line) for line in re.findall(r"^[A-Za-z][\w.-]*", requirements, re.MULTILINE)}
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {*PACKAGES, "tests"}
    distributions = packages_distributions()
    return {name for name in foreign if not {normal(one) for one in distributions.get(name, [name])} & declared}


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
