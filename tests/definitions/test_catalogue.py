"""Loading algorithms by dotted path: what is allowed, and the words in which the rest is refused."""

import sys

import pytest

from algorithms.engine import Algorithm
from exo_registry.definitions import catalogue
from exo_registry.definitions.catalogue import CatalogueError, ParameterErrors

SAMPLES = "tests.definitions.samples"
READER = f"{SAMPLES}.good.Reader"

SHIPPED = [
    "algorithms.collar.BrokenWingCollar",
    "algorithms.collar.BullishCollar",
    "algorithms.continuous_future.ContinuousFuture",
    "algorithms.fixed_legs.FixedLegs",
    "algorithms.long_call.BullishCall",
    "algorithms.regime_spread.IchimokuSpread",
    "algorithms.regime_spread.SwingpointSpread",
    "algorithms.vertical_spread.VerticalSpread",
]


@pytest.fixture
def samples(settings):
    settings.ALGORITHM_PACKAGES = ["algorithms", SAMPLES]


@pytest.mark.parametrize("path", SHIPPED)
def test_shipped_algorithms_load_and_are_listed(path):
    assert issubclass(catalogue.load(path), Algorithm)
    assert path in [info.path for info in catalogue.available()]


def test_available_describes_each_algorithm(samples):
    by_path = {info.path: info for info in catalogue.available()}
    collar = by_path["algorithms.collar.BrokenWingCollar"]
    assert collar.title == "BrokenWingCollar"
    assert collar.directions == {"bullish": "Bullish{name}", "bearish": "Bearish{name}"}
    assert set(collar.schema["properties"]) == {"bullish", "bearish"}
    assert by_path[READER].summary == "Reads another series."
    assert f"{SAMPLES}.good._Private" not in by_path
    assert f"{SAMPLES}.abstract.Base" not in by_path
    assert f"{SAMPLES}.good.ContinuousFuture" not in by_path
    assert list(by_path) == sorted(by_path)


@pytest.mark.parametrize(
    ("path", "excerpt"),
    [
        ("", "is not a dotted path"),
        ("ContinuousFuture", "is not a dotted path"),
        ("algorithms..collar.X", "is not a dotted path"),
        ("algorithms.collar.BullishCollar()", "is not a dotted path"),
        ("algorithms.collar BullishCollar", "is not a dotted path"),
        ("os.system", "outside the allowed packages"),
        ("algorithmsx.collar.BullishCollar", "outside the allowed packages"),
        ("algorithms.engine.os.system", "there is no module algorithms.engine.os"),
        ("algorithms.colar.BrokenWingCollar", "Did you mean algorithms.collar.BrokenWingCollar"),
        ("algorithms.collar.BrokenWing", "has no class BrokenWing. Did you mean algorithms.collar.BrokenWingCollar"),
        ("algorithms.collar.BullishCollar.open", "there is no module algorithms.collar.BullishCollar"),
        ("algorithms.__main__.Run", "leading underscore"),
        ("algorithms.collar.__builtins__", "leading underscore"),
        ("algorithms.engine.algorithm.Algorithm", "is a base to build on"),
        ("algorithms.engine.Algorithm", "is a base to build on"),
        ("algorithms.collar.FixedLegs", "Use algorithms.fixed_legs.FixedLegs."),
        (f"{SAMPLES}.good.os", "is not an algorithm"),
        (f"{SAMPLES}.good.ContinuousFuture", "Use algorithms.continuous_future.ContinuousFuture."),
        (f"{SAMPLES}.abstract.Base", "is a base to build on"),
        (f"{SAMPLES}.abstract.NoAlgorithm", "is not an algorithm"),
        (f"{SAMPLES}.abstract.NUMBER", "is not an algorithm"),
        (f"{SAMPLES}.abstract.abstractmethod", "is not an algorithm"),
        (f"{SAMPLES}.good._Private", "leading underscore"),
    ],
)
def test_load_refuses(samples, path, excerpt):
    with pytest.raises(
        CatalogueError, match=r"Available: |Use algorithms|Did you mean|Write a class that extends it"
    ) as caught:
        catalogue.load(path)
    assert excerpt in str(caught.value)


@pytest.mark.parametrize("path", ["algorithms.colar.BrokenWingCollar", "BrokenWingCollar", "os.system", "a.b"])
def test_an_unknown_path_is_answered_in_short(path):
    """With the one that is near, or with a few of them: never with the whole catalogue."""
    with pytest.raises(catalogue.UnknownAlgorithm) as caught:
        catalogue.load(path)
    assert sum(shipped in str(caught.value) for shipped in SHIPPED) in (1, 3)
    assert caught.value.nearest == ("" if path in ("os.system", "a.b") else "algorithms.collar.BrokenWingCollar")


def test_nothing_outside_the_allowed_packages_is_imported():
    sys.modules.pop("antigravity", None)
    with pytest.raises(CatalogueError, match="outside the allowed packages"):
        catalogue.load("antigravity.Algorithm")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("module", "excerpt"),
    [
        ("raises", "cannot be imported: RuntimeError: no such luck. Fix"),
        ("needs_module", "cannot be imported: No module named 'a_module_that_nobody_has'. Fix"),
        ("leaves", "cannot be imported: SystemExit: 3"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(settings, module, excerpt):
    settings.ALGORITHM_PACKAGES = ["tests.definitions.broken_samples"]
    with pytest.raises(CatalogueError) as caught:
        catalogue.load(f"tests.definitions.broken_samples.{module}.X")
    assert excerpt in str(caught.value)


def test_broken_modules_do_not_hide_the_others(settings, caplog):
    settings.ALGORITHM_PACKAGES = ["tests.definitions.broken_samples", "algorithms"]
    assert SHIPPED[0] in [info.path for info in catalogue.available()]
    assert "tests.definitions.broken_samples.raises cannot be imported" in caplog.text


@pytest.mark.parametrize(
    ("directions", "excerpt"),
    [
        ({"": "{name}" + "x" * 77}, "the label 'ContFutxxx"),
        ({"d" * 17: "{name}"}, "the direction 'dddddddddddddddd… (cut, 17 characters)' is too long: at most 16"),
        ({"": "{nome}"}, "the label pattern '{nome}' cannot be used: KeyError: 'nome'"),
    ],
    ids=["label", "direction", "pattern"],
)
def test_a_label_that_a_series_cannot_be_named_after_is_refused(monkeypatch, directions, excerpt):
    """The longest symbol, the longest label and the line between them make the longest name of a series."""
    path = "algorithms.continuous_future.ContinuousFuture"
    algorithm = catalogue.load(path)
    monkeypatch.setattr(algorithm, "directions", {"": "{name}" + "x" * 76})
    assert len("S" * 16 + "_" + catalogue.labels(path, "ContFut")[""]) == 100
    monkeypatch.setattr(algorithm, "directions", directions)
    with pytest.raises(CatalogueError) as caught:
        catalogue.labels(path, "ContFut")
    assert excerpt in str(caught.value)


def test_labels_follow_the_directions():
    assert catalogue.labels("algorithms.continuous_future.ContinuousFuture", "ContFut") == {"": "ContFut"}
    assert catalogue.labels("algorithms.collar.BrokenWingCollar", "CollarBW") == {
        "bullish": "BullishCollarBW",
        "bearish": "BearishCollarBW",
    }


def test_build_gives_the_algorithm_with_its_parameters(samples):
    reader = catalogue.build(READER, {"weight": 2, "reads": ["A", "B"]})
    assert reader.parameters.weight == 2.0
    assert reader.needs() == ("A", "B")
    assert catalogue.build("algorithms.vertical_spread.VerticalSpread", {}, "put").direction == "put"


def test_build_refuses_an_unknown_direction():
    with pytest.raises(CatalogueError, match="no direction 'up'; it has 'call', 'put'"):
        catalogue.build("algorithms.vertical_spread.VerticalSpread", {}, "up")


@pytest.mark.parametrize(
    ("algorithm", "parameters", "name", "excerpt"),
    [
        ("Reader", {"wieght": 1}, "wieght", "is not a parameter of Reader. Did you mean weight?"),
        ("Reader", {"weight": 0}, "weight", "greater than 0 (given: 0)"),
        ("Reader", {"weight": 11}, "weight", "less than or equal to 10 (given: 11)"),
        ("Reader", {"weight": "2"}, "weight", "valid number (given: '2')"),
        ("Reader", {"count": True}, "count", "valid integer (given: True)"),
        ("Reader", {"count": 1.5}, "count", "valid integer"),
        ("Reader", {"weight": float("nan")}, "weight", "must be a finite number"),
        ("Reader", {"reads": ["ContFut", 3]}, "reads[1]", "valid string (given: 3)"),
        ("Reader", {"kind": "c"}, "kind", "'a' or 'b' (given: 'c')"),
        ("Reader", ["a"], "", "in braces, not ['a']"),
        ("Reader", {"weight": {1}}, "", "must be JSON"),
        ("Needy", {}, "threshold", "is needed and missing"),
        ("Picky", {"low": 2}, "", "low is above high"),
    ],
)
def test_build_names_the_parameter_that_it_refuses(samples, algorithm, parameters, name, excerpt):
    with pytest.raises(ParameterErrors) as caught:
        catalogue.build(f"{SAMPLES}.good.{algorithm}", parameters)
    [(path, message)] = caught.value.errors
    assert path == name
    assert excerpt in message


def test_build_reports_every_parameter_at_once_with_its_path():
    legs = [{"right": "C", "qty": 1, "delta": 2}, {"right": "F", "qty": 1, "strike": 3}]
    with pytest.raises(ParameterErrors) as caught:
        catalogue.build("algorithms.regime_spread.IchimokuSpread", {"bullish": {"legs": legs}, "base": 0})
    errors = dict(caught.value.errors)
    assert set(errors) == {"bullish.legs[0].delta", "bullish.legs[1].strike", "base"}
    assert errors["bullish.legs[1].strike"].startswith("is not a parameter of bullish.legs[1]. ")
    assert "Known: right, qty" in errors["bullish.legs[1].strike"]


@pytest.mark.parametrize(
    ("algorithm", "excerpt"), [("Unfinished", "is a base to build on"), ("Buggy", "line 48): KeyError: 'label'")]
)
def test_build_explains_a_class_that_falls_over(samples, algorithm, excerpt):
    with pytest.raises(CatalogueError) as caught:
        catalogue.build(f"{SAMPLES}.good.{algorithm}", {})
    assert excerpt in str(caught.value)


def test_the_parameters_known_at_a_place_are_listed_once():
    leg = {"right": "F", "qty": 1, "aaa": 1, "bbb": 2, "ofset": 0}
    with pytest.raises(ParameterErrors) as caught:
        catalogue.build("algorithms.fixed_legs.FixedLegs", {"legs": [leg]})
    assert dict(caught.value.errors) == {
        "legs[0].aaa": "is not a parameter of legs[0]. Known: right, qty, offset, delta, moneyness.",
        "legs[0].bbb": "is not a parameter of legs[0].",
        "legs[0].ofset": "is not a parameter of legs[0]. Did you mean offset?",
    }
