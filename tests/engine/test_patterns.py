"""Patterns of option codes: the meaning that Python's `re.fullmatch` gives them, in linear time and little memory."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.engine import EngineError, patterns
from tests.engine.markets import Draft

CODES = st.text("EW1-$ab. ", max_size=6)
PARTS = st.sampled_from(
    ["E", "W", "1", "a", ".", "[EW]", "[^E]", "(E|W)", "E?", "W*", "1+", "a{1,2}", r"\d", r"\w", r"\."]
)
PATTERNS = st.builds(
    lambda start, parts, end: start + "".join(parts) + end,
    st.sampled_from(["", "^"]),
    st.lists(PARTS, max_size=4),
    st.sampled_from(["", "$"]),
)


@given(st.lists(st.one_of(PATTERNS, st.just("E|W1")), min_size=1, max_size=3), CODES)
def test_a_pattern_matches_the_whole_code_as_pythons_fullmatch_does(listed, code):
    for pattern in listed:
        patterns.check(pattern)
    assert patterns.matches_any(tuple(listed), code) == any(re.fullmatch(pattern, code) for pattern in listed)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing )"),
        ("a)|(b", "unexpected )"),
        (r"(E)\1", "back references"),
        ("(?=E)", "look-around"),
        ("(a{1000}){1000}", "invalid repetition size"),
        ("((a{30}){30}){30}", "invalid repetition size"),
        ("E" * 101, "it has 101 characters, and at most 100 are taken"),
        ("E\0", "a character that cannot be printed"),
        ("\ud800", "a character that cannot be printed"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(pattern, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        patterns.check(pattern)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(.*a{500}){2}", r"(\w+\s?)*$"])
def test_no_pattern_takes_long(pattern):
    """The first two take Python's `re` longer than anybody waits."""
    started = time.process_time()
    assert not patterns.matches_any((pattern,), "a" * 5000 + "!")
    assert time.process_time() - started < 5.0


def test_a_market_with_a_stored_pattern_that_cannot_be_used_says_so():
    with pytest.raises(EngineError, match="XX: the option code '.*' cannot be used: it is not a regular expression"):
        Draft(option_codes=("(?=E)",)).future("F", "2020-06-19").market()
