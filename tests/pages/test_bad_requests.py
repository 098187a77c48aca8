"""Requests that make no sense: each is answered with a sentence, in the form that its sender reads."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from django.core.exceptions import ValidationError
from django.urls import path

from exo_registry.formats import json_text
from exo_registry.formats.json_text import JsonAnswer, JsonError
from exo_registry.models import Event, Run
from exo_registry.models.bounds import Between, parse_date, validate_text
from exo_registry.series.position import current
from exoweb.urls import urlpatterns as own_urls
from tests.paths import ROOT

from .test_position import cover  # noqa: F401

RUNS = "/api/v1/runs/"


def broken(request):
    raise RuntimeError("a fault in a view")


urlpatterns = [*own_urls, path("api/v1/broken/", broken), path("broken/", broken)]


# -- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("until=9999-12-31", "Until: Must be from 1900-01-01 to 2200-12-31."),
        ("since=0001-01-01", "From: Must be from 1900-01-01 to 2200-12-31."),
        ("since=yesterday", "From: not a date: write it as YYYY-MM-DD."),
        ("run=99999999999999999999", "Run: Ensure this value is less than or equal to 9223372036854775807."),
        ("run=x", "Run: give its number."),
        ("kind=" + "x" * 201, "Kind: Ensure this value has at most 200 characters (it has 201)."),
    ],
)
def test_a_filter_of_events_that_makes_no_sense_is_said_at_its_field(viewer, query, error):
    Event.objects.create(kind="run", message="Run 1 done")
    for page in ("/events/", "/events.csv"):
        response = viewer.get(f"{page}?{query}")
        assert response.status_code == 200
        assert b"Run 1 done" not in response.getvalue()
    assert viewer.get(f"/events/?{query}").context["errors"] == [error]


@pytest.mark.parametrize("address", ["/search/?q=%00", "/series/ES%00/", "/events/?%ED%A0%80=1", "/search/?q=%FF"])
def test_text_that_is_none_is_refused_before_any_page(viewer, address):
    response = viewer.get(address)
    assert response.status_code == 400
    assert "has a character that is not text" in response.text


def test_text_that_is_none_in_a_form_a_file_or_a_cookie_is_refused(client, viewer):
    assert client.post("/accounts/login/", {"username": "vera\x00", "password": "x"}).status_code == 400
    assert client.post("/accounts/login/", {"file": io.BytesIO(b"x")}).status_code == 200
    named = io.BytesIO(b"x")
    named.name = "a\ufffd.csv"
    assert client.post("/accounts/login/", {"file": named}).status_code == 400
    assert client.get("/", headers={"cookie": 'sessionid="\\000aaaaaaaa"'}).status_code == 400


@pytest.mark.parametrize(("query", "status"), [("q=" + "a" * 1001, 400), ("s=" + "&s=".join(["a" * 900] * 9), 414)])
def test_an_address_that_is_too_long_is_refused(viewer, query, status):
    assert viewer.get(f"/compare/?{query}").status_code == status
    assert "error" in viewer.get(f"/api/v1/series/?{query}").json()


@pytest.mark.parametrize("charset", ["base64", "rot13", "utf-16"])
def test_what_is_not_utf_8_is_refused(client, charset):
    response = client.generic("POST", RUNS, b"{}", content_type=f"text/plain; charset={charset}")
    assert (response.status_code, "UTF-8" in response.json()["error"]) == (400, True)


# -- the API --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "excerpt"),
    [
        ("/api/", "There is nothing at this address"),
        ("/api/v1/nothing/at/all", "There is nothing at this address"),
        ("/api/v1/series/NOPE.json", "There is no series NOPE; /api/v1/series/ lists them."),
        ("/api/v1/runs/99999999999999999999/", "There is no run 99999999999999999999."),
    ],
)
def test_what_is_not_there_is_said_in_json(viewer, address, excerpt):
    response = viewer.get(address)
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")
    assert excerpt in response.json()["error"]


def test_a_request_without_the_last_slash_is_not_led_to_another_method(operator):
    response = operator.post("/api/v1/runs", {"dry_run": True}, content_type="application/json")
    assert response.status_code == 404
    assert response.json()["error"] == "There is nothing at this address: send the request to /api/v1/runs/."
    assert operator.get("/api/v1/runs", follow=True).json() == {"runs": []}


def test_a_method_that_is_not_allowed_names_those_that_are(viewer):
    for address, allowed in (("/api/v1/series/", "GET, HEAD"), ("/api/v1/market/bars", "POST")):
        response = viewer.put(address)
        assert (response.status_code, response["Allow"]) == (405, allowed)
        assert response.json()["error"] == f"PUT is not allowed at this address; use {allowed}."


def test_a_fault_of_the_server_is_json_under_the_api_and_a_page_elsewhere(viewer, settings):
    settings.ROOT_URLCONF = __name__
    viewer.raise_request_exception = False
    response = viewer.get("/api/v1/broken/")
    assert (response.status_code, "failed to answer" in response.json()["error"]) == (500, True)
    assert "Server error" in viewer.get("/broken/").text


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("columns=exo,exo", "columns=exo,exo: exo is named twice; keep one."),
        ("from=2020-01-01&from=2020-01-02", "from is given twice; keep one."),
        ("from=9999-12-31", "from=9999-12-31 is out of range: dates go from 1900-01-01 to 2200-12-31."),
    ],
)
def test_a_choice_of_points_that_makes_no_sense_is_refused(viewer, contfut, query, error):
    response = viewer.get(f"/api/v1/series/ES_ContFut.json?{query}")
    assert (response.status_code, response.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        ("[" * 100_000 + "]" * 100_000, "Nested too deeply: at most 32 levels"),
        ('{"products": ["\\ud800"]}', "cannot be stored (NUL, or half a surrogate pair)"),
        ('{"mode": "stale", "mode": "reset"}', "mode is given twice; keep one."),
        ('{"start": "0001-01-01"}', "start: 0001-01-01 is out of range: dates go from 1900-01-01 to 2200-12-31."),
        ("{'mode': 'stale'}", "line 1, column 2: write texts in double quotes, not single ones"),
    ],
)
def test_a_body_that_makes_no_sense_starts_no_run(operator, es, body, excerpt):
    response = operator.post(RUNS, body, content_type="application/json")
    assert response.status_code == 400
    assert excerpt in response.json()["error"]
    assert not Run.objects.exists()


def test_a_body_that_is_too_large_is_413(operator):
    response = operator.post(RUNS, b"x" * 3_000_000, content_type="application/json")
    assert response.status_code == 413
    assert "at most 1,000,000 bytes" in response.json()["error"]


def test_parquet_dates_are_dates_to_pandas(viewer, contfut):
    for kind in ("", "/trades"):
        content = viewer.get(f"/api/v1/series/ES_ContFut{kind}.parquet").content
        dates = pd.read_parquet(io.BytesIO(content)).date
        assert dates.dtype.kind == "M"
        assert dates[0] == pd.Timestamp("2020-01-01")


# -- what-ifs that cannot come true ---------------------------------------------------------------------------------


def test_a_price_below_zero_or_a_day_after_expiry_is_refused_with_what_is_possible(viewer, cover):  # noqa: F811
    api, page = "/api/v1/series/ES_Cover/position", "/series/ES_Cover/payoff/"
    below = "-5,000 would put a price below zero: F.ESH20 is at 3,002.25; give -3,002.25 or more."
    late = "400 days is after the last expiry, 2020-03-20 of"
    for query, part, excerpt in (("price=-5000", "price", below), ("days=400", "days", late)):
        response = viewer.get(f"{api}?{query}")
        assert (response.status_code, response.json()["parameter"]) == (400, part)
        assert excerpt in response.json()["error"]
        assert excerpt in viewer.get(f"{page}?{query}").text
    assert viewer.get(f"{api}?days=16").status_code == 200


def test_the_lowest_price_possible_has_figures_and_no_nan(viewer, cover):  # noqa: F811
    price = current(cover).snapshot.price
    answer = viewer.get(f"/api/v1/series/ES_Cover/position?price=-{price}")
    after = json.loads(answer.text, parse_constant=pytest.fail)["after"]
    assert after["greeks"]["gamma"] == 0.0
    assert after["greeks"]["delta"] == pytest.approx(0.0, abs=0.02)  # a future and a put deep in the money
    assert np.isfinite(list(after["greeks_currency"].values())).all()


# -- JSON in and out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("{'a': 1}", "line 1, column 2: write texts in double quotes"),
        ('{"a": True}', "column 7: write true, false and null, not True, False and None"),
        ('{"a": 1,}', "take out the comma before the closing bracket"),
        ('{"a": [1, 2,\n]}', "take out the comma before the closing bracket"),
        ('{"a": 1} // mine', "there is more text after the end"),
        ('{// mine\n"a": 1}', "JSON has no comments"),
        ('{"a": 1 "b": 2}', "a comma, or a closing bracket, is missing"),
        ("{a: 1}", "put names and texts in double quotes"),
        ('{"a": “b”}', "straight double quotes"),
        ('{"a": [1', "ends too early"),
        (b'{"a": "\xff"}', "Not UTF-8 text: byte 8 is wrong"),
        ("[Infinity]", "Infinity is no number that can be kept"),
        ("[1e999]", "1e999 is too large"),
        ("[1234567890123456]", "a whole number has at most 15 digits"),
        ('["\\u0000"]', "cannot be stored"),
        ('{"a": 1, "a": 1}', "a is given twice"),
        ("[" * 33 + "]" * 33, "Nested too deeply"),
    ],
)
def test_json_that_cannot_be_used_is_answered_with_the_remedy(text, excerpt):
    with pytest.raises(JsonError) as refusal:
        json_text.read(text)
    assert excerpt in str(refusal.value)


def test_json_that_can_be_used_is_read_as_it_is():
    text = '{"a": [1, -2.5, true, null, "ü"], "b": {"c": 123456789012345}}'
    assert json_text.read(text) == json.loads(text)
    assert json_text.read("[" * 32 + "]" * 32) is not None
    assert json_text.read(b"\xef\xbb\xbf[1]") == [1]


def test_what_is_not_finite_leaves_as_null():
    answer = JsonAnswer({"a": [1.5, float("nan")], "b": {"c": float("-inf")}})
    assert json.loads(answer.content) == {"a": [1.5, None], "b": {"c": None}}


def test_all_json_leaves_through_the_strict_response():
    users = [file.name for file in (ROOT / "exo_registry").rglob("*.py") if "JsonResponse" in file.read_text()]
    assert users == ["json_text.py"]  # the class that is derived from it


# -- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan"), float("inf")])
def test_a_number_out_of_bounds_is_refused(value):
    with pytest.raises(ValidationError, match="Must be from 0 to 10."):
        Between(0.0, 10.0)(value)


def test_the_ends_of_bounds_are_within():
    for value in (0.0, 10.0):
        Between(0.0, 10.0)(value)
    for text in ("1900-01-01", "2200-12-31"):
        assert str(parse_date(text)) == text
    for text in ("1899-12-31", "2201-01-01", "2020-02-30", ""):
        with pytest.raises(ValueError, match="date"):
            parse_date(text)


def test_text_is_anything_that_can_be_stored():
    validate_text("Größe \U0001f600 \n\t")
    for text in ("\x00", "a\udfff"):
        with pytest.raises(ValidationError):
            validate_text(text)
