"""The history of definitions and products: each change in full, and of JSON only the parts that differ."""

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.utils.text import capfirst
from simple_history.admin import SimpleHistoryAdmin
from simple_history.models import HistoricalChanges, ModelChange, ModelDelta
from simple_history.template_utils import HistoricalRecordContextHelper

NOTHING = "none"
LONGEST = 2000  # characters of a value; a longer one is cut around its first difference


class HistoryAdmin(SimpleHistoryAdmin):
    """An admin page whose history says what was changed."""

    def get_historical_record_context_helper(
        self, request: HttpRequest, historical_record: HistoricalChanges
    ) -> HistoricalRecordContextHelper:
        return _Changes(self.model, historical_record, max_displayed_delta_change_chars=LONGEST)


class _Changes(HistoricalRecordContextHelper):
    def context_for_delta_changes(self, delta: ModelDelta) -> list[dict[str, Any]]:
        """A dict a row of the table, with the keys "field", "old" and "new"; several for a JSON object."""
        rows = []
        for change in delta.changes:
            if isinstance(change.old, dict) and isinstance(change.new, dict):
                rows += self._changes_within(change)
            else:
                shown = self.format_delta_change(change)
                rows.append({"field": shown.field, "old": shown.old or NOTHING, "new": shown.new or NOTHING})
        return rows

    def _changes_within(self, change: ModelChange) -> list[dict[str, Any]]:
        field = capfirst(self.model._meta.get_field(change.field).verbose_name)
        return [
            {"field": f"{field}, {path}", "old": old, "new": new}
            for path, old, new in differences(change.old, change.new)
        ]


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Where two JSON values differ: the path, as `legs[0].delta`, and both values as JSON ("none": absent)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _compared(old, new, name, f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _compared(dict(enumerate(old)), dict(enumerate(new)), index, f"{path}[{index}]")
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, _text(old), _text(new)


def _compared(old: dict[Any, Any], new: dict[Any, Any], key: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if key not in old:
        yield path, NOTHING, _text(new[key])
    elif key not in new:
        yield path, _text(old[key]), NOTHING
    else:
        yield from differences(old[key], new[key], path)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
