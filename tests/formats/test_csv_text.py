"""What a spreadsheet would run as a formula is text in every CSV file, and reads back as it was."""

import ast
import csv
import io
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_registry.formats import csv_text
from tests.paths import ROOT

FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(A1)",
    "\t=1",
    "\rfoo",
    "\nfoo",
    " =1+1",
    "\u00a0=1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(A1)",
    "﹦1+1",
    "'=1+1",
    "''@x",
    "-",
    "+1+1",
    "-1e",
    "=",
]
PLAIN = ["", "ES", "1+1", "a=b", "'", "'quoted'", "^EW$", "-1", "+1.5", "-.5", "1e-7", "-2.5E+10", "no = sign first"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text_and_comes_back(text):
    assert csv_text.guard(text) == f"'{text}"
    assert csv_text.unguard(f"'{text}") == text


@pytest.mark.parametrize("value", [*PLAIN, -1, -2.5, None, True, math.inf])
def test_other_text_and_numbers_stay(value):
    assert csv_text.guard(value) == value
    assert csv_text.unguard(value) == value


@given(st.one_of(st.text(), st.text("'=+-@＝ \t\r\n1e.", max_size=8)))
def test_every_text_comes_back(text):
    assert csv_text.unguard(csv_text.guard(text)) == text


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
def test_what_is_written_is_read_back_cell_by_cell(rows):
    written = "".join(csv_text.lines(["a", "b"], rows))
    header, *read = csv.reader(io.StringIO(written, newline=""))
    assert header == ["a", "b"]
    assert [[csv_text.unguard(cell) for cell in row] for row in read] == rows


def test_a_line_end_in_a_cell_does_not_start_a_row():
    """A lone carriage return that is not in quotes would, and what follows it would be a cell of its own."""
    assert list(csv_text.lines(["a"], [["x\r=1+1"], ["x\n=1+1"]])) == ["a\n", '"x\r=1+1"\n', '"x\n=1+1"\n']


def test_a_frame_keeps_its_numbers_and_loses_its_formulas():
    frame = pd.DataFrame({"=name": ["@x", None], "exo": [-0.1, math.nan], "n": [-3, 4]})
    assert "".join(csv_text.frame_lines(frame)) == "'=name,exo,n\n'@x,-0.1,-3\n,,4\n"


def test_no_other_module_writes_csv():
    """But for market packs, which are data for programs, and for tests and benchmarks."""
    others = []
    for path in sorted((ROOT / "exo_registry").rglob("*.py")):
        if path.name == "csv_text.py" or path.parent.name == "market":
            continue
        used = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        if used & {"to_csv", "DictWriter"} or "csv.writer" in path.read_text():
            others.append(path.name)
    assert others == []
