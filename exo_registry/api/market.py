"""Market data in over HTTP: bars of contracts and interest rates, from feeds."""

import operator
from collections.abc import Callable
from typing import Annotated, Any

import pydantic
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pydantic import BaseModel, Field

from algorithms.engine.pack_schema import Column
from exo_registry.market.schema import HOLDS, PACK
from exo_registry.models import Scope

from .endpoint import Answer, Body, Endpoint, answer, json_body, operation
from .market_records import Kind, RecordError, take
from .problem import Problem

BARS = Kind("contracts_bars", "bar", ("contractname", "datetime"))
RATES = Kind("riskfreerate", "rate", ("exchangesymbol", "date"))
MOST_BARS = 10_000  # and rates
MOST_BYTES = 2_000_000


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


def _model(name: str, table: str, doc: str) -> type[BaseModel]:
    return pydantic.create_model(
        name,
        __config__=pydantic.ConfigDict(extra="forbid", strict=True),
        __doc__=doc,
        **{column: _field(spec) for column, spec in PACK[table].items()},
    )


Bar = _model("Bar", BARS.table, "A bar of a contract: the columns of the table contracts_bars of a market pack.")
Rate = _model("Rate", RATES.table, "An interest rate: the columns of the table riskfreerate of a market pack.")


class MarketReport(BaseModel):
    """What became of the records of a request. Rates count once for each product that they are for."""

    accepted: int = Field(description="Records that were new or changed.")
    unchanged: int = Field(description="Records that were stored already, unchanged.")
    errors: list[RecordError]
    revisions: dict[str, int] = Field(description="The revisions of market data that this made, by product.")
    warnings: list[str] = Field(
        [],
        description="What of the records that were taken is probably wrong; left out if nothing is.",
        exclude_if=operator.not_,
    )
    notes: list[str] = Field(
        [],
        description="How they were understood, such as midnights that are dates; left out if that is plain.",
        exclude_if=operator.not_,
    )


class RefusedRecords(MarketReport):
    error: str


def _reader(kind: Kind, example: str) -> Callable[[HttpRequest], list]:
    def read(request: HttpRequest) -> list:
        """The records of a request, each to be checked by itself. Raises Problem if it is no list, or too large."""
        too_large = f"A request holds at most {MOST_BARS:,} {kind.noun}s and {MOST_BYTES:,} bytes; send several."
        # Lenient: a number too large, or a name that is not text, is refused with its record, and the others are taken.
        records = json_body(request, most_bytes=MOST_BYTES, too_large=too_large, lenient=True)
        if not isinstance(records, list):
            raise Problem(f"The body is a list of {kind.noun}s: [{example}, …].")
        if len(records) > MOST_BARS:
            raise Problem(too_large, 413)
        return records

    return read


def _answers(noun: str) -> dict[int, Answer]:
    return {
        200: Answer(MarketReport, f"All {noun}s were taken."),
        207: Answer(MarketReport, f"Some {noun}s were refused: `errors` names them, and the others were taken."),
        422: Answer(RefusedRecords, f"All {noun}s were refused."),
    }


def _problems(noun: str) -> dict[int, str]:
    return {413: f"Too many {noun}s, or bytes.", 503: "The store is busy, and nothing was taken: send it again."}


def _report(request: HttpRequest, kind: Kind, model: type[BaseModel], body: list) -> HttpResponse:
    outcome = take(request, kind, model, body)
    result = MarketReport(**outcome)
    refused = len({error.index for error in result.errors})
    if refused and refused == len(body):
        message = f"No {kind.noun} was taken: errors says what is wrong with each."
        raise Problem(message, 422, **result.model_dump())
    return answer(result, status=207 if refused else 200)


@operation(
    Scope.MARKET,
    session=False,
    body=Body(
        Annotated[list[Bar], Field(max_length=MOST_BARS)],  # type: ignore[valid-type]
        _reader(BARS, '{"contractname": …, "datetime": …, "close": …}'),
    ),
    answers=_answers(BARS.noun),
    problems=_problems(BARS.noun),
)
def take_bars(request: HttpRequest, body: list) -> HttpResponse:
    """Write bars of contracts

    Bars that are good are kept even if others are not, and sending the same again changes nothing, so a feed may simply
    repeat what it is unsure of. `datetime` is as in a market pack.
    """
    return _report(request, BARS, Bar, body)


@operation(
    Scope.MARKET,
    session=False,
    body=Body(
        Annotated[list[Rate], Field(max_length=MOST_BARS)],  # type: ignore[valid-type]
        _reader(RATES, '{"date": …, "rate": …}'),
    ),
    answers=_answers(RATES.noun),
    problems=_problems(RATES.noun),
)
def take_rates(request: HttpRequest, body: list) -> HttpResponse:
    """Write interest rates

    A rate is for the product that it names (`exchangesymbol`); where none of a request names one, for every product
    with options or rates. Each product that it changes gets a revision.
    """
    return _report(request, RATES, Rate, body)


urlpatterns = [
    path("bars", Endpoint(post=take_bars), name="market-bars"),
    path("rates", Endpoint(post=take_rates), name="market-rates"),
]
