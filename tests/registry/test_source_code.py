"""The fingerprint of code: moves with what runs, not with how it is written down."""

import importlib
import itertools
import sys

import pytest

from exo_registry import catalogue, source_code

_packages = itertools.count()

STRATEGY = '''"""Doc."""
from .base import Base


class Strategy(Base):
    """Doc."""

    def open(self):
        return 1
'''
FILES = {
    "__init__.py": "",
    "strategy.py": STRATEGY,
    "base.py": "import {name}.deep.tool as tool\n\n\nclass Base:\n    size = tool.SIZE\n",
    "deep/__init__.py": "",
    "deep/tool.py": "SIZE = 1\n",
    "other.py": "OTHER = 1\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A throw-away package; `write` changes a file and gives the new fingerprint of its strategy."""
    name = f"package_{next(_packages)}"
    root = tmp_path / name
    monkeypatch.syspath_prepend(tmp_path)

    def write(file=None, text=""):
        if file:
            (root / file).write_text(text.replace("{name}", name))
        importlib.invalidate_caches()
        source_code.forget()
        return source_code.fingerprint([f"{name}.strategy"], [name])

    (root / "deep").mkdir(parents=True)
    for file, text in FILES.items():
        (root / file).write_text(text.replace("{name}", name))
    yield write
    source_code.forget()
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


def test_layout_comments_and_docstrings_do_not_count(package):
    before = package()
    text = STRATEGY.replace("Doc.", "Other words.").replace("return 1", "# why\n        return (1)")
    assert package("strategy.py", text) == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("strategy.py", STRATEGY.replace("return 1", "return 2")),
        ("base.py", FILES["base.py"] + "    more = 1\n"),
        ("deep/tool.py", "SIZE = 2\n"),
        ("deep/__init__.py", "LOADED = 1\n"),
        ("__init__.py", "LOADED = 1\n"),
    ],
)
def test_code_that_runs_counts_however_deep(package, file, text):
    before = package()
    assert package(file, text) != before


def test_code_that_is_not_imported_does_not_count(package):
    before = package()
    assert package("other.py", "OTHER = 2\n") == before


def test_an_import_inside_a_function_counts(package):
    text = STRATEGY.replace("return 1", "from . import other\n        return other.OTHER")
    before = package("strategy.py", text)
    assert package("other.py", "OTHER = 2\n") != before


def test_a_dropped_docstring_leaves_an_empty_body_equal(package):
    one = package("strategy.py", 'def f():\n    """Doc."""\n')
    assert package("strategy.py", 'def f():\n    """Other."""\n') == one


def test_algorithms_have_hashes_of_their_own():
    paths = [
        "algorithms.continuous_future.ContinuousFuture",
        "algorithms.collar.BullishCollar",
        "algorithms.vertical_spread.VerticalSpread",
    ]
    hashes = [catalogue.source_hash(path) for path in paths]
    assert len(set(hashes)) == 3
    assert all(len(value) == 64 for value in hashes)
    assert catalogue.source_hash(paths[0]) == hashes[0]


def test_the_hash_covers_the_engine():
    covered = source_code._reachable(["algorithms.engine.loop"], ("algorithms",))
    assert {"algorithms.engine.loop", "algorithms.engine.position", "algorithms.engine.pricing"} <= covered


def test_the_hash_of_an_unknown_path_is_refused():
    with pytest.raises(catalogue.CatalogueError, match="there is no module"):
        catalogue.source_hash("algorithms.nothing.Nothing")
