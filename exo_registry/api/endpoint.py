"""What every address of the API shares: methods, who may, parameters and bodies, and refusals as JSON with a sentence.

An address has one operation a method. An operation says in types what it takes and answers; requests are parsed by
those types, and `openapi` writes them down.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import pydantic
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

from algorithms.engine.text import shorten
from exo_registry.formats import json_text
from exo_registry.models import Scope

from .auth import authorise
from .problem import Problem

LONGEST_SHOWN = 60  # characters of a value that a refusal repeats


class Query(pydantic.BaseModel):
    """The parameters of an address. One that is unknown, or given twice, is refused: a misspelt `form` must not return
    everything."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


QueryModel = TypeVar("QueryModel", bound=Query)


@dataclass(frozen=True)
class Body:
    """The JSON that an operation takes: its type, and what reads it from a request (raises Problem)."""

    type: Any
    read: Callable[[HttpRequest], Any]
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """What an operation answers with one status. media: content types besides JSON; headers: with their meanings."""

    model: Any = None
    description: str = ""
    media: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One method of an address.

    handler: called with the request and the arguments of the address; with `query` and `body`, parsed, if it has such
    parameters. answers: by status. problems: the statuses of its own refusals, with their meanings. session: whether a
    browser's session will do, too.
    """

    handler: Callable[..., HttpResponse]
    scope: Scope
    answers: Mapping[int, Answer]
    problems: Mapping[int, str]
    body: Body | None
    session: bool

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """The types of the handler's parameters by name, but for the request."""
        types = inspect.get_annotations(self.handler, eval_str=True)
        return {name: types[name] for name in list(inspect.signature(self.handler).parameters)[1:]}

    @property
    def query(self) -> type[Query]:
        return self.parameters.get("query", Query)

    def __call__(self, request: HttpRequest, **arguments: object) -> HttpResponse:
        authorise(request, self.scope, session=self.session)
        query = read_query(request, self.query)
        if "query" in self.parameters:
            arguments["query"] = query
        if self.body:
            arguments["body"] = self.body.read(request)
        return self.handler(request, **arguments)


def operation(
    scope: Scope = Scope.READ,
    *,
    answers: Mapping[int, Answer] | None = None,
    problems: Mapping[int, str] | None = None,
    body: Body | None = None,
    session: bool = True,
) -> Callable[[Callable[..., HttpResponse]], Operation]:
    """A function of a request as an operation, for those who may use the API for `scope`; see `Operation`."""
    return lambda handler: Operation(handler, scope, answers or {}, problems or {}, body, session)


class Endpoint:
    """A view of the API: `Endpoint(get=…, post=…)`. HEAD is answered as GET is. `operations`: by method."""

    def __init__(self, **operations: Operation) -> None:
        self.operations = {method.upper(): operation for method, operation in operations.items()}
        self.methods = [method for name in self.operations for method in ([name, "HEAD"] if name == "GET" else [name])]
        # What Django's middleware goes by: `authorise` asks for the log-in, and for a session's CSRF token.
        self.login_required = False
        self.csrf_exempt = True

    def __call__(self, request: HttpRequest, **arguments: object) -> HttpResponse:
        try:
            response = self._operation(request.method)(request, **arguments)
        except Problem as problem:
            response = problem.response()
        patch_cache_control(response, private=True, no_cache=True)
        return response

    def _operation(self, method: str | None) -> Operation:
        """Raises Problem for a method that is not allowed."""
        if method not in self.methods:
            allowed = ", ".join(self.methods)
            message = f"{method} is not allowed at this address; use {allowed}."
            raise Problem(message, 405, headers={"Allow": allowed})
        return self.operations["GET" if method == "HEAD" else method]


def answer(
    model: pydantic.BaseModel, status: int = HTTPStatus.OK, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A model as JSON, under the names that its fields have for callers."""
    return json_text.JsonAnswer(model.model_dump(by_alias=True), status=status, headers=headers)


def read_query(request: HttpRequest, model: type[QueryModel]) -> QueryModel:
    """The parameters of the address. Raises Problem, which names the parameter."""
    for name, values in request.GET.lists():
        if len(values) > 1:
            raise Problem(f"{name} is given twice; keep one.", parameter=name)
    try:
        return model.model_validate(request.GET.dict())
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise Problem(_refusal(model, name, first), parameter=name) from None


def _refusal(model: type[Query], name: str, error: Mapping[str, Any]) -> str:
    schema = model.model_json_schema(by_alias=True)
    if error["type"] == "extra_forbidden":
        known = ", ".join(schema["properties"])
        return f"Unknown parameter {name!r}; {f'known here: {known}' if known else 'this address takes none'}."
    if error["type"] == "value_error":
        return f"{name}={error['ctx']['error']}."
    shown = f"{name}={shorten(repr(error['input']), LONGEST_SHOWN)}"
    for part in _alternatives(schema["properties"].get(name, {})):
        if "enum" in part:
            return f"{shown} is not one of {', '.join(part['enum'])}."
        if "maximum" in part:
            return f"{shown} is not a number from {part['minimum']:,.10g} to {part['maximum']:,.10g}."
    return f"{shown} is refused: {error['msg'][0].lower()}{error['msg'][1:]}."


def _alternatives(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema, or those that it is any of."""
    yield from schema.get("anyOf", [schema])


def json_body(
    request: HttpRequest, *, most_bytes: int, too_large: str, empty: bytes = b"", lenient: bool = False
) -> Any:
    """The value of a JSON body. Raises Problem: 413 with the message `too_large`, 400 for what is not JSON.

    empty: what an empty body stands for. lenient: as for `json_text.read`.
    """
    try:
        if len(request.body) > most_bytes:
            raise RequestDataTooBig
        return json_text.read(request.body or empty, lenient=lenient)
    except RequestDataTooBig:
        raise Problem(too_large, 413) from None
    except json_text.JsonError as error:
        raise Problem(f"The body cannot be used: {error}") from None
