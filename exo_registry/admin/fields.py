"""Form fields for values that a plain text box would make hard to write: months, codes, JSON, known names."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from exo_registry.formats import json_text
from exo_registry.models.product import all_months

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class MonthsField(forms.TypedMultipleChoiceField):
    """Months as check boxes; the value is a list of numbers from 1 to 12."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("initial", all_months)  # a declared field does not take the model's default
        super().__init__(choices=list(enumerate(MONTHS, start=1)), coerce=int, **kwargs)
        self.error_messages["required"] = "Choose at least one month."

    def has_changed(self, initial: Any, data: Any) -> bool:
        return {str(month) for month in initial or ()} != {str(month) for month in data or ()}


class LinesField(forms.CharField):
    """A list of texts, one a line; blank lines do not count."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)
        self.widget.attrs |= {"rows": 3, "class": "vLargeTextField code", "spellcheck": "false"}

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)


class ParametersField(forms.CharField):
    """An algorithm's parameters as JSON. Says where the text is wrong, and refuses a name given twice."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=True, **kwargs)
        self.widget.attrs |= {
            "rows": 16,
            "class": "vLargeTextField code",
            "spellcheck": "false",
            "aria-label": "Parameters as JSON",
        }

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else pretty_json({} if value is None else value)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return {}
        try:
            return json_text.read(text)
        except json_text.JsonError as error:
            raise ValidationError(str(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return (initial or {}) != self.to_python(data)
        except ValidationError:
            return True


def pretty_json(value: Any, width: int = 88, indent: int = 0) -> str:
    """JSON for people: a part that fits on its line stays on it."""
    flat = json.dumps(value, ensure_ascii=False)
    if indent + len(flat) <= width or not isinstance(value, dict | list) or not value:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        parts = [f"{key}{pretty_json(item, width, indent + 2)}" for key, item in zip(keys, value.values(), strict=True)]
        opening, closing = "{}"
    else:
        parts = [pretty_json(item, width, indent + 2) for item in value]
        opening, closing = "[]"
    return f"{opening}\n{pad}" + f",\n{pad}".join(parts) + f"\n{' ' * indent}{closing}"


class KnownNames(forms.TextInput):
    """A text box that offers known names and takes any; what is typed is checked by the field."""

    def __init__(self, names: Callable[[], Iterable[str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false", "class": "vTextField"} | (attrs or {}))
        self.names = names

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"{(attrs or {}).get('id', name)}_names"
        box = super().render(name, value, (attrs or {}) | {"list": list_id}, renderer)
        options = format_html_join("", '<option value="{}"></option>', ((known,) for known in self.names()))
        return format_html('{}<datalist id="{}">{}</datalist>', box, list_id, options)
