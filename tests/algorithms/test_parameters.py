"""How an algorithm names the model of its parameters."""

import pytest
from pydantic import Field
from typing_extensions import TypeVar

from algorithms.engine import Algorithm, Parameters, call
from algorithms.fixed_legs import FixedLegs
from algorithms.regime_spread import IchimokuParameters, IchimokuSpread, RegimeParameters, RegimeSpread


class HoldParameters(Parameters):
    qty: int = Field(3, ge=1)


class Hold(Algorithm[HoldParameters]):
    pass


def test_the_type_argument_is_the_model():
    assert Hold.Parameters is HoldParameters
    assert Hold().parameters.qty == 3
    assert Hold(HoldParameters(qty=5)).parameters.qty == 5


def test_a_class_attribute_does_the_same():
    class Nested(Algorithm):
        class Parameters(Parameters):
            qty: int = 7

    assert Nested().parameters == Nested.Parameters(qty=7)


def test_no_argument_means_no_parameters():
    class Plain(Algorithm):
        pass

    assert Plain.Parameters is Parameters
    assert Plain().parameters == Parameters()


def test_a_subclass_inherits_the_model():
    class Other(Hold):
        pass

    assert Other.Parameters is HoldParameters


def test_a_generic_algorithm_takes_its_variable_s_bound_and_a_subclass_narrows_it():
    assert RegimeSpread.Parameters is RegimeParameters
    assert IchimokuSpread.Parameters is IchimokuParameters


def test_an_unbound_variable_stands_for_no_parameters():
    anything = TypeVar("anything", bound=Parameters)

    class Generic(Algorithm[anything]):
        pass

    assert Generic.Parameters is Parameters


def test_legs_of_a_preset_become_its_default_parameters():
    class Preset(FixedLegs):
        legs = [call(offset=1, qty=2)]

    assert Preset().parameters.legs == [call(offset=1, qty=2)]
    assert Preset.Parameters is not FixedLegs.Parameters
    with pytest.raises(ValueError, match="legs"):
        FixedLegs()
