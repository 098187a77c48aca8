"""Counts read as English, on pages, in messages and in the shell."""

import pytest
from django.template import Context, Template

from exo_registry.formats.text import counted, listed


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (2, "row", "2 rows"),
        (1234, "row", "1,234 rows"),
        (1, "series", "1 series"),
        (3, "series", "3 series"),
        (2, "address", "2 addresses"),
        (2, "recovery", "2 recoveries"),
        (2, "day", "2 days"),
        (2, "more line", "2 more lines"),
    ],
)
def test_a_noun_follows_its_count(count, noun, text):
    assert counted(count, noun) == text
    assert Template("{% load exoweb %}{{ count|counted:noun }}").render(Context({"count": count, "noun": noun})) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 steps wait"), (1, "1 step waits"), (2, "2 steps wait")])
def test_a_verb_follows_too(count, text):
    assert counted(count, "step waits", "steps wait") == text
    page = Template('{% load exoweb %}{{ count|counted:"step waits,steps wait" }}')
    assert page.render(Context({"count": count})) == text


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["ES"], "ES"), ([7, 8], "7, 8"), (["ES", "CL", "NG", "GC"], "ES, CL and 2 more")]
)
def test_a_long_list_is_cut_and_says_how_much(names, text):
    assert listed(names, limit=2) == text
