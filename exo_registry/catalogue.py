"""The algorithms there are: found, loaded and checked by dotted path.

A dotted path comes from whoever may edit a definition, so a path is code somebody chose to run. Three rules
keep that to the code the desk put there: the module lies in one of settings.ALGORITHM_PACKAGES and that is
checked before anything is imported; the name after the last dot is looked up in the module itself, so a path
cannot walk through an attribute; and the class must be defined in that very module, so a name that a strategy
happens to import (`os`, or another strategy) is not an algorithm.
"""

import difflib
import importlib
import inspect
import json
import logging
import math
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import pydantic
from django.conf import settings

from algorithms.engine.algorithm import Algorithm
from exo_registry import parameter_help, source_code

logger = logging.getLogger(__name__)

ENGINE = "algorithms.engine"


class CatalogueError(ValueError):
    """A path or its parameters cannot be used; the message says what, why, and what to do."""


class ParameterErrors(CatalogueError):
    """Parameters that an algorithm refuses. `errors` lists (path of the parameter, message)."""

    def __init__(self, path: str, errors: list[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__(f"{path}: " + "; ".join(f"{name}: {text}" if name else text for name, text in errors))


@dataclass(frozen=True, kw_only=True)
class AlgorithmInfo:
    """What a form shows of an algorithm. `schema` is the JSON schema of its parameters."""

    path: str
    title: str
    summary: str
    directions: dict[str, str]
    schema: dict[str, Any]


def load(path: str) -> type[Algorithm]:
    """The algorithm class at a dotted path; CatalogueError if there is none that may be used."""
    module_name, class_name = _split(path)
    module = _import(module_name, path)
    found = vars(module).get(class_name)
    if found is None:
        raise CatalogueError(f"{path}: {module_name} has no class {class_name}. {_remedy(path)}")
    if not (inspect.isclass(found) and issubclass(found, Algorithm)):
        raise CatalogueError(f"{path} is not an algorithm: it does not extend {_dotted(Algorithm)}. {_remedy(path)}")
    if found.__module__ != module_name or found.__qualname__ != class_name:
        elsewhere = _dotted(found)
        remedy = f"Use {elsewhere}." if source_code.inside(elsewhere, _packages()) else _remedy(path)
        raise CatalogueError(f"{path} is only imported there; it is defined as {elsewhere}. {remedy}")
    if _is_abstract(found):
        raise CatalogueError(f"{path} is a base to build on and computes nothing itself. {_remedy(path)}")
    return found


def available() -> list[AlgorithmInfo]:
    """Every algorithm in the allowed packages, by path. A module that cannot be imported is logged and left out."""
    return [
        AlgorithmInfo(
            path=_dotted(algorithm),
            title=algorithm.__name__,
            summary=_summary(algorithm),
            directions=dict(algorithm.directions),
            schema=algorithm.Parameters.model_json_schema(),
        )
        for algorithm in _algorithms(_packages())
    ]


def build(path: str, parameters: dict[str, Any], direction: str = "") -> Algorithm:
    """An algorithm ready to run. ParameterErrors names each parameter it refuses; CatalogueError a bad path."""
    algorithm = load(path)
    if direction not in algorithm.directions:
        known = ", ".join(repr(name) for name in algorithm.directions)
        raise CatalogueError(f"{path} has no direction {direction!r}; it has {known}.")
    return _construct(path, algorithm, _validated(path, algorithm, parameters), direction)


def labels(path: str, name: str) -> dict[str, str]:
    """The label of each direction for a definition called `name`: {"bullish": "BullishCollarBW", ...}."""
    return {direction: pattern.format(name=name) for direction, pattern in load(path).directions.items()}


def source_hash(path: str) -> str:
    """SHA-256 of the code that the algorithm runs, the engine's session loop included.

    Comments, docstrings and layout do not count. The code is read once a process.
    """
    return _source_hash(load(path), (*_packages(), ENGINE))


@cache
def _source_hash(algorithm: type[Algorithm], packages: tuple[str, ...]) -> str:
    classes = [parent.__module__ for parent in algorithm.__mro__]
    return source_code.fingerprint([*classes, f"{ENGINE}.loop"], packages)


def _packages() -> tuple[str, ...]:
    return tuple(settings.ALGORITHM_PACKAGES)


def _split(path: str) -> tuple[str, str]:
    """Module and class of a path that has the right form and lies in an allowed package."""
    module_name, _, class_name = path.rpartition(".")
    parts = path.split(".")
    if not module_name or not all(part.isidentifier() for part in parts):
        raise CatalogueError(f"{path!r} is not a dotted path of a class. {_remedy(path)}")
    if not source_code.inside(module_name, _packages()):
        raise CatalogueError(
            f"{path} is outside the allowed packages ({', '.join(_packages())}). {_remedy(path)} "
            "Whoever runs the server can allow another package with EXOWEB_ALGORITHM_PACKAGES."
        )
    # A module such as __main__ is a script, and importing it would run it.
    if any(part.startswith("_") for part in parts):
        raise CatalogueError(f"{path} names something private (a leading underscore). {_remedy(path)}")
    return module_name, class_name


def _import(module_name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and source_code.inside(module_name, [error.name]):
            raise CatalogueError(f"{path}: there is no module {error.name}. {_remedy(path)}") from error
        raise CatalogueError(f"{path} cannot be imported: {error}. Mend {module_name} first.") from error
    except (Exception, SystemExit) as error:  # whatever a strategy's file does wrong is the author's to mend
        reason = f"{type(error).__name__}: {error}"
        raise CatalogueError(f"{path} cannot be imported: {reason}. Mend {module_name} first.") from error


def _remedy(path: str) -> str:
    """Nearest algorithms, and all there are."""
    known = [_dotted(algorithm) for algorithm in _algorithms(_packages())]
    if not known:
        return f"No algorithm was found in {', '.join(_packages())}."
    near = difflib.get_close_matches(path, known, n=2, cutoff=0.75)
    if not near:
        short = {dotted.rpartition(".")[2].lower(): dotted for dotted in known}
        names = difflib.get_close_matches(path.rpartition(".")[2].lower(), short, n=2, cutoff=0.6)
        near = [short[name] for name in names]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{hint}Available: {', '.join(known)}."


def _algorithms(packages: tuple[str, ...]) -> list[type[Algorithm]]:
    found = {
        member
        for package in packages
        for module in _modules(package)
        for member in vars(module).values()
        if inspect.isclass(member)
        and issubclass(member, Algorithm)
        and member.__module__ == module.__name__
        and not member.__name__.startswith("_")
        and not _is_abstract(member)
    }
    return sorted(found, key=_dotted)


def _modules(name: str) -> Iterator[ModuleType]:
    """The module and, if it is a package, all below it."""
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit):
        logger.exception("%s cannot be imported; its algorithms are left out of the catalogue", name)
        return
    yield module
    for child in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if not child.name.startswith("_"):
            yield from _modules(f"{name}.{child.name}")


def _is_abstract(algorithm: type[Algorithm]) -> bool:
    return algorithm is Algorithm or inspect.isabstract(algorithm)


def _dotted(found: type) -> str:
    return f"{found.__module__}.{found.__qualname__}"


def _summary(algorithm: type[Algorithm]) -> str:
    return (inspect.getdoc(algorithm) or "").partition("\n\n")[0].replace("\n", " ")


def _validated(path: str, algorithm: type[Algorithm], parameters: Any) -> pydantic.BaseModel:
    if not isinstance(parameters, dict):
        raise ParameterErrors(path, [("", f"Parameters are a set of names and values in braces, not {parameters!r}.")])
    if errors := [(name, "must be a finite number.") for name in _not_finite(parameters)]:
        raise ParameterErrors(path, errors)
    try:  # as JSON and strictly: "2" is no number, true is no 1, and a list may still fill a tuple
        return algorithm.Parameters.model_validate_json(json.dumps(parameters), strict=True)
    except TypeError as error:
        raise ParameterErrors(path, [("", f"Parameters must be JSON: {error}.")]) from error
    except pydantic.ValidationError as error:
        errors = [_explain(algorithm, item) for item in error.errors(include_url=False)]
        raise ParameterErrors(path, errors) from error


def _construct(path: str, algorithm: type[Algorithm], parameters: Any, direction: str) -> Algorithm:
    """The algorithm itself, able to say what it needs. A class may refuse what its parameters allow one by one."""
    try:
        built = algorithm(parameters, direction)
        built.needs()
    except ValueError as error:
        raise ParameterErrors(path, [("", str(error))]) from error
    except NotImplementedError as error:
        raise CatalogueError(f"{path} is a base to build on and computes nothing itself. {_remedy(path)}") from error
    except Exception as error:  # the author's to mend, and no reason for a form to fall over
        raise CatalogueError(
            f"{path} cannot be made: {type(error).__name__}: {error}. Mend the class first."
        ) from error
    return built


def _not_finite(value: Any, place: str = "") -> Iterator[str]:
    """Where a value holds NaN or an infinity, which JSON cannot keep."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _not_finite(item, f"{place}[{number}]")


def _explain(algorithm: type[Algorithm], item: Any) -> tuple[str, str]:
    """(path of the parameter, message) of one pydantic error."""
    name = parameter_path(item["loc"])
    if item["type"] == "extra_forbidden":
        return name, _unknown_parameter(algorithm, item["loc"])
    if item["type"] == "missing":
        return name, "is needed and missing."
    message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    given = item.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool | None) else ""
    return name, f"{message.rstrip('.')}{shown}."


def _unknown_parameter(algorithm: type[Algorithm], place: tuple[Any, ...]) -> str:
    known = parameter_help.names_at(algorithm.Parameters.model_json_schema(), place[:-1])
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    listed = f"Known: {', '.join(known)}." if known else "There are none."
    owner = parameter_path(place[:-1]) or algorithm.__name__
    return f"is not a parameter of {owner}. {hint}{listed}"


def parameter_path(place: tuple[Any, ...]) -> str:
    """A pydantic error's place as one would write it: bullish.legs[0].delta."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif str(part).isidentifier():  # pydantic's own names of union branches, such as function-after[...], do not
            text += f".{part}" if text else str(part)
    return text
