"""The code that runs is the code on disk: fingerprints, what is loaded, and what an edit of a file brings about."""

import itertools
import os
import sys

import pytest

from exo_registry.code import loaded_code, source_code
from exo_registry.definitions import catalogue

_packages = itertools.count()

STRATEGY = '''"""Doc."""
from algorithms.engine import Algorithm
from .base import Base


class Strategy(Base, Algorithm):
    """Doc."""

    def open(self, session):
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


class Package:
    """A package of strategies in a folder of its own, that may be loaded from."""

    def __init__(self, folder):
        self.name = f"package_{next(_packages)}"
        self.root = folder / self.name
        self.path = f"{self.name}.strategy.Strategy"
        (self.root / "deep").mkdir(parents=True)
        for file, text in FILES.items():
            self.put(file, text)

    def put(self, file, text):
        (self.root / file).write_text(text.replace("{name}", self.name))

    def write(self, file, text):
        """Change a file; returns the new hash of the strategy."""
        self.put(file, text)
        return self.hash

    @property
    def hash(self):
        return catalogue.source_hash(self.path)

    def load(self):
        loaded_code.refresh()
        return catalogue.load(self.path)


@pytest.fixture
def package(tmp_path, monkeypatch, settings):
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(tmp_path)
    settings.ALGORITHM_PACKAGES = ["algorithms", package.name]
    yield package
    for name in [name for name in sys.modules if source_code.inside(name, [package.name])]:
        del sys.modules[name]


def test_layout_comments_and_docstrings_do_not_count(package):
    before = package.hash
    text = STRATEGY.replace("Doc.", "Other words.").replace("return 1", "# why\n        return (1)")
    assert package.write("strategy.py", text) == before


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
    before = package.hash
    assert package.write(file, text) != before


def test_code_that_is_not_imported_does_not_count(package):
    before = package.hash
    assert package.write("other.py", "OTHER = 2\n") == before


def test_an_import_inside_a_function_counts(package):
    text = STRATEGY.replace("return 1", "from . import other\n        return other.OTHER")
    before = package.write("strategy.py", text)
    assert package.write("other.py", "OTHER = 2\n") != before


def test_a_dropped_docstring_leaves_an_empty_body_equal(package):
    before = package.write("strategy.py", 'def f():\n    """Doc."""\n')
    assert package.write("strategy.py", 'def f():\n    """Other."""\n') == before


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
    covered = source_code.reachable(["algorithms.engine.loop"], ("algorithms",), loaded_code.Disk().source)
    assert {"algorithms.engine.loop", "algorithms.engine.position", "algorithms.engine.pricing"} <= set(covered)


def test_the_hash_of_an_unknown_path_is_refused():
    with pytest.raises(catalogue.CatalogueError, match="there is no module"):
        catalogue.source_hash("algorithms.nothing.Nothing")


def test_what_is_loaded_is_what_is_on_disk_until_a_file_is_edited(package):
    package.load()
    before = package.hash
    assert catalogue.loaded_hash(package.path) == before
    after = package.write("deep/tool.py", "SIZE = 2\n")
    assert after != before
    assert catalogue.loaded_hash(package.path) == before


@pytest.mark.parametrize("file", ["strategy.py", "base.py", "deep/tool.py"])
def test_an_edited_file_is_run_from_the_next_refresh_on(package, file):
    old = package.load()
    texts = {
        "strategy.py": STRATEGY.replace("return 1", "return 7") + "    size = 7\n",
        "base.py": "class Base:\n    size = 7\n",
        "deep/tool.py": "SIZE = 7\n",
    }
    package.write(file, texts[file])
    new = package.load()
    assert (old.size, new.size) == (1, 7)
    assert catalogue.loaded_hash(package.path) == package.hash


def test_edits_of_one_size_within_one_second_are_all_seen(package):
    for size in [*range(10), *range(10)]:
        package.write("deep/tool.py", f"SIZE = {size}\n")
        os.utime(package.root / "deep/tool.py", (1_700_000_000, 1_700_000_000))
        assert package.load().size == size
        assert catalogue.loaded_hash(package.path) == package.hash
    assert not list(package.root.rglob("*.pyc"))


def test_an_untouched_copy_or_a_touched_file_is_no_change(package):
    loaded = package.load()
    os.utime(package.root / "base.py")
    copy = package.root / "copy"
    copy.write_bytes((package.root / "strategy.py").read_bytes())
    copy.rename(package.root / "strategy.py")
    assert package.load() is loaded


def test_a_file_that_is_not_python_is_named_and_cured_when_it_is_mended(package):
    package.load()
    (package.root / "deep/tool.py").write_text("SIZE = \n")
    with pytest.raises(catalogue.CatalogueError, match=r"SyntaxError: .*tool\.py, line 1") as caught:
        package.load()
    assert "\n" not in str(caught.value)
    with pytest.raises(catalogue.CatalogueError, match=r"SyntaxError: .*tool\.py, line 1"):
        catalogue.source_hash(package.path)
    package.write("deep/tool.py", "SIZE = 3\n")
    assert package.load().size == 3
    assert catalogue.loaded_hash(package.path) == package.hash


def test_a_helper_that_is_deleted_renamed_or_made_a_package_is_missed_and_found(package):
    package.load()
    (package.root / "deep/tool.py").rename(package.root / "deep/tools.py")
    with pytest.raises(catalogue.CatalogueError, match=r"No module named .*deep\.tool"):
        package.load()
    package.write("base.py", FILES["base.py"].replace("deep.tool ", "deep.tools "))
    assert package.load().size == 1
    (package.root / "deep/tools").mkdir()
    package.put("deep/tools/__init__.py", "SIZE = 5\n")
    assert package.load().size == 5
    assert catalogue.loaded_hash(package.path) == package.hash


def test_a_module_that_comes_to_exist_replaces_what_was_done_without_it(package):
    text = "try:\n    from .deep import late\n    SIZE = late.SIZE\nexcept ImportError:\n    SIZE = 1\n"
    package.write("base.py", f"{text}class Base:\n    size = SIZE\n")
    assert package.load().size == 1
    before = catalogue.loaded_hash(package.path)
    assert package.write("deep/late.py", "SIZE = 8\n") != before
    assert catalogue.loaded_hash(package.path) == before
    assert package.load().size == 8
    assert catalogue.loaded_hash(package.path) == package.hash


def test_an_edit_of_the_engine_makes_the_process_old_and_a_broken_file_does_not(monkeypatch):
    name = "algorithms.engine.loop"
    real = loaded_code.Disk().source(name)
    read = loaded_code.Disk.source
    edited = source_code.Source(name, real.file, real.data + b"\nMORE = 1\n")
    commented = source_code.Source(name, real.file, real.data + b"\n# more\n")
    broken = source_code.Source(name, real.file, b"def")

    def pretend(patch, source):
        patch.setattr(loaded_code.Disk, "source", lambda self, module: source if module == name else read(self, module))

    assert loaded_code.outdated() == []
    for source, outdated, unusable in ((edited, [name], []), (commented, [], []), (broken, [], [name])):
        with monkeypatch.context() as patch:
            pretend(patch, source)
            assert (loaded_code.outdated(), loaded_code.unusable()) == (outdated, unusable)
    pretend(monkeypatch, edited)
    with pytest.raises(loaded_code.OldCode, match=r"algorithms\.engine\.loop changed on disk"):
        loaded_code.require_current()
