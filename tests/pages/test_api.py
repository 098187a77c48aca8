"""The read API: formats, choice of rows and columns, 304s and refusals."""

import io

import pandas as pd
import pytest

from exo_registry.models import Scope, Series, Token

POINTS = "/api/v1/series/ES_ContFut"
COLUMNS = [
    "date",
    "exo",
    "delta",
    "is_rollover",
    "nfutures_executed",
    "nfutures_opened",
    "noptions_executed",
    "noptions_opened",
    "costs",
]


def test_the_list_names_each_series_and_its_data(viewer, contfut):
    (one,) = viewer.get("/api/v1/series/").json()["series"]
    assert one["name"] == "ES_ContFut"
    assert one["value"] == 143.5
    assert one["last_date"] == "2020-02-11"
    assert viewer.get(one["url"]).status_code == 200


def test_csv_is_what_pandas_reads(viewer, contfut):
    response = viewer.get(f"{POINTS}.csv")
    frame = pd.read_csv(io.BytesIO(response.content))
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 30
    assert frame.exo.tolist()[:2] == [100.0, 101.5]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "ES_ContFut.csv" in response["Content-Disposition"]


def test_parquet_holds_the_same(viewer, contfut):
    frame = pd.read_parquet(io.BytesIO(viewer.get(f"{POINTS}.parquet").content))
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 30


@pytest.mark.parametrize("address", [POINTS, f"{POINTS}.json"])
def test_json_holds_columns(viewer, contfut, address):
    body = viewer.get(address).json()
    assert body["name"] == "ES_ContFut"
    assert body["currency"] == "USD"
    assert list(body["points"]) == COLUMNS
    assert body["points"]["date"][0] == "2020-01-01"


def test_values_are_exact(viewer, contfut):
    contfut.points.filter(date="2020-01-01").update(exo=0.1 + 0.2)
    assert viewer.get(f"{POINTS}.json").json()["points"]["exo"][0] == 0.1 + 0.2
    frame = pd.read_csv(io.BytesIO(viewer.get(f"{POINTS}.csv").content))
    assert frame.exo[0] == 0.1 + 0.2


def test_columns_of_the_algorithm_follow_and_may_be_absent(viewer, contfut):
    contfut.points.filter(date="2020-01-02").update(extra={"regime": 1})
    regime = viewer.get(f"{POINTS}.json").json()["points"]["regime"]
    assert regime[:2] == [None, 1]


def test_dates_and_columns_choose(viewer, contfut):
    response = viewer.get(f"{POINTS}.csv?from=2020-01-06&to=2020-01-08&columns=exo,date")
    assert response.text == "exo,date\n104.5,2020-01-06\n106.0,2020-01-07\n107.5,2020-01-08\n"


def test_a_range_without_points_is_empty(viewer, contfut):
    assert viewer.get(f"{POINTS}.csv?from=2030-01-01&columns=date,exo").text == "date,exo\n"
    assert viewer.get(f"{POINTS}.json?from=2030-01-01&columns=exo").json()["points"] == {"exo": []}


@pytest.mark.parametrize("form", ["", ".json"])
def test_trades_as_json(viewer, contfut, form):
    trades = viewer.get(f"{POINTS}/trades{form}").json()["trades"]
    assert trades["contract"] == ["F.ESH20"] * 3
    assert trades["date"][0] == "2020-01-01"


def test_trades_as_csv(viewer, contfut):
    frame = pd.read_csv(io.BytesIO(viewer.get(f"{POINTS}/trades.csv").content))
    assert list(frame.columns) == ["date", "contract", "qty", "price", "value", "leg", "reason"]
    assert len(frame) == 3


@pytest.mark.parametrize(
    ("address", "parameter", "message"),
    [
        ("?from=yesterday", "from", "from='yesterday' is not a date: write it as YYYY-MM-DD."),
        ("?to=2020-13-01", "to", "to='2020-13-01' is not a date"),
        ("?from=2020-02-01&to=2020-01-01", "from", "from=2020-02-01 is after to=2020-01-01: swap them."),
        ("?columns=exo,pnl", "columns", "has no column pnl; it has date, exo"),
        ("?form=2020-01-01", "form", "Unknown parameter 'form'; known here: from, to, columns."),
        ("/trades?from=2020-01-01", "from", "Unknown parameter 'from'; this address takes none."),
    ],
)
def test_a_bad_parameter_is_named_with_the_remedy(viewer, contfut, address, parameter, message):
    response = viewer.get(f"{POINTS}{address}")
    assert response.status_code == 400
    assert response.json()["parameter"] == parameter
    assert message in response.json()["error"]


def test_an_unknown_series_is_said_in_json(viewer):
    response = viewer.get("/api/v1/series/ES_Nothing.csv")
    assert response.status_code == 404
    assert "There is no series ES_Nothing" in response.json()["error"]


def test_a_log_in_is_asked_for_in_json(client, contfut):
    response = client.get(f"{POINTS}.csv")
    assert response.status_code == 401
    assert response.json()["error"] == "Send an API token as the header 'Authorization: Bearer exo_…' or log in."


def test_a_token_reads(client, vera, contfut):
    token = Token(name="notebook", user=vera, scopes=[Scope.READ])
    key = token.new_key()
    token.save()
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get(f"{POINTS}.csv", headers=headers).content.startswith(b"date,exo,")
    token.scopes = [Scope.MARKET]
    token.save()
    assert client.get(f"{POINTS}.csv", headers=headers).status_code == 403


def test_writing_is_refused(viewer, contfut):
    assert viewer.post(f"{POINTS}.json").status_code == 405


def test_an_unchanged_series_costs_a_304(viewer, contfut):
    first = viewer.get(f"{POINTS}.csv")
    assert viewer.get(f"{POINTS}.csv", headers={"if-none-match": first["ETag"]}).status_code == 304
    assert viewer.get(f"{POINTS}.csv", headers={"if-modified-since": first["Last-Modified"]}).status_code == 304
    Series.objects.update(points_count=31)
    assert viewer.get(f"{POINTS}.csv", headers={"if-none-match": first["ETag"]}).status_code == 200


def test_answers_are_compressed_and_private(viewer, contfut):
    response = viewer.get(f"{POINTS}.csv", headers={"accept-encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"
    assert "private" in response["Cache-Control"]
