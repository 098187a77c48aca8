"""The OpenAPI 3.1 document of the API, made from its addresses and the types of their operations.

A view that has several addresses is described at the first of them.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

import pydantic
from django.conf import settings
from django.urls import URLPattern, URLResolver, reverse
from django.utils.regex_helper import normalize

from .auth import READING
from .endpoint import Answer, Endpoint, Operation
from .schemas import Error

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]  # which of the two schemas of a type is meant
REFERENCE = "#/components/schemas/{model}"
DESCRIPTION = """Series of futures and option strategies, their runs, and market data.

A request is made by an API token, sent as `Authorization: Bearer exo_…`; for reading, the token may also be the
password of HTTP Basic, with any user name. In a browser the log-in will do, where an operation takes it; then a request
that writes needs the page's CSRF token in the header `X-CSRFToken`.

Every error is a JSON object with `error`, a sentence that says what is wrong and what to do. Parameters that an address
does not know are refused."""
SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token, `exo_…`."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "To read: any user name, and an API token as the password.",
    },
}
# What any operation may refuse.
PROBLEMS = {
    400: "A parameter or the body cannot be used.",
    401: "Not authenticated: the token is missing, unknown or expired.",
    403: "The token lacks the scope, or its user the permission.",
    503: "What exoweb needs is unavailable, such as its database: try again later.",
}


def document(urlpatterns: Sequence[URLPattern | URLResolver]) -> Schema:
    """The document of the addresses below `api:index`."""
    operations = list(_operations(urlpatterns))
    schemas, components = _schemas([operation for _path, _method, _name, operation in operations])
    paths: dict[str, Schema] = {}
    for path, method, name, operation in operations:
        described = _operation(operation, path, f"{method.lower()}_{name.replace('-', '_')}", schemas)
        paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "exoweb", "version": settings.VERSION, "description": DESCRIPTION},
        "servers": [{"url": reverse("api:index").rstrip("/")}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SECURITY},
    }


def _operations(urlpatterns: Sequence[URLPattern | URLResolver]) -> Iterator[tuple[str, str, str, Operation]]:
    """(path, method, name of the address, operation) of each view's first address."""
    seen = set()
    for path, entry in _addresses(urlpatterns, "/"):
        view = entry.callback
        if isinstance(view, Endpoint) and view not in seen:
            seen.add(view)
            for method, operation in view.operations.items():
                yield path, method, entry.name or "", operation


def _addresses(urlpatterns: Sequence[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    """Each address with its path in OpenAPI's form: /runs/{pk}/."""
    for entry in urlpatterns:
        text, names = normalize(entry.pattern.regex.pattern.removeprefix("^"))[0]
        path = prefix + text % {name: f"{{{name}}}" for name in names}
        if isinstance(entry, URLResolver):
            yield from _addresses(entry.url_patterns, path)
        else:
            yield path, entry


def _schemas(operations: list[Operation]) -> tuple[dict[int, Schema], dict[str, Schema]]:
    """The schema of each type that is sent or answered, by the type's id; and the components that they refer to."""
    types: dict[int, tuple[Any, Mode]] = {id(Error): (Error, "serialization")}
    for operation in operations:
        if operation.body:
            types[id(operation.body.type)] = (operation.body.type, "validation")
        for answer in operation.answers.values():
            if answer.model is not None:
                types[id(answer.model)] = (answer.model, "serialization")
    inputs = [(key, mode, pydantic.TypeAdapter(kind)) for key, (kind, mode) in types.items()]
    by_key, definitions = pydantic.TypeAdapter.json_schemas(inputs, ref_template=REFERENCE)
    return {key: schema for (key, _mode), schema in by_key.items()}, definitions.get("$defs", {})


def _operation(operation: Operation, path: str, identifier: str, schemas: Mapping[int, Schema]) -> Schema:
    summary, _, rest = (inspect.getdoc(operation.handler) or "").partition("\n")
    reading = identifier.startswith(tuple(method.lower() for method in READING))
    described: Schema = {
        "operationId": identifier,
        "tags": [path.split("/")[1] if path.count("/") > 1 else "about"],
        "summary": summary,
        "parameters": [*_path_parameters(operation, path), *_query_parameters(operation)],
        "responses": _responses(operation, schemas),
        "security": [{"token": []}, {"basic": []}] if reading else [{"token": []}],
    }
    scope = f"The token has the scope `{operation.scope}`."
    described["description"] = "\n\n".join(filter(None, [rest.strip(), scope]))
    if operation.body:
        content = {"application/json": {"schema": schemas[id(operation.body.type)]}}
        described["requestBody"] = {"required": operation.body.required, "content": content}
    return described


def _path_parameters(operation: Operation, path: str) -> Iterator[Schema]:
    for name, kind in operation.parameters.items():
        if f"{{{name}}}" in path:
            yield {"name": name, "in": "path", "required": True, **_split(pydantic.TypeAdapter(kind).json_schema())}


def _query_parameters(operation: Operation) -> Iterator[Schema]:
    schema = operation.query.model_json_schema(by_alias=True)
    for name, part in schema.get("properties", {}).items():
        parameter = {"name": name, "in": "query", **_split(part)}
        if parameter["schema"].get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        yield parameter


def _split(schema: Schema) -> Schema:
    """A parameter's schema, without the null that is not sent, and its description."""
    given: Schema = next((part for part in schema.get("anyOf", []) if part.get("type") != "null"), {})
    merged = {name: value for name, value in (schema | given).items() if name not in ("anyOf", "title")}
    if merged.get("default", ...) is None:
        del merged["default"]
    description = merged.pop("description", None)
    return {"schema": merged} | ({"description": description} if description else {})


def _responses(operation: Operation, schemas: Mapping[int, Schema]) -> Schema:
    refusals = {
        status: {"description": text, "content": {"application/json": {"schema": schemas[id(Error)]}}}
        for status, text in (PROBLEMS | dict(operation.problems)).items()
    }
    refusals[401]["headers"] = {"WWW-Authenticate": _header("How a token can be sent.")}
    answers = {status: _answer(status, answer, schemas) for status, answer in operation.answers.items()}
    return {str(status): response for status, response in sorted((refusals | answers).items())}


def _answer(status: int, answer: Answer, schemas: Mapping[int, Schema]) -> Schema:
    response: Schema = {"description": answer.description or HTTPStatus(status).phrase}
    if answer.model is not None:
        response["content"] = {"application/json": {"schema": schemas[id(answer.model)]}}
        response["content"] |= {media: {"schema": {}} for media in answer.media}
    if answer.headers:
        response["headers"] = {name: _header(text) for name, text in answer.headers.items()}
    return response


def _header(description: str) -> Schema:
    return {"description": description, "schema": {"type": "string"}}
