"""What an author's code may hand over: kept as JSON keeps it, or refused by name."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.engine import EngineError, values
from algorithms.engine.session import LEG_LIMIT
from algorithms.engine.text import describe, shorten

SIMPLE = st.dictionaries(st.sampled_from(["a", "b", "é", "not one", "\ud800"]), st.floats() | st.integers() | st.text())
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.dates() | st.binary()
NUMPY = (
    st.builds(np.float64, st.floats()) | st.builds(np.int64, st.integers(-5, 5)) | st.builds(np.bool_, st.booleans())
)
ANYTHING = st.recursive(
    LEAVES | NUMPY,
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(LEAVES)
    ),
)


def kept_or_refused(value: object) -> tuple[object, str]:
    """The value as it is kept, or why it is refused."""
    try:
        return values.plain(value, "record", 10_000), ""
    except EngineError as error:
        return None, str(error)


@given(SIMPLE | ANYTHING)
def test_a_value_is_kept_as_it_comes_back_from_json_or_is_refused(value):
    kept, reason = kept_or_refused(value)
    if reason:
        assert reason.startswith(("record", "a key of record"))
        assert len(reason) < 500
    else:
        stored = json.dumps(kept, allow_nan=False, ensure_ascii=False)
        assert json.loads(stored) == kept
        assert "\\u0000" not in stored.replace("\\\\", "")
        stored.encode()


@given(st.floats() | st.integers() | st.builds(np.float32, st.floats(width=32)) | st.fractions())
def test_a_quantity_is_a_finite_float_of_bounded_size_or_refused(value):
    try:
        kept = values.quantity(value)
    except EngineError:
        assert not abs(value) <= values.LARGEST_QUANTITY
    else:
        assert type(kept) is float
        assert kept == float(value)
        assert abs(kept) <= values.LARGEST_QUANTITY


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        ((1, 2), [1, 2]),
        ({"a": np.int8(1)}, {"a": 1}),
        (-0.0, 0.0),
    ],
)
def test_numpy_scalars_become_python_values(value, kept):
    made = values.plain(value, "record", 100)
    assert (made, type(made)) == (kept, type(kept))
    if isinstance(made, float):
        assert math.copysign(1.0, made) == 1.0


def test_a_size_at_the_limit_is_kept_and_one_above_it_refused():
    assert values.plain(["ab", 1.0], "record", 5) == ["ab", 1.0]
    with pytest.raises(EngineError, match="record is too large: at most 4 values and characters are kept"):
        values.plain(["ab", 1.0], "record", 4)


def test_a_list_that_holds_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(EngineError, match="nested more than 20 deep"):
        values.plain(endless, "record", 100)


def test_a_label_at_the_limit_is_kept_and_a_longer_one_refused():
    assert values.label("l" * LEG_LIMIT, "leg", LEG_LIMIT) == "l" * LEG_LIMIT
    with pytest.raises(EngineError, match=f"is too long: {LEG_LIMIT} characters are kept"):
        values.label("l" * (LEG_LIMIT + 1), "leg", LEG_LIMIT)


@given(st.text(st.characters()), st.integers(1, 50))
def test_a_shortened_text_can_be_stored_and_shown(text, limit):
    short = shorten(text, limit)
    assert "\0" not in short
    short.encode()
    assert short.startswith(text[:limit]) or not text[:limit].isascii() or "\0" in text[:limit]
    assert ("cut" in short) >= (len(text) > limit)


def test_an_error_is_described_by_class_and_text():
    assert describe(KeyError("a")) == "KeyError: 'a'"
    assert describe(ValueError()) == "ValueError"
