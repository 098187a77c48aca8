"""YAML as registry files use it: plain data, nothing executed, nothing guessed.

PyYAML follows YAML 1.1, where 14:45 is the number 885, `no` is false and 2020-01-02 a date object. Here scalars
follow YAML 1.2: numbers, true, false and null; all else is text. A key given twice, and anchors and aliases
(a short file that unfolds to gigabytes), are refused.
"""

import re
from typing import Any

import yaml

from exo_registry.formats import json_text

LIMIT = 2_000_000  # characters; a registry of a thousand definitions is well below


class YamlError(ValueError):
    """The text is not usable YAML; the message has line and column."""


_SCALARS = [
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(
                None, None, "anchors (&) and aliases (*) are not used in registry files; write the value out",
                event.start_mark,
            )  # fmt: skip
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            problem = None
            if not isinstance(key, str):
                problem = f"the key {key!r} is not text; put it in quotes"
            elif key in seen:
                problem = f"the key {key!r} is given twice; keep one"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or 1.2 would read as something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _decimal_int(loader: _Loader, node: Any) -> int:
    """Base ten: YAML 1.2 has no octal 010."""
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal_int)
for _tag, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def read(text: str) -> Any:
    """The data of one YAML document; YamlError with line and column if it cannot be read."""
    if len(text) > LIMIT:
        raise YamlError(f"the file has {len(text):,} characters, and {LIMIT:,} is the limit")
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader: plain data only)
        json_text.check_storable(data)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(place + ", ".join(filter(None, (error.context, error.problem)))) from error
    except yaml.YAMLError as error:
        raise YamlError(f"not readable as YAML: {error}") from error
    except json_text.JsonError as error:
        raise YamlError(str(error).rstrip(".")) from error
    except ValueError as error:  # an integer of thousands of digits
        raise YamlError(f"not readable as YAML: {error}") from error
    except RecursionError as error:
        raise YamlError("nested too deeply to be a registry file") from error
    return data


def write(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
