"""Parameters in the words of the desk: `+1 P[-5], +1 F, -1 C[5]` for legs, `low 0.25, high 0.75` for the rest."""

from collections.abc import Mapping
from typing import Any

import pydantic


def readable(value: Any) -> str:
    """A parameter's value on one line; what is not set is left out, and nothing at all is a dash."""
    if isinstance(value, pydantic.BaseModel):
        value = value.model_dump(mode="json")
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, Mapping):
        if {"right", "qty"} <= value.keys():
            return leg(value)
        return ", ".join(f"{name} {nested(part)}" for name, part in value.items() if part is not None) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(readable(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def nested(value: Any) -> str:
    text = readable(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) and text != "–" else text


def leg(value: Mapping[str, Any]) -> str:
    """`+1 P[-5]` by strike offset, `-1 C delta 0.15` by anything else."""
    chosen = {name: part for name, part in value.items() if name not in ("right", "qty") and part is not None}
    text = f"{value['qty']:+g} {value['right']}"
    if (offset := chosen.pop("offset", None)) is not None:
        text += f"[{offset}]"
    return " ".join([text, *(f"{name} {readable(part)}" for name, part in chosen.items())])
