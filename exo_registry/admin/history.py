"""The history of definitions and products: each change in full, and of JSON only the parts that differ."""

import json
from typing import Any

from django.http import HttpRequest
from django.utils.text import capfirst
from simple_history.admin import SimpleHistoryAdmin
from simple_history.models import HistoricalChanges, ModelChange, ModelDelta
from simple_history.template_utils import HistoricalRecordContextHelper

from exo_registry.formats.json_differences import ABSENT, differences

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
            {"field": f"{field}, {place}", "old": _text(old), "new": _text(new)}
            for place, old, new in differences(change.old, change.new)
        ]


def _text(value: Any) -> str:
    return NOTHING if value is ABSENT else json.dumps(value, ensure_ascii=False)
