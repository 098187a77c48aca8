"""Form fields with bounds of sense, for pages and the admin: dates, numbers of rows, names to look for."""

from typing import Any

from django import forms

from exo_registry.models.bounds import LARGEST_KEY, LONGEST_QUERY, SENSIBLE_DATE

NOT_A_DATE = "not a date: write it as YYYY-MM-DD."


class DateField(forms.DateField):
    """A date as YYYY-MM-DD within the range that exoweb knows."""

    default_error_messages = {"invalid": NOT_A_DATE}
    default_validators = [SENSIBLE_DATE]

    def __init__(self, **options: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], **options)


class KeyField(forms.IntegerField):
    """The number of a row, such as a run's."""

    default_error_messages = {"invalid": "give its number."}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_KEY, **options)


class QueryField(forms.CharField):
    """A name or a few words to look for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_QUERY, **options)


def labelled_errors(form: forms.Form) -> list[str]:
    """Every error of a form, each with the label of its field."""
    return [f"{form[name].label}: {text}" for name, texts in form.errors.items() for text in texts]
