"""Random parameters for any algorithm, made from the types and bounds of its fields."""

import importlib
import inspect
import pkgutil
import types
from typing import Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import algorithms
from algorithms.engine import Algorithm, Leg

# Windows and waits small enough to matter on a market of some fifty sessions; legs that small chains can fill.
LARGEST = 6


def shipped() -> list[type[Algorithm]]:
    """Every algorithm in the package, bases apart: those that can say what they need."""
    modules = [
        importlib.import_module(entry.name)
        for entry in pkgutil.walk_packages(algorithms.__path__, "algorithms.")
        if not entry.name.startswith("algorithms.engine")
    ]
    return [
        member
        for module in modules
        for member in vars(module).values()
        if inspect.isclass(member)
        and issubclass(member, Algorithm)
        and member.__module__ == module.__name__
        and not _is_base(member)
    ]


def _is_base(algorithm: type[Algorithm]) -> bool:
    if inspect.isabstract(algorithm):
        return True
    try:
        algorithm(algorithm.Parameters.model_construct()).needs()
    except NotImplementedError:
        return True
    except (AttributeError, ValueError):  # needs parameters or a direction first
        return False
    return False


@st.composite
def legs(draw) -> Leg:
    right = draw(st.sampled_from("CPF"))
    leg = {"right": right, "qty": draw(st.sampled_from([-2.0, -1.0, 1.0, 3.0]))}
    if right != "F":
        sign = 1 if right == "C" else -1
        ways = {
            "offset": st.integers(-3, 3),
            "delta": st.sampled_from([0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95]).map(lambda size: sign * size),
            "moneyness": st.sampled_from([0.9, 0.97, 1.0, 1.04]),
        }
        way = draw(st.sampled_from([name for name in ways if name in Leg.model_fields]))
        leg[way] = draw(ways[way])
    return Leg(**leg)


def parameters(model: type[BaseModel]) -> st.SearchStrategy[BaseModel]:
    """Instances of a parameter model; combinations that it refuses are left out."""
    if model is Leg:
        return legs()
    fields = {name: _values(field.annotation, field) for name, field in model.model_fields.items()}
    return st.fixed_dictionaries(fields).map(lambda values: _try(model, values)).filter(lambda made: made is not None)


def _try(model: type[BaseModel], values: dict) -> BaseModel | None:
    try:
        return model(**values)
    except ValueError:
        return None


def _bound(field: FieldInfo | None, kinds: tuple, attribute: str, default):
    bounds = [getattr(item, attribute) for item in (field.metadata if field else []) if isinstance(item, kinds)]
    return bounds[0] if bounds else default


def _values(kind: object, field: FieldInfo | None = None) -> st.SearchStrategy:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(argument, field) for argument in arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (list, tuple):
        low, high = _bound(field, (MinLen,), "min_length", 0), _bound(field, (MaxLen,), "max_length", 3)
        return st.lists(_values(arguments[0]), min_size=low, max_size=min(high, low + 3))
    if kind is type(None):
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        low = _bound(field, (Ge,), "ge", _bound(field, (Gt,), "gt", -1) + 1)
        return st.integers(low, min(_bound(field, (Le,), "le", LARGEST), low + LARGEST))
    if kind is float:
        low, high = _bound(field, (Ge, Gt), "ge", None), _bound(field, (Le, Lt), "le", None)
        return st.floats(-1.0 if low is None else low, 1.0 if high is None else high, width=16)
    if kind is str:
        return st.text(max_size=5)
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return parameters(kind)
    raise TypeError(f"the tests cannot make up a {kind}: teach them in tests/engine/parameters.py")


@st.composite
def strategies(draw, algorithm: type[Algorithm]) -> tuple[BaseModel, str]:
    """Parameters and a direction; the default ones now and then."""
    direction = draw(st.sampled_from(sorted(algorithm.directions)))
    made = draw(parameters(algorithm.Parameters))
    default = _try(algorithm.Parameters, {})
    return (draw(st.sampled_from([made, made, default])) if default else made), direction
