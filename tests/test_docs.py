"""The documents say what is: variables, commands, files and packages that they name exist, and none is missing."""

import re

import pytest
from django.core.management import get_commands

from tests.paths import ROOT

README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
VARIABLE = r"(?:EXOWEB_[A-Z_]+|DATABASE_URL|MARKET_DATA_URI|REDIS_URL)"


def test_the_configuration_table_lists_every_variable():
    table = re.findall(rf"^\| `({VARIABLE})` \|", README, re.MULTILINE)
    assert sorted(table) == sorted(set(table))
    assert set(table) == set(re.findall(rf'"({VARIABLE})"', (ROOT / "exoweb/settings.py").read_text()))


def test_the_example_environment_has_known_variables_only():
    names = re.findall(r"^([A-Z_]+)=", (ROOT / "docs/deploy/exoweb.env").read_text(), re.MULTILINE)
    assert set(names) <= set(re.findall(VARIABLE, README))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_commands_exist(document):
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]
    assert not {name for name in re.findall(r"manage\.py ([a-z]+)", text) if name not in get_commands()}


def test_every_requirement_has_a_reason():
    own = (ROOT / "requirements.txt").read_text().partition("# What those need")[0]
    names = re.findall(r"^([A-Za-z][\w-]*)", own, re.MULTILINE)
    reasons = README.partition("## What it is made of")[2].lower().replace("_", "-")
    assert not [name for name in names if name.lower().replace("_", "-") not in reasons]
