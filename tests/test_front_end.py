"""What a reader of templates and style sheets may rely on."""

import re

import pytest

from tests.paths import ROOT

STYLES = sorted((ROOT / "exo_registry" / "static" / "exo_registry").glob("*.css"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
COLOUR = re.compile(r"#[0-9a-f]{3,8}\b(?![^{]*\{)|\b(?:rgb|hsl|oklch)a?\(", re.IGNORECASE)


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_colours_stand_in_the_palette_alone(path):
    written = COLOUR.findall(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL))
    assert bool(written) == (path.name == "palette.css")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_of_templates_fit_a_screen(path):
    assert [number for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > 120] == []
