import pytest

from exo_registry.formats.json_differences import ABSENT, differences


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"a": 1.5}, [("a", 1, 1.5), ("b", 2, ABSENT)]),
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": None}, 3]}, [("a[1].b", "x", None), ("a[2]", ABSENT, 3)]),
        ({"a": True}, {"a": 1}, [("a", True, 1)]),
        ({"a": {"b": 1}}, {"a": 2}, [("a", {"b": 1}, 2)]),
    ],
)
def test_each_difference_is_named_by_its_place(old, new, expected):
    assert list(differences(old, new)) == expected
