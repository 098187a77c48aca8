"""Whether definitions fit together: names, dependencies, and whom a change would break."""

import dataclasses

import pytest

from exo_registry.definitions import Draft, definition_problems, draft_of
from exo_registry.definitions.validation import problems
from exo_registry.models import Definition

from .conftest import COLLAR, CONTFUT, READER, SPREAD


def messages(problems):
    return [(problem.definition, problem.field, problem.message) for problem in problems]


def only(draft):
    [problem] = definition_problems(draft)
    return problem


def test_a_sound_definition_has_no_problems(es, define):
    define("ContFut")
    assert definition_problems(Draft(name="CollarBW", algorithm=COLLAR, products=frozenset({"ES"}))) == []


def test_an_unknown_algorithm_is_told_at_the_algorithm(es):
    problem = only(Draft(name="X", algorithm="algorithms.nothing.X"))
    assert problem.field == "algorithm"
    assert "there is no module algorithms.nothing" in problem.message


def test_a_parameter_is_told_once_with_its_path_however_many_directions(es):
    problem = only(Draft(name="X", algorithm=COLLAR, parameters={"bullish": [{"right": "F", "qty": 0}]}))
    assert (problem.field, problem.path) == ("parameters", "bullish[0]")
    assert problem.message.startswith("bullish[0]: qty is 0")


@pytest.mark.parametrize(
    ("name", "algorithm", "excerpt"),
    [
        ("CallSpread", CONTFUT, "The series CallSpread would also be made by the definition Spread."),
        ("callspread", CONTFUT, "definition Spread (callspread and CallSpread differ in case only)."),
        ("PUTSPREAD", CONTFUT, "differ in case only"),
        ("spread", SPREAD, "The series Callspread would also be made by the definition Spread"),
    ],
)
def test_names_that_would_clash_are_refused(es, define, name, algorithm, excerpt):
    define("Spread", SPREAD)
    problems = definition_problems(Draft(name=name, algorithm=algorithm))
    assert {(problem.definition, problem.field) for problem in problems} == {(name, "name")}
    assert excerpt in problems[0].message


def test_a_disabled_definition_holds_its_names(es, define):
    define("Spread", SPREAD, enabled=False)
    assert "would also be made" in only(Draft(name="CallSpread", algorithm=CONTFUT)).message


def test_a_name_held_by_a_series_of_a_former_algorithm_is_refused(es, define):
    former = define("Spread", SPREAD)
    Definition.objects.filter(pk=former.pk).update(algorithm=CONTFUT)
    problem = only(Draft(name="CallSpread", algorithm=CONTFUT))
    assert problem.field == "name"
    assert "ES_CallSpread is already stored for the definition Spread. Choose another" in problem.message


def test_a_definition_does_not_clash_with_itself(es, define):
    definition = define("Spread", SPREAD)
    assert definition_problems(draft_of(definition, ["ES"])) == []


def test_a_dependency_that_nobody_makes_is_refused(samples, es, cl, define):
    define("ContFut", CONTFUT, es)
    problem = only(Draft(name="Reads", algorithm=READER))
    assert problem.field == "algorithm"
    assert problem.message == (
        "It reads the series ContFut of CL, which no enabled definition makes there. "
        "Add or enable a definition that makes ContFut on CL."
    )
    assert definition_problems(Draft(name="Reads", algorithm=READER, products=frozenset({"ES"}))) == []


def test_a_disabled_definition_needs_nothing(samples, es):
    assert definition_problems(Draft(name="Reads", algorithm=READER, enabled=False)) == []


def test_dependencies_in_a_circle_are_refused(samples, es, define):
    define("A", READER, es, parameters={"reads": ["B"]})
    problem = only(Draft(name="B", algorithm=READER, parameters={"reads": ["A"]}))
    assert problem.field == "algorithm"
    assert "in a circle: A reads B reads A." in problem.message


def test_a_series_that_reads_itself_is_refused(samples, es):
    assert "A reads A" in only(Draft(name="A", algorithm=READER, parameters={"reads": ["A"]})).message


@pytest.mark.parametrize("change", [{"enabled": False}, {"name": "Other"}, {"products": frozenset({"CL"})}])
def test_a_change_that_breaks_another_definition_is_told(samples, es, cl, define, change):
    contfut = define("ContFut", CONTFUT, es)
    define("Reads", READER, es)
    problem = only(dataclasses.replace(draft_of(contfut, ["ES"]), **change))
    assert problem.definition == "Reads"
    assert "It reads the series ContFut of ES" in problem.message


def test_problems_that_others_have_anyway_are_left_out(samples, es, define):
    define("Broken", "algorithms.gone.Gone")
    define("Reads", READER, parameters={"reads": ["Nothing"]})
    assert definition_problems(Draft(name="ContFut", algorithm=CONTFUT)) == []


def test_checking_takes_few_queries(es, define, django_assert_max_num_queries):
    for number in range(20):
        define(f"D{number}")
    with django_assert_max_num_queries(4):
        definition_problems(Draft(name="New", algorithm=CONTFUT))
    assert Definition.objects.count() == 20


def test_messages_are_not_repeated(samples, es, cl, define):
    problems = definition_problems(Draft(name="Reads", algorithm=READER, parameters={"reads": ["X", "X"]}))
    assert len(messages(problems)) == len(set(messages(problems))) == 1


def test_a_definition_whose_parameters_are_wrong_is_told_once_and_not_by_its_readers():
    swing = "algorithms.regime_spread.SwingpointSpread"
    readers = [Draft(name=name, algorithm=swing) for name in ("SwingA", "SwingB")]
    wrong = Draft(name="ContFut", algorithm=CONTFUT, parameters={"nonsense": 1})
    listed = problems([wrong, *readers], ["ES"])
    assert [(problem.definition, problem.field) for problem in listed] == [("ContFut", "parameters")]
