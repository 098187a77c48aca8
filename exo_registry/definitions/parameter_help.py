"""What a form shows of an algorithm's parameters, read from their JSON schema."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
}
_NAMES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false", "null": "null"}


@dataclass(frozen=True, kw_only=True)
class ParameterHelp:
    """One row of a table: a parameter's name and texts about it."""

    name: str
    type: str
    default: str
    bounds: str
    help: str


@dataclass(frozen=True)
class ParameterTable:
    """The parameters of one part. `title` is empty for the algorithm's own, else a type such as `leg`."""

    title: str
    rows: list[ParameterHelp]


def tables(schema: Schema) -> list[ParameterTable]:
    """The algorithm's own parameters, then those of each part that they are made of. Empty: it has none."""
    parts = [("", schema)] + [(_title(part), part) for part in schema.get("$defs", {}).values()]
    every_table = [ParameterTable(title, list(_rows(schema, part))) for title, part in parts]
    return [table for table in every_table if table.rows]


def names_at(schema: Schema, place: tuple[Any, ...]) -> list[str]:
    """Names of the parameters that belong at a place of the parameters, such as ("bullish", "legs", 0)."""
    part: Schema = schema
    for step in place:
        part = _resolve(schema, part)
        part = part.get("items", {}) if isinstance(step, int) else part.get("properties", {}).get(step, {})
    return list(_resolve(schema, part).get("properties", {}))


def _rows(root: Schema, owner: Schema) -> Iterator[ParameterHelp]:
    for name, raw in owner.get("properties", {}).items():
        part = _resolve(root, raw)
        yield ParameterHelp(
            name=name,
            type=_type(root, part),
            default=_default(raw, required=name in owner.get("required", ())),
            bounds=", ".join(text.format(part[bound]) for bound, text in _BOUNDS.items() if bound in part),
            help=raw.get("description", part.get("description", "")),
        )


def _title(part: Schema) -> str:
    return part.get("title", "group").lower()


def _resolve(root: Schema, part: Schema) -> Schema:
    """The part itself behind a reference, or behind "this or null"."""
    if "$ref" in part:
        return _resolve(root, root["$defs"][part["$ref"].rpartition("/")[2]])
    choices = [choice for choice in part.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolve(root, choices[0]) if len(choices) == 1 else part


def _type(root: Schema, part: Schema) -> str:
    if "const" in part:
        return json.dumps(part["const"])
    if "enum" in part:
        return " or ".join(json.dumps(value) for value in part["enum"])
    if "anyOf" in part:
        return " or ".join(_type(root, _resolve(root, choice)) for choice in part["anyOf"])
    if part.get("type") == "array":
        return f"list of {_type(root, _resolve(root, part.get('items', {})))}"
    if "properties" in part:
        return _title(part)
    return _NAMES.get(part.get("type", ""), part.get("type", "any"))


def _default(raw: Schema, *, required: bool) -> str:
    if required:
        return "needed"
    default = _without_empty(raw.get("default"))
    return "" if default is None else json.dumps(default)


def _without_empty(value: Any) -> Any:
    """A default as one would write it: without the parts that are left out."""
    if isinstance(value, dict):
        return {name: _without_empty(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
