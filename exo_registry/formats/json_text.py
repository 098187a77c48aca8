"""JSON in and out, strictly.

What `read` lets through can be stored in every database and means one thing to every reader: no key twice, no NaN,
no number that a float cannot hold, no text that cannot be encoded, no nesting without end. What `JsonAnswer` sends
can be read by every client: a value that is not finite is null.
"""

import json
import math
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.http import JsonResponse

from exo_registry.models.bounds import validate_text

DEEPEST = 32  # levels of objects and lists
MOST_DIGITS = 15  # of a whole number; with more, many readers of JSON lose some
# What stands where JSON goes wrong, and what to do about it.
REMEDIES = (
    (r"\Z", "the text ends too early: close what is open"),
    (r"'", "write texts in double quotes, not single ones"),
    (r"(True|False|None)\b", "write true, false and null, not True, False and None"),
    (r"[“”„«»]", "write texts in straight double quotes"),
    (r"//|/\*|#", "JSON has no comments: take them out"),
    (r"[A-Za-z_]", "put names and texts in double quotes"),
)
TRAILING_COMMA = re.compile(r",\s*[}\]]")


class JsonError(ValueError):
    """A text that is not JSON, or not of a kind that can be kept. The message is a sentence with the remedy."""


def read(text: str | bytes, *, lenient: bool = False) -> Any:
    """The value of a JSON text. Raises JsonError.

    lenient: leave values to the caller, who checks each by itself: every number is a float, one that is too large an
    infinity, and texts are as they came.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=float if lenient else _whole,
            parse_float=float if lenient else _finite,
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"Not JSON at line {error.lineno}, column {error.colno}: {_remedy(error)}.") from None
    except UnicodeDecodeError as error:
        raise JsonError(f"Not UTF-8 text: byte {error.start + 1} is wrong; send the text as UTF-8.") from None
    except RecursionError:
        raise JsonError(_too_deep()) from None
    if not lenient:
        check_storable(value)
    return value


def _remedy(error: json.JSONDecodeError) -> str:
    text, place = error.doc, error.pos
    before = len(text[:place].rstrip())
    if TRAILING_COMMA.match(text, place) or TRAILING_COMMA.match(text, max(before - 1, 0)):
        return "take out the comma before the closing bracket"
    if error.msg.startswith("Extra data"):
        return "there is more text after the end: send one value"
    if error.msg.startswith("Expecting ',' delimiter") and place < len(text):
        return "a comma, or a closing bracket, is missing before this place"
    remedy = next((remedy for pattern, remedy in REMEDIES if re.compile(pattern).match(text, place)), None)
    return remedy or f"{error.msg[0].lower()}{error.msg[1:]}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for name, value in pairs:
        if name in unique:
            raise JsonError(f"{_shown(name)} is given twice; keep one.")
        unique[name] = value
    return unique


def _no_constant(word: str) -> None:
    raise JsonError(f"{word} is no number that can be kept; give a finite one.")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise JsonError(f"{_shown(digits)} is too large; a whole number has at most {MOST_DIGITS} digits.")
    return int(digits)


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise JsonError(f"{_shown(digits)} is too large; give a finite number.")
    return value


def check_storable(value: Any) -> None:
    """Raises JsonError for data nested too deeply, or with a text that no database can keep."""
    pending = [(value, 1)]
    while pending:
        part, depth = pending.pop()
        if isinstance(part, dict | list):
            if depth > DEEPEST:
                raise JsonError(_too_deep())
            children = [*part, *part.values()] if isinstance(part, dict) else part
            pending += [(child, depth + 1) for child in children]
        elif isinstance(part, str):
            try:
                validate_text(part)
            except ValidationError as error:
                raise JsonError(f"{_shown(part)}: {error.message}") from None


def _too_deep() -> str:
    return f"Nested too deeply: at most {DEEPEST} levels of objects and lists are read."


def _shown(text: str) -> str:
    """Short, and without what cannot be printed."""
    return (text if len(text) <= 40 else f"{text[:37]}...").encode("unicode_escape").decode()


class JsonAnswer(JsonResponse):
    """A response in JSON that every reader can read: NaN and the infinities are null."""

    def __init__(self, data: Any, **options: Any) -> None:
        try:
            super().__init__(data, json_dumps_params={"allow_nan": False}, **options)
        except ValueError:
            super().__init__(finite(data), json_dumps_params={"allow_nan": False}, **options)


def finite(value: Any) -> Any:
    """The same data with None for each number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value
