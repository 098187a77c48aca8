"""Market data in over HTTP: POST /api/v1/market/bars.

The body is a JSON list of bars, {"contractname": "F.ESH26", "datetime": "2026-03-02T20:45:00+00:00", "close": 6105.25},
with open, high, low and volume if there are any; `datetime` is as in a market pack. Bars that are good are kept even if
others are not, and sending the same again changes nothing, so a feed may simply repeat what it is unsure of.
"""

import json
from typing import Any

import pyarrow as pa
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse

from exo_registry.api_auth import authorised
from exo_registry.market.salvage import import_valid_rows
from exo_registry.market.schema import PACK
from exo_registry.market_store import MarketDataError, PackErrors
from exo_registry.models import Scope

TABLE = "contracts_bars"
COLUMNS = PACK[TABLE]
MOST_BARS = 10_000
MOST_BYTES = 2_000_000


class _Refused(Exception):
    """A request of which nothing can be used."""

    def __init__(self, message: str, status: int, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


@authorised(Scope.MARKET, session=False)
def bars(request: HttpRequest) -> JsonResponse:
    """Take bars. The answer counts those that were new or changed (`accepted`) and those that were there (`unchanged`),
    and lists the others in `errors`, each with its index in the request, the field and what to do.

    200: all taken; 207: some refused; 422: all refused; 400, 413: the request is no list of bars, or too large;
    503: the store is busy, send it again.
    """
    try:
        if request.method != "POST":
            raise _Refused("Bars are sent with POST.", 405, Allow="POST")
        found = _read(request)
        return _answer(found, request)
    except _Refused as refused:
        return JsonResponse({"error": str(refused)}, status=refused.status, headers=refused.headers)


def _read(request: HttpRequest) -> list:
    too_large = f"A request holds at most {MOST_BARS:,} bars and {MOST_BYTES:,} bytes; send several."
    try:
        if int(request.headers.get("Content-Length") or 0) > MOST_BYTES or len(request.body) > MOST_BYTES:
            raise _Refused(too_large, 413)
        # A whole number too long for a float becomes infinite, as one with an exponent does, and is refused as a price.
        found = json.loads(request.body, parse_int=float, parse_constant=_no_number)
    except RequestDataTooBig:
        raise _Refused(too_large, 413) from None
    except (ValueError, RecursionError) as error:  # bad JSON, and bad UTF-8 in it
        raise _Refused(f"The body is not JSON: {error or type(error).__name__}.", 400) from None
    if not isinstance(found, list):
        raise _Refused('The body is a list of bars: [{"contractname": …, "datetime": …, "close": …}, …].', 400)
    if len(found) > MOST_BARS:
        raise _Refused(too_large, 413)
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def _answer(found: list, request: HttpRequest) -> JsonResponse:
    rows, errors = _sift(found)
    accepted, revisions = 0, {}
    if rows:
        report, refused = _import(list(rows.values()), request)
        indexes = list(rows)
        for row, problems in refused.items():
            errors += [_error(indexes[row], one.column, f"{_sentence(one.message)} {one.remedy}.") for one in problems]
        if report:
            accepted = sum(product.rows_added + product.rows_changed for product in report.products)
            revisions = {one.symbol: one.revision.number for one in report.products if one.revision}
    bad = len({error["index"] for error in errors})
    body = {
        "accepted": accepted,
        "unchanged": len(found) - bad - accepted,
        "errors": sorted(errors, key=lambda error: error["index"]),
        "revisions": revisions,
    }
    return JsonResponse(body, status=200 if not bad else 207 if bad < len(found) else 422)


def _sift(found: list) -> tuple[dict[int, dict], list[dict]]:
    """Bars worth importing, by their index in the request, and errors of others. A bar sent twice is taken once."""
    rows: dict[int, dict] = {}
    errors: list[dict] = []
    places: dict[tuple[str, str], int] = {}
    for index, bar in enumerate(found):
        problems = _problems(bar)
        if problems:
            errors += [_error(index, field, message) for field, message in problems]
            continue
        first = places.setdefault((bar["contractname"], bar["datetime"]), index)
        if first == index:
            rows[index] = bar
        elif found[first] != bar:
            message = f"The bar stands at index {first} already, with other values. Keep one."
            errors.append(_error(index, "datetime", message))
    return rows, errors


def _error(index: int, field: str, message: str) -> dict:
    return {"index": index, "field": field, "message": message}


def _problems(bar: Any) -> list[tuple[str, str]]:
    """(field, message) for what is wrong with a bar by itself; prices are looked at by the import."""
    if not isinstance(bar, dict):
        return [("", "A bar is an object with contractname, datetime and close.")]
    known = ", ".join(COLUMNS)
    found = [(name, f"A bar has no such field; there are {known}.") for name in bar if name not in COLUMNS]
    for name, column in COLUMNS.items():
        value = bar.get(name)
        if value is None:
            if column.required:
                found.append((name, "It is needed, and missing."))
        elif column.kind == "number" and not isinstance(value, float):
            found.append((name, "It is not a number; write it without quotes."))
        elif column.kind != "number" and not (isinstance(value, str) and value.isprintable()):
            found.append((name, "It is not text; put it in quotes."))
    return found


def _import(rows: list[dict], request: HttpRequest) -> tuple[Any, dict]:
    """Report and refused rows. Raises _Refused."""
    source = f"API token {request.api_token.name}"
    try:
        report, refused = import_valid_rows({TABLE: _table(rows)}, source=source, user=request.user)
    except PackErrors as error:
        raise _Refused(str(error), 422) from error
    except MarketDataError as error:
        raise _Refused(
            f"{_sentence(str(error))} Nothing was taken; send it again.", 503, **{"Retry-After": "2"}
        ) from error
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
