"""Records of market data in a request: sifted one by one, imported together, and what became of each."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pydantic
from django.http import HttpRequest
from pydantic import BaseModel, Field

from exo_registry.market import ImportReport, MarketDataError, PackErrors
from exo_registry.market import Problem as MarketProblem
from exo_registry.market.salvage import import_valid_rows
from exo_registry.market.schema import PACK

from .problem import Problem


@dataclass(frozen=True)
class Kind:
    """A kind of records: their table in a market pack, what one is called, and the columns that are its key."""

    table: str
    noun: str
    key: tuple[str, ...]

    @property
    def sentences(self) -> dict[str, str]:
        """What is wrong with a field, by the type of pydantic's error."""
        columns = PACK[self.table]
        needed = [name for name, column in columns.items() if column.required]
        return {
            "extra_forbidden": f"A {self.noun} has no such field; there are {', '.join(columns)}.",
            "float_type": "It is not a number; write it without quotes.",
            "string_type": "It is not text; put it in quotes.",
            "string_unicode": "It is not text; put it in quotes.",
            "value_error": "It is not text; put it in quotes.",
            "model_type": f"A {self.noun} is an object with {', '.join(needed[:-1])} and {needed[-1]}.",
        }


class RecordError(BaseModel):
    """What is wrong with a record."""

    index: int = Field(description="Of the record in the request, from zero.")
    field: str = Field(description="Empty for a record that is no object.")
    message: str


def take(request: HttpRequest, kind: Kind, model: type[BaseModel], records: list) -> dict[str, Any]:
    """Import the records that are good; what became of all, as fields of a report. Raises Problem."""
    rows, again, errors = _sift(kind, model, records)
    outcome: dict[str, Any] = {"accepted": 0, "revisions": {}}
    products = 1
    if rows:
        report, refused = _import(kind, list(rows.values()), request)
        indexes = list(rows)
        for row, problems in refused.items():
            for index in (indexes[row], *again.get(indexes[row], ())):
                errors += [_error(index, problem) for problem in problems]
        if report:
            outcome |= _taken(report)
            products = _products_each(kind, rows, report)
    refused_count = len({error.index for error in errors})
    outcome["unchanged"] = (len(records) - refused_count) * products - outcome["accepted"]
    outcome["errors"] = sorted(errors, key=lambda error: error.index)
    return outcome


def _taken(report: ImportReport) -> dict[str, Any]:
    return {
        "accepted": sum(product.rows_added + product.rows_changed for product in report.products),
        "revisions": {product.symbol: product.revision.number for product in report.products if product.revision},
        "warnings": report.warning_lines,
        "notes": report.note_lines,
    }


def _products_each(kind: Kind, rows: dict[int, dict], report: ImportReport) -> int:
    """How many products each record is for: rates that name none are for all of the import."""
    named = any(record.get(kind.key[0]) is not None for record in rows.values())
    return 1 if named else len(report.products)


def _error(index: int, problem: MarketProblem) -> RecordError:
    return RecordError(index=index, field=problem.column, message=f"{_sentence(problem.message)} {problem.remedy}.")


def _sift(
    kind: Kind, model: type[BaseModel], records: list
) -> tuple[dict[int, dict], dict[int, list[int]], list[RecordError]]:
    """Records worth importing, by their index in the request; the indexes of those that repeat one, which share its
    fate; and errors of others."""
    rows: dict[int, dict] = {}
    again: dict[int, list[int]] = {}
    errors: list[RecordError] = []
    places: dict[tuple, int] = {}
    for index, record in enumerate(records):
        problems = _problems(kind, model, record)
        if problems:
            errors += [RecordError(index=index, field=field, message=message) for field, message in problems]
            continue
        first = places.setdefault(tuple(record.get(name) for name in kind.key), index)
        if first == index:
            rows[index] = record
        elif records[first] == record:
            again.setdefault(first, []).append(index)
        else:
            message = f"The {kind.noun} stands at index {first} already, with other values. Keep one."
            errors.append(RecordError(index=index, field=kind.key[-1], message=message))
    return rows, again, errors


def _problems(kind: Kind, model: type[BaseModel], record: Any) -> list[tuple[str, str]]:
    """(field, message) for what is wrong with a record by itself; numbers are looked at by the import."""
    try:
        model.model_validate(record)
    except pydantic.ValidationError as refusal:
        return [_problem(kind, error) for error in refusal.errors()]
    return []


def _problem(kind: Kind, error: Any) -> tuple[str, str]:
    field, type_ = str(error["loc"][0]) if error["loc"] else "", error["type"]
    missing = type_ == "missing" or (type_ != "extra_forbidden" and field and error["input"] is None)
    return field, "It is needed, and missing." if missing else kind.sentences[type_]


def _import(
    kind: Kind, rows: list[dict], request: HttpRequest
) -> tuple[ImportReport | None, dict[int, list[MarketProblem]]]:
    """Report and refused rows. Raises Problem."""
    source = f"API token {request.api_token.name}"  # type: ignore[attr-defined]
    try:
        report, refused = import_valid_rows({kind.table: _table(kind, rows)}, source=source, user=request.user)  # type: ignore[arg-type]
    except PackErrors as error:
        raise Problem(str(error), 422) from error
    except MarketDataError as error:
        message = f"{_sentence(str(error))} Nothing was taken; send it again."
        raise Problem(message, 503, headers={"Retry-After": "2"}) from error
    return report, refused.get(kind.table, {})


def _table(kind: Kind, rows: list[dict]) -> pa.Table:
    """A column that no record has is left out, so that it does not blank what is stored."""
    columns = {}
    for name, column in PACK[kind.table].items():
        values = [row.get(name) for row in rows]
        if any(value is not None for value in values):
            columns[name] = pa.array(values, pa.float64() if column.kind == "number" else pa.string())
    return pa.table(columns)


def _sentence(text: str) -> str:
    text = text.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
