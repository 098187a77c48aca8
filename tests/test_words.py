"""What people read is in the field's terms: it has none of those that docs/style.md says not to use."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.paths import ROOT

PARTS_OF_TEMPLATES = re.compile(r"{%.*?%}|{{.*?}}|<script.*?</script>", re.DOTALL)


def terms() -> list[str]:
    """The first column of the table of terms not to use."""
    _, _, section = (ROOT / "docs" / "style.md").read_text().partition("## Terms not to use")
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[2:]
    return [term.strip() for row in rows for term in row.split(",")]


def messages(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of the strings of a Python file that are no docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def texts() -> Iterator[tuple[str, str]]:
    """(place, text) of everything that people read."""
    for package in ("algorithms", "exo_registry", "exoweb"):
        for file in sorted((ROOT / package).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            if "/migrations/" not in name:
                yield from ((f"{name}:{line}", text) for line, text in messages(file.read_text()))
    for file in sorted((ROOT / "templates").rglob("*.html")):
        yield str(file.relative_to(ROOT)), PARTS_OF_TEMPLATES.sub(" ", file.read_text())
    for file in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "Makefile",
        *sorted((ROOT / "docs").glob("*.md")),
    ]:
        if file.name != "style.md":
            yield file.name, file.read_text()


@pytest.fixture(scope="module")
def everything() -> list[tuple[str, str]]:
    return [(place, " ".join(text.split())) for place, text in texts()]


def test_the_table_is_read():
    assert {"mend", "nobody", "sign of life", "told"} <= set(terms())


@pytest.mark.parametrize("term", terms())
def test_nothing_that_people_read_has_a_term_not_to_use(everything, term):
    pattern = re.compile(rf"\b{re.escape(term)}(s|ed|ing)?\b", re.IGNORECASE)
    assert [place for place, text in everything if pattern.search(text)] == []


def test_counts_are_not_given_a_plural_by_hand():
    """`formats.text.counted` and the filter of that name do it."""
    pattern = re.compile(r"""(["'])(s|es)\1 (if|\*)|(["'])\4 if [^:}]+ else (["'])(s|es)\5""")
    files = [file for package in ("algorithms", "exo_registry", "exoweb") for file in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    assert [file.name for file in files if pattern.search(file.read_text())] == []
