"""Market data in over HTTP: bars of contracts, from feeds."""

import operator
from typing import Annotated, Any

import pyarrow as pa
import pydantic
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pydantic import BaseModel, Field

from algorithms.engine.pack_schema import Column
from exo_registry.market import MarketDataError, PackErrors
from exo_registry.market.salvage import import_valid_rows
from exo_registry.market.schema import HOLDS, PACK
from exo_registry.models import Scope

from .endpoint import Answer, Body, Endpoint, answer, json_body, operation
from .problem import Problem

TABLE = "contracts_bars"
COLUMNS = PACK[TABLE]
MOST_BARS = 10_000
MOST_BYTES = 2_000_000
# What is wrong with a field, by the type of pydantic's error.
SENTENCES = {
    "extra_forbidden": f"A bar has no such field; there are {', '.join(COLUMNS)}.",
    "float_type": "It is not a number; write it without quotes.",
    "string_type": "It is not text; put it in quotes.",
    "string_unicode": "It is not text; put it in quotes.",
    "value_error": "It is not text; put it in quotes.",
    "model_type": "A bar is an object with contractname, datetime and close.",
}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be seen")
    return text


def _field(column: Column) -> tuple[Any, Any]:
    """The type and the default of a column's field, for pydantic."""
    text = Annotated[str, pydantic.AfterValidator(_printable)]
    kind = float if column.kind == "number" else text
    description = HOLDS[column.kind]
    return (
        (kind, Field(description=description))
        if column.required
        else (kind | None, Field(None, description=description))
    )


Bar = pydantic.create_model(
    "Bar",
    __config__=pydantic.ConfigDict(extra="forbid", strict=True),
    __doc__="A bar of a contract: the columns of the table contracts_bars of a market pack.",
    **{name: _field(column) for name, column in COLUMNS.items()},
)


class BarError(BaseModel):
    """What is wrong with a bar."""

    index: int = Field(description="Of the bar in the request, from zero.")
    field: str = Field(description="Empty for a bar that is no object.")
    message: str


class BarsReport(BaseModel):
    """What became of the bars of a request."""

    accepted: int = Field(description="Bars that were new or changed.")
    unchanged: int = Field(description="Bars that were stored already, unchanged.")
    errors: list[BarError]
    revisions: dict[str, int] = Field(description="The revisions of market data that this made, by product.")
    warnings: list[str] = Field(
        [],
        description="What of the bars that were taken is probably wrong; left out if nothing is.",
        exclude_if=operator.not_,
    )
    notes: list[str] = Field(
        [],
        description="How they were understood, such as midnights that are dates; left out if that is plain.",
        exclude_if=operator.not_,
    )


class RefusedBars(BarsReport):
    error: str


def read_bars(request: HttpRequest) -> list:
    """The bars of a request, each to be checked by itself. Raises Problem if it is no list of them, or too large."""
    too_large = f"A request holds at most {MOST_BARS:,} bars and {MOST_BYTES:,} bytes; send several."
    # Lenient: a number too large, or a name that is not text, is refused with its bar, and the others are taken.
    bars = json_body(request, most_bytes=MOST_BYTES, too_large=too_large, lenient=True)
    if not isinstance(bars, list):
        raise Problem('The body is a list of bars: [{"contractname": …, "datetime": …, "close": …}, …].')
    if len(bars) > MOST_BARS:
        raise Problem(too_large, 413)
    return bars


@operation(
    Scope.MARKET,
    session=False,
    body=Body(Annotated[list[Bar], Field(max_length=MOST_BARS)], read_bars),
    answers={
        200: Answer(BarsReport, "All bars were taken."),
        207: Answer(BarsReport, "Some bars were refused: `errors` names them, and the others were taken."),
        422: Answer(RefusedBars, "All bars were refused."),
    },
    problems={413: "Too many bars, or bytes.", 503: "The store is busy, and nothing was taken: send it again."},
)
def take_bars(request: HttpRequest, body: list) -> HttpResponse:
    """Write bars of contracts

    Bars that are good are kept even if others are not, and sending the same again changes nothing, so a feed may simply
    repeat what it is unsure of. `datetime` is as in a market pack.
    """
    rows, again, errors = _sift(body)
    accepted, revisions, warnings, notes = 0, {}, [], []
    if rows:
        report, refused = _import(list(rows.values()), request)
        indexes = list(rows)
        for row, problems in refused.items():
            for index in (indexes[row], *again.get(indexes[row], ())):
                errors += [
                    BarError(
                        index=index, field=problem.column, message=f"{_sentence(problem.message)} {problem.remedy}."
                    )
                    for problem in problems
                ]
        if report:
            accepted = sum(product.rows_added + product.rows_changed for product in report.products)
            warnings, notes = report.warning_lines, report.note_lines
            revisions = {product.symbol: product.revision.number for product in report.products if product.revision}
    refused_count = len({error.index for error in errors})
    result = BarsReport(
        accepted=accepted,
        unchanged=len(body) - refused_count - accepted,
        errors=sorted(errors, key=lambda error: error.index),
        revisions=revisions,
        warnings=warnings,
        notes=notes,
    )
    if refused_count and refused_count == len(body):
        raise Problem("No bar was taken: errors says what is wrong with each.", 422, **result.model_dump())
    return answer(result, status=207 if refused_count else 200)


def _sift(bars: list) -> tuple[dict[int, dict], dict[int, list[int]], list[BarError]]:
    """Bars worth importing, by their index in the request; the indexes of those that repeat one, which share its fate;
    and errors of others."""
    rows: dict[int, dict] = {}
    again: dict[int, list[int]] = {}
    errors: list[BarError] = []
    places: dict[tuple[str, str], int] = {}
    for index, bar in enumerate(bars):
        problems = _problems(bar)
        if problems:
            errors += [BarError(index=index, field=field, message=message) for field, message in problems]
            continue
        first = places.setdefault((bar["contractname"], bar["datetime"]), index)
        if first == index:
            rows[index] = bar
        elif bars[first] == bar:
            again.setdefault(first, []).append(index)
        else:
            message = f"The bar stands at index {first} already, with other values. Keep one."
            errors.append(BarError(index=index, field="datetime", message=message))
    return rows, again, errors


def _problems(bar: Any) -> list[tuple[str, str]]:
    """(field, message) for what is wrong with a bar by itself; prices are looked at by the import."""
    try:
        Bar.model_validate(bar)
    except pydantic.ValidationError as refusal:
        return [_problem(error) for error in refusal.errors()]
    return []


def _problem(error: Any) -> tuple[str, str]:
    field = str(error["loc"][0]) if error["loc"] else ""
    kind = error["type"]
    missing = kind == "missing" or (kind != "extra_forbidden" and field and error["input"] is None)
    return field, "It is needed, and missing." if missing else SENTENCES[kind]


def _import(rows: list[dict], request: HttpRequest) -> tuple[Any, dict]:
    """Report and refused rows. Raises Problem."""
    source = f"API token {request.api_token.name}"
    try:
        report, refused = import_valid_rows({TABLE: _table(rows)}, source=source, user=request.user)
    except PackErrors as error:
        raise Problem(str(error), 422) from error
    except MarketDataError as error:
        message = f"{_sentence(str(error))} Nothing was taken; send it again."
        raise Problem(message, 503, headers={"Retry-After": "2"}) from error
    return report, refused.get(TABLE, {})


def _table(rows: list[dict]) -> pa.Table:
    """A column that no bar has is left out, so that it does not blank what is stored."""
    columns = {}
    for name, column in COLUMNS.items():
        values = [row.get(name) for row in rows]
        if any(value is not None for value in values):
            columns[name] = pa.array(values, pa.float64() if column.kind == "number" else pa.string())
    return pa.table(columns)


def _sentence(text: str) -> str:
    text = text.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


urlpatterns = [path("bars", Endpoint(post=take_bars), name="market-bars")]
