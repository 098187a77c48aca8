"""The algorithms there are: found, loaded and checked by dotted path.

A dotted path comes from whoever may edit a definition, so a path is code that a user chose to run. Three rules
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import pydantic
from django.conf import settings

from algorithms.engine import failures
from algorithms.engine.algorithm import Algorithm
from algorithms.engine.text import describe, message, shorten
from exo_registry.code import loaded_code, source_code
from exo_registry.formats.text import listed
from exo_registry.models import Product, Series
from exo_registry.models.bounds import LARGEST_NUMBER

from . import parameter_help

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

DIRECTION_LIMIT = Series._meta.get_field("direction").max_length
# A series is named SYMBOL_LABEL.
LABEL_LIMIT = Series._meta.get_field("name").max_length - Product._meta.get_field("exchangesymbol").max_length - 1


class CatalogueError(ValueError):
    """A path or its parameters cannot be used; the message says what, why, and what to do."""


class UnknownAlgorithm(CatalogueError):
    """A path that names no algorithm that may be used.

    `reason` says why; `nearest` is the path that was probably meant, empty if none is near.
    """

    def __init__(self, path: str, reason: str, advice: str = "") -> None:
        known = [_dotted(algorithm) for algorithm in _algorithms(_packages())]
        self.reason = reason
        self.nearest = _nearest(path, known)
        if self.nearest:
            remedy = f"Did you mean {self.nearest}?"
        elif known:
            remedy = f"Available: {listed(known)}; the admin's form offers them all."
        else:
            remedy = f"No algorithm was found in {', '.join(_packages())}."
        super().__init__(" ".join(filter(None, (reason, remedy, advice))))


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
    algorithm = vars(module).get(class_name)
    if algorithm is None:
        raise UnknownAlgorithm(path, f"{path}: {module_name} has no class {class_name}.")
    if not (inspect.isclass(algorithm) and issubclass(algorithm, Algorithm)):
        raise UnknownAlgorithm(path, f"{path} is not an algorithm: it does not extend {_dotted(Algorithm)}.")
    if _is_abstract(algorithm):
        raise _base_class(path)
    if algorithm.__module__ != module_name or algorithm.__qualname__ != class_name:
        elsewhere = _dotted(algorithm)
        reason = f"{path} is only imported there; it is defined as {elsewhere}."
        if source_code.inside(elsewhere, _packages()):
            raise CatalogueError(f"{reason} Use {elsewhere}.")
        raise UnknownAlgorithm(path, reason)
    return algorithm


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
    """The label of each direction for a definition called `name`: {"bullish": "BullishCollarBW", ...}.

    CatalogueError for a bad path, and for labels or directions that a series cannot be named after.
    """
    return {direction: _label(path, direction, pattern, name) for direction, pattern in load(path).directions.items()}


def _label(path: str, direction: str, pattern: str, name: str) -> str:
    try:
        label = pattern.format(name=name)
    except (LookupError, ValueError, AttributeError) as error:
        raise CatalogueError(
            f"{path}: the label pattern {pattern!r} cannot be used: {describe(error)}. "
            "Write {name} where the name of the definition goes."
        ) from error
    for what, text, limit in (("direction", direction, DIRECTION_LIMIT), ("label", label, LABEL_LIMIT)):
        if len(text) > limit:
            raise CatalogueError(
                f"{path}: the {what} {shorten(text, limit)!r} is too long: at most {limit} characters. "
                "Shorten the name of the definition, or the algorithm's `directions`."
            )
    return label


def source_hash(path: str, disk: loaded_code.Disk | None = None) -> str:
    """SHA-256 of the code on disk that the algorithm runs, the engine's session loop included.

    Comments, docstrings and layout do not count. `disk`: a view of the files that several paths share. CatalogueError
    if there is no such module, or if one of the files is not Python.
    """
    return _hash(path, (disk or loaded_code.Disk()).source)


def loaded_hash(path: str) -> str:
    """As `source_hash`, of the code that this process has loaded and runs."""
    disk = loaded_code.Disk()
    return _hash(path, lambda name: loaded_code.source(name, disk))


def source_modules(path: str) -> dict[str, str]:
    """A short hash of each module that `source_hash` is taken of. Raises as that."""
    return _versions(path, loaded_code.Disk().source)


def loaded_modules(path: str) -> dict[str, str]:
    """A short hash of each module that `loaded_hash` is taken of. Raises as that."""
    disk = loaded_code.Disk()
    return _versions(path, lambda name: loaded_code.source(name, disk))


def _hash(path: str, source_of: source_code.SourceOf) -> str:
    return _of_sources(path, source_of, source_code.fingerprint)


def _versions(path: str, source_of: source_code.SourceOf) -> dict[str, str]:
    reached = _of_sources(path, source_of, source_code.reachable)
    return {name: source.version for name, source in reached.items()}


def _of_sources(path: str, source_of: source_code.SourceOf, question: Callable[..., Answer]) -> Answer:
    """What one of `source_code`'s functions says of an algorithm's modules."""
    module_name, _ = _split(path)
    if source_of(module_name) is None:
        raise UnknownAlgorithm(path, f"{path}: there is no module {module_name} with a source file.")
    try:
        modules = [module_name, f"{loaded_code.ENGINE}.loop"]
        return question(modules, loaded_code.packages(), source_of)
    except (SyntaxError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CatalogueError(f"{path}: its code cannot be read: {reason}. Fix that file first.") from error


def _packages() -> tuple[str, ...]:
    return tuple(settings.ALGORITHM_PACKAGES)


def _split(path: str) -> tuple[str, str]:
    """Module and class of a path that has the right form and lies in an allowed package."""
    module_name, _, class_name = path.rpartition(".")
    parts = path.split(".")
    if not module_name or not all(part.isidentifier() for part in parts):
        raise UnknownAlgorithm(path, f"{path!r} is not a dotted path of a class.")
    if not source_code.inside(module_name, _packages()):
        raise UnknownAlgorithm(
            path,
            f"{path} is outside the allowed packages ({', '.join(_packages())}).",
            "An administrator of the server can allow another package with EXOWEB_ALGORITHM_PACKAGES.",
        )
    # A module such as __main__ is a script, and importing it would run it.
    if any(part.startswith("_") for part in parts):
        raise UnknownAlgorithm(path, f"{path} names something private (a leading underscore).")
    return module_name, class_name


def _import(module_name: str, path: str) -> ModuleType:
    try:
        with loaded_code.lock:
            return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and source_code.inside(module_name, [error.name]):
            raise UnknownAlgorithm(path, f"{path}: there is no module {error.name}.") from error
        raise CatalogueError(f"{path} cannot be imported: {message(error)}. Fix {module_name} first.") from error
    except BaseException as error:  # whatever a strategy's file does wrong is the author's to fix
        if failures.came_by_signal(error):
            raise
        raise CatalogueError(f"{path} cannot be imported: {describe(error)}. Fix {module_name} first.") from error


def _nearest(path: str, known: list[str]) -> str:
    """The algorithm whose path, or else whose class, is spelt nearest to the path's; empty if none is near."""
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.75)
    if near:
        return near[0]
    by_class = {dotted.rpartition(".")[2].lower(): dotted for dotted in known}
    names = difflib.get_close_matches(path.rpartition(".")[2].lower(), by_class, n=1, cutoff=0.6)
    return by_class[names[0]] if names else ""


def _base_class(path: str) -> CatalogueError:
    packages = " or ".join(_packages())
    return CatalogueError(
        f"{path} is a base to build on and computes nothing itself. Write a class that extends it in a module of "
        f"{packages}, and give the path of that class."
    )


def _algorithms(packages: tuple[str, ...]) -> list[type[Algorithm]]:
    algorithms = {
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
    return sorted(algorithms, key=_dotted)


def _modules(name: str) -> Iterator[ModuleType]:
    """The module and, if it is a package, all below it."""
    try:
        with loaded_code.lock:
            module = importlib.import_module(name)
    except BaseException as error:
        if failures.came_by_signal(error):
            raise
        logger.exception("%s cannot be imported; its algorithms are left out of the catalogue", name)
        return
    yield module
    for child in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if not child.name.startswith("_"):
            yield from _modules(f"{name}.{child.name}")


def _is_abstract(algorithm: type[Algorithm]) -> bool:
    return algorithm is Algorithm or inspect.isabstract(algorithm)


def _dotted(algorithm: type) -> str:
    return f"{algorithm.__module__}.{algorithm.__qualname__}"


def _summary(algorithm: type[Algorithm]) -> str:
    return (inspect.getdoc(algorithm) or "").partition("\n\n")[0].replace("\n", " ")


def _validated(path: str, algorithm: type[Algorithm], parameters: Any) -> pydantic.BaseModel:
    if not isinstance(parameters, dict):
        raise ParameterErrors(path, [("", f"Parameters are a set of names and values in braces, not {parameters!r}.")])
    try:
        if errors := list(_senseless_numbers(parameters)):
            raise ParameterErrors(path, errors)
        # as JSON and strictly: "2" is no number, true is no 1, and a list may still fill a tuple
        return algorithm.Parameters.model_validate_json(json.dumps(parameters), strict=True)
    except ParameterErrors:
        raise
    except TypeError as error:
        raise ParameterErrors(path, [("", f"Parameters must be JSON: {error}.")]) from error
    except pydantic.ValidationError as error:
        raise ParameterErrors(path, _explained(algorithm, error)) from error
    except BaseException as error:  # nested too deeply, or raised by a validator of the author's
        if failures.came_by_signal(error):
            raise
        where = failures.place(algorithm, error)
        raise ParameterErrors(path, [("", f"Parameters cannot be checked ({where}): {describe(error)}.")]) from error


def _construct(path: str, algorithm: type[Algorithm], parameters: Any, direction: str) -> Algorithm:
    """The algorithm itself, able to say what it needs. A class may refuse what its parameters allow one by one."""
    try:
        built = algorithm(parameters, direction)
        built.needs()
    except ValueError as error:
        raise ParameterErrors(path, [("", message(error))]) from error
    except NotImplementedError as error:
        raise _base_class(path) from error
    except BaseException as error:  # the author's to fix, and no reason for a form to fall over
        if failures.came_by_signal(error):
            raise
        where = failures.place(algorithm, error)
        raise CatalogueError(f"{path} cannot be made ({where}): {describe(error)}. Fix the class first.") from error
    return built


def _senseless_numbers(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """(place, message) of each number that is not finite, which JSON cannot keep, or too large to be meant."""
    if isinstance(value, int | float):
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            finite = isinstance(value, int) or math.isfinite(value)
            message = f"must be from {-LARGEST_NUMBER:,.0f} to {LARGEST_NUMBER:,.0f}"
            yield place, f"{message if finite else 'must be a finite number'}."
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _senseless_numbers(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _senseless_numbers(item, f"{place}[{number}]")


def _explained(algorithm: type[Algorithm], error: pydantic.ValidationError) -> list[tuple[str, str]]:
    """(path of the parameter, message) of each error; what is known at a place is listed once."""
    listed: set[tuple[Any, ...]] = set()
    return [_explain(algorithm, item, listed) for item in error.errors(include_url=False)]


def _explain(algorithm: type[Algorithm], item: Any, listed: set[tuple[Any, ...]]) -> tuple[str, str]:
    name = parameter_path(item["loc"])
    if item["type"] == "extra_forbidden":
        return name, _unknown_parameter(algorithm, item["loc"], listed)
    if item["type"] == "missing":
        return name, "is needed and missing."
    message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    given = item.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool | None) else ""
    return name, f"{message.rstrip('.')}{shown}."


def _unknown_parameter(algorithm: type[Algorithm], place: tuple[Any, ...], listed: set[tuple[Any, ...]]) -> str:
    """A near name if there is one; else all that are known, unless they have been listed for this place."""
    known = parameter_help.names_at(algorithm.Parameters.model_json_schema(), place[:-1])
    near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.7)
    owner = parameter_path(place[:-1]) or algorithm.__name__
    problem = f"is not a parameter of {owner}."
    if near:
        return f"{problem} Did you mean {near[0]}?"
    if place[:-1] in listed:
        return problem
    listed.add(place[:-1])
    return f"{problem} " + (f"Known: {', '.join(known)}." if known else "There are none.")


def parameter_path(place: tuple[Any, ...]) -> str:
    """A pydantic error's place as one would write it: bullish.legs[0].delta."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif str(part).isidentifier():  # pydantic's own names of union branches, such as function-after[...], do not
            text += f".{part}" if text else str(part)
    return text
