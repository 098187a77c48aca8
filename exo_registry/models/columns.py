"""Rows of a model made from the few columns that are needed of it, for lists of thousands."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

from django.db.models import JSONField, Model, TextField
from django.db.models.functions import Cast

Row = TypeVar("Row", bound=Model)


class Columns(Generic[Row]):
    """Some fields of a model, by the names of their columns; `path` leads to them from the model that is asked.

    `expressions` are for `values_list`, and `row` makes a row of what they gave. JSON is read as text and each text
    decoded once, so that rows share its value.
    """

    def __init__(self, model: type[Row], names: Iterable[str], path: str = "") -> None:
        wanted = set(names)
        fields = [field for field in model._meta.concrete_fields if field.attname in wanted]
        self.expressions: list[str | Cast] = [
            Cast(path + field.attname, TextField()) if isinstance(field, JSONField) else path + field.attname
            for field in fields
        ]
        self._model = model
        self._names = frozenset(field.attname for field in fields)
        self._json = [place for place, field in enumerate(fields) if isinstance(field, JSONField)]
        self._decoded = cache(json.loads)

    def __len__(self) -> int:
        return len(self.expressions)

    def row(self, database: str, values: Sequence[Any]) -> Row:
        """The row of these values; what other fields hold is read when it is asked for."""
        plain = list(values)
        for place in self._json:
            if plain[place] is not None:
                plain[place] = self._decoded(plain[place])
        return self._model.from_db(database, self._names, plain)
