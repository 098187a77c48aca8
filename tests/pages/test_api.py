"""The read API: formats, choice of rows and columns, 304s and refusals."""

import base64
import dataclasses
import datetime as dt
import io
import re

import pandas as pd
import pytest
from django.utils import timezone

from exo_registry.models import Definition, Scope, Series, Token
from exo_registry.series.assessment import assess
from exo_registry.series.performance import series_performance
from tests.paths import ROOT

from .builders import make_series

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
    "gross",
    "stale_days",
]


def test_the_list_names_each_series_and_its_data(viewer, contfut):
    (listed,) = viewer.get("/api/v1/series/").json()["series"]
    assert listed["name"] == "ES_ContFut"
    assert listed["value"] == 143.5
    assert listed["last_date"] == "2020-02-11"
    assert viewer.get(listed["url"]).status_code == 200


def test_the_list_says_how_each_series_is_and_what_made_it_stale(viewer, contfut):
    assessment = assess([contfut])[contfut.pk]
    (series,) = viewer.get("/api/v1/series/").json()["series"]
    assert (series["state"], series["why"]) == (assessment.state, assessment.why)
    assert assessment.causes
    assert [(cause["category"], cause["name"], cause["change"]) for cause in series["causes"]] == [
        (cause.category, cause.name, cause.change) for cause in assessment.causes
    ]


def test_the_list_names_the_declared_capital_or_none(viewer, contfut):
    (series,) = viewer.get("/api/v1/series/").json()["series"]
    assert series["capital"] is None
    Definition.objects.update(capital=150_000.0)
    (series,) = viewer.get("/api/v1/series/").json()["series"]
    assert series["capital"] == 150_000.0


START, END = dt.date(2020, 1, 20), dt.date(2020, 1, 24)


@pytest.mark.parametrize(
    ("query", "start", "end", "capital"),
    [("", None, None, None), (f"?from={START}&capital=1000", START, None, 1000.0), (f"?to={END}", None, END, None)],
)
def test_statistics_are_those_of_the_page_with_every_digit(viewer, contfut, query, start, end, capital):
    Definition.objects.update(capital=150_000.0)
    answer = viewer.get(f"{POINTS}/statistics{query}").json()
    series = Series.objects.get()
    wanted = series_performance(series, start=start, end=end, capital=capital)
    assert (answer["series"], answer["currency"]) == ("ES_ContFut", "USD")
    figures = answer["statistics"]
    assert list(figures) == [field.name for field in dataclasses.fields(wanted)]
    assert figures["total_return"] == wanted.total_return
    assert (figures["capital"], figures["capital_basis"]) == (capital or 150_000.0, "declared")
    assert figures["best"] == {"date": str(wanted.best.date), "change": wanted.best.change, "sessions": 1}
    assert figures["worst"] is None
    assert [list(month.values()) for month in figures["months"]] == [list(row) for row in wanted.months]
    assert (figures["gaps"], figures["first"]) == (wanted.gaps, str(wanted.first))


@pytest.mark.parametrize(
    ("query", "parameter", "error"),
    [
        ("?capital=0.0099", "capital", "capital='0.0099' is not a number from 0.01 to 1e+15."),
        ("?capital=nan", "capital", "capital='nan' is not a number from 0.01 to 1e+15."),
        ("?from=2020-02-01&to=2020-01-31", "to", "to=2020-01-31 is before from=2020-02-01: swap them."),
        ("?from=soon", "from", "from='soon' is not a date: write it as YYYY-MM-DD, such as 2011-06-01."),
    ],
)
def test_statistics_refuse_what_makes_no_sense(viewer, contfut, query, parameter, error):
    response = viewer.get(f"{POINTS}/statistics{query}")
    assert (response.status_code, response.json()) == (400, {"error": error, "parameter": parameter})


def test_statistics_of_a_series_without_points_are_null(viewer, es):
    make_series(es, points=0)
    figures = viewer.get(f"{POINTS}/statistics").json()["statistics"]
    assert (figures["points"], figures["profit"], figures["capital_basis"]) == (0, None, "unknown")
    assert viewer.get("/api/v1/series/NOPE/statistics").status_code == 404


def names_of(page: dict) -> list[str]:
    return [series["name"] for series in page["series"]]


@pytest.fixture
def five(make_product):
    """Five series: two of CL, three of ES."""
    products = {symbol: make_product(symbol) for symbol in ("ES", "CL")}
    for name in ("ES_Three", "CL_One", "ES_Two", "CL_Two", "ES_One"):
        symbol, _, exo = name.partition("_")
        make_series(products[symbol], exo, points=2)


def test_the_list_is_paged_by_name(viewer, five):
    pages, address = [], "/api/v1/series/?limit=2"
    while address:
        page = viewer.get(address).json()
        pages.append(names_of(page))
        address = page["next"]
    assert pages == [["CL_One", "CL_Two"], ["ES_One", "ES_Three"], ["ES_Two"]]


def test_the_next_page_keeps_the_filter(viewer, five):
    page = viewer.get("/api/v1/series/?product=ES&limit=2").json()
    assert names_of(page) == ["ES_One", "ES_Three"]
    assert names_of(viewer.get(page["next"]).json()) == ["ES_Two"]
    assert names_of(viewer.get("/api/v1/series/?definition=Two").json()) == ["CL_Two", "ES_Two"]
    assert viewer.get("/api/v1/series/?product=XX").json() == {"series": [], "next": None}


def test_a_page_has_a_hundred_series_and_five_hundred_at_most(viewer, es):
    definitions = [Definition(name=f"D{number}") for number in range(501)]
    Definition.objects.bulk_create(definitions)
    rows = [Series(definition=definition, product=es, name=f"ES_{definition.name}") for definition in definitions]
    Series.objects.bulk_create(rows)
    assert len(viewer.get("/api/v1/series/").json()["series"]) == 100
    page = viewer.get("/api/v1/series/?limit=500").json()
    assert len(page["series"]) == 500
    assert len(viewer.get(page["next"]).json()["series"]) == 1
    refused = viewer.get("/api/v1/series/?limit=501")
    assert (refused.status_code, refused.json()["parameter"]) == (400, "limit")
    assert refused.json()["error"] == "limit='501' is not a number from 1 to 500."


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


def test_text_in_csv_runs_as_no_formula_and_other_forms_have_it_as_it_is(viewer, contfut):
    contfut.trades.update(contract="@ES", reason="=1+1")
    contfut.points.update(extra={"=1+1": "-x"})
    trades = pd.read_csv(io.BytesIO(viewer.get(f"{POINTS}/trades.csv").content))
    assert (set(trades.contract), set(trades.reason)) == ({"'@ES"}, {"'=1+1"})
    assert trades.qty.dtype.kind in "fi"
    points = pd.read_csv(io.BytesIO(viewer.get(f"{POINTS}.csv").content))
    assert set(points["'=1+1"]) == {"'-x"}
    assert set(viewer.get(f"{POINTS}/trades.json").json()["trades"]["contract"]) == {"@ES"}


def test_trades_as_csv(viewer, contfut):
    frame = pd.read_csv(io.BytesIO(viewer.get(f"{POINTS}/trades.csv").content))
    assert list(frame.columns) == ["date", "contract", "qty", "price", "value", "leg", "reason"]
    assert len(frame) == 3


@pytest.mark.parametrize(
    ("address", "parameter", "message"),
    [
        ("?from=yesterday", "from", "from='yesterday' is not a date: write it as YYYY-MM-DD"),
        ("?to=2020-13-01", "to", "to='2020-13-01' is not a date"),
        ("?from=2020-02-01&to=2020-01-01", "to", "to=2020-01-01 is before from=2020-02-01: swap them."),
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
    sentence = (
        "Send an API token as the header 'Authorization: Bearer exo_…', or as the password of HTTP Basic, or log in."
    )
    assert response.json()["error"] == sentence
    assert [challenge.split()[0] for challenge in response["WWW-Authenticate"].split(", ")[:2]] == ["Bearer", "Basic"]


@pytest.fixture
def key(vera):
    token = Token(name="notebook", user=vera, scopes=[Scope.READ, Scope.RUNS])
    key = token.new_key()
    token.save()
    return key


def basic(login: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def test_a_token_reads(client, key, contfut):
    headers = {"authorization": f"Bearer {key}"}
    assert client.get(f"{POINTS}.csv", headers=headers).content.startswith(b"date,exo,")
    Token.objects.update(scopes=[Scope.MARKET])
    assert client.get(f"{POINTS}.csv", headers=headers).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("document", ["README.md", "docs/api.md"])
def test_the_lines_of_python_in_the_documents_read_a_series(live_server, key, contfut, document):
    text = (ROOT / document).read_text()
    (lines,) = [code for code in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if "import pandas" in code]
    lines = re.sub(r'exoweb = "[^"]*"', f'exoweb = "{live_server.url}/api/v1"', lines).replace("exo_…", key)
    names: dict = {}
    exec(lines, names)
    frames = {name: frame.reset_index() for name, frame in names.items() if isinstance(frame, pd.DataFrame)}
    assert frames
    first = {name: str(pd.Timestamp(frame.date[0]).date()) for name, frame in frames.items()}
    assert set(first.values()) <= {"2020-01-01", "2020-01-06"}


@pytest.mark.parametrize("user", ["", "vera", "Größe"])
def test_a_token_reads_as_the_password_of_basic_whatever_the_user_name(client, key, contfut, user):
    assert client.get(f"{POINTS}.csv", headers=basic(f"{user}:{key}")).content.startswith(b"date,exo,")
    Token.objects.update(expires=timezone.now())
    assert client.get(f"{POINTS}.csv", headers=basic(f"{user}:{key}")).status_code == 401


@pytest.mark.parametrize(
    ("header", "excerpt"),
    [
        (basic("vera:vera-password"), "is an API token (exo_…) here, not that of the log-in"),
        (basic("vera:exo_wrong"), "This API token is not known"),
        (basic("exo_wrong"), "The Basic header is not 'user:password' in base64"),
        ({"authorization": "Basic ***"}, "The Basic header is not 'user:password' in base64"),
        ({"authorization": "Basic /w=="}, "The Basic header is not 'user:password' in base64"),
        ({"authorization": "Digest x"}, "only 'Bearer exo_…' and, to read, Basic are understood"),
    ],
)
def test_a_header_without_a_token_is_refused_with_the_reason_and_no_session_helps(viewer, contfut, header, excerpt):
    response = viewer.get(f"{POINTS}.csv", headers=header)
    assert response.status_code == 401
    assert excerpt in response.json()["error"]


def test_basic_writes_nothing_since_browsers_send_it_by_themselves(client, key, contfut):
    response = client.post("/api/v1/runs/", {}, content_type="application/json", headers=basic(f"vera:{key}"))
    assert response.status_code == 401
    assert "to write, send the token as 'Authorization: Bearer exo_…'" in response.json()["error"]
    assert response["WWW-Authenticate"] == 'Bearer realm="exoweb"'


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
