"""POST /api/v1/market/bars: who may, what is taken, and what is said of the rest."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.utils import timezone

from exo_registry.api import market_records
from exo_registry.market import MarketDataError, coverage, import_tables, last_bar
from exo_registry.models import Event, Product, Revision, Scope, Token

from .packs import arrow, small_pack

URL = "/api/v1/market/bars"


@pytest.fixture
def feed(db):
    """A service account that may write market data."""
    from django.contrib.auth.models import User

    user = User.objects.create_user("feed")
    user.user_permissions.add(Permission.objects.get(codename="add_revision"))
    return user


def make_token(user, *scopes: str, **fields: object) -> str:
    token = Token(name=f"token {Token.objects.count()}", user=user, scopes=list(scopes), **fields)
    key = token.new_key()
    token.save()
    return key


@pytest.fixture
def key(feed):
    return make_token(feed, Scope.MARKET)


@pytest.fixture
def market(db):
    import_tables({name: arrow(rows) for name, rows in small_pack().items()}, source="pack")


@pytest.fixture
def post(key):
    client = Client(enforce_csrf_checks=True)

    def post(body: object, **headers: str):
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        headers = {"authorization": f"Bearer {key}"} | headers
        return client.post(URL, data, content_type="application/json", headers=headers)

    return post


def bar(day: str = "2020-03-05", close: float = 3010.25, contract: str = "F.ESH20", **more: object) -> dict:
    return {"contractname": contract, "datetime": day, "close": close} | more


# What is taken.


def test_new_bars_are_taken(market, post, feed):
    answer = post([bar(), bar(contract="F.ESH21", close=3020, high=3021.5, volume=7)])
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 2, "unchanged": 0, "errors": [], "revisions": {"ES": 2}}
    revision = Revision.objects.get(number=2)
    assert (revision.source, revision.user) == ("API token token 0", feed)
    assert last_bar(Product.objects.get()) == dt.date(2020, 3, 5)


def test_sending_again_changes_nothing(market, post):
    post([bar(), bar("2020-03-06")])
    answer = post([bar(), bar("2020-03-06"), bar("2020-03-06"), bar("2020-03-09")])
    assert answer.json() == {"accepted": 1, "unchanged": 3, "errors": [], "revisions": {"ES": 3}}
    assert post([bar()]).json() == {"accepted": 0, "unchanged": 1, "errors": [], "revisions": {}}


def test_a_correction_is_accepted_and_dated(market, post):
    assert post([bar("2020-03-03", 2999.0)]).json()["accepted"] == 1
    assert Revision.objects.get(number=2).earliest_change == dt.date(2020, 3, 3)


def test_a_field_that_is_not_sent_is_left_as_it_is(market, post):
    post([bar(volume=12)])
    assert post([bar()]).json()["unchanged"] == 1


@pytest.mark.parametrize(
    ("datetime", "at"),
    [
        ("2020-03-05T14:45:00", "2020-03-05T20:45:00+00:00"),  # the product's clock
        ("2020-03-05T20:45:00+00:00", "2020-03-05T20:45:00+00:00"),
        ("2020-03-05T20:45:00Z", "2020-03-05T20:45:00+00:00"),
    ],
)
def test_times_are_those_of_a_pack(market, post, datetime, at):
    assert post([bar(datetime)]).json()["accepted"] == 1
    assert last_bar(Product.objects.get()).astimezone(dt.UTC).isoformat() == at


def test_an_empty_list_is_fine(market, post):
    assert post([]).json() == {"accepted": 0, "unchanged": 0, "errors": [], "revisions": {}}


# What is refused.


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        (bar(close="high"), "close", "It is not a number; write it without quotes."),
        (bar(close=True), "close", "It is not a number; write it without quotes."),
        (bar(close=-1e10), "close", "Is no price: beyond 1,000,000,000 it stands for no value. Correct it"),
        ({"contractname": "F.ESH20", "datetime": "2020-03-05"}, "close", "It is needed, and missing."),
        (bar("soon"), "datetime", "Is neither a date nor a date with time"),
        (bar(20200305), "datetime", "It is not text; put it in quotes."),
        (bar(contract="F.NONE"), "contractname", "No such contract. Add it to contracts"),
        (bar(contract="F.\ud800"), "contractname", "It is not text; put it in quotes."),
        (bar(high=1, low=2), "high", "The high is below the low."),
        (bar(settlement=1), "settlement", "A bar has no such field; there are contractname, datetime, open"),
        ("F.ESH20", "", "A bar is an object with contractname, datetime and close."),
        (bar("2020-03-04", 5), "datetime", "The bar stands at index 2 already, with other values. Keep one."),
    ],
)
def test_a_bad_bar_is_named_and_the_others_are_taken(market, post, bad, field, message):
    answer = post([bar("2020-03-06"), bar("2020-03-09", contract="F.ESH21"), bar("2020-03-04", 4), bad])
    assert answer.status_code == 207
    body = answer.json()
    assert body["accepted"] == 3
    (error,) = body["errors"]
    assert (error["index"], error["field"]) == (3, field)
    assert error["message"].startswith(message)


def test_every_bad_bar_is_named(market, post):
    answer = post([bar(f"2020-03-05T{hour:02}:00:00", -1e10 if hour % 2 else 3000) for hour in range(24)])
    assert answer.json()["accepted"] == 12
    assert [error["index"] for error in answer.json()["errors"]] == list(range(1, 24, 2))


@pytest.mark.parametrize("bad", [bar(close=-1e10), bar(contract="F.NONE"), bar(high=1, low=2), bar(close=None)])
def test_a_bad_bar_is_refused_each_time_that_it_is_sent(market, post, bad):
    for _ in range(2):
        body = post([bad, bar("2020-03-02", 3000.0), bad, bad]).json()
        assert body["accepted"] + body["unchanged"] == 1
        assert [error["index"] for error in body["errors"]] == [0, 2, 3]
        assert len({error["message"] for error in body["errors"]}) == 1
        assert post([bad]).status_code == 422


def test_nothing_good(market, post):
    answer = post([bar(contract="F.NONE"), bar(close=None)])
    assert answer.status_code == 422
    assert answer.json()["accepted"] == 0
    assert answer.json()["error"].startswith("No bar was taken")
    assert not Event.objects.filter(message__contains="API token").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Not JSON at line 1, column 2: the text ends too early"),
        (b"\xff\xfe[", "Not UTF-8 text: byte 1 is wrong"),
        ('[{"close": NaN}]', "NaN is no number that can be kept"),
        ('[{"close": -Infinity}]', "-Infinity is no number that can be kept"),
        ("[" * 100_000, "Nested too deeply"),
        ("{}", "The body is a list of bars"),
        ("3", "The body is a list of bars"),
        ("", "Not JSON at line 1, column 1: the text ends too early"),
    ],
)
def test_a_body_that_is_no_list_of_bars(market, post, body, message):
    answer = post(body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_a_number_beyond_all_bounds_is_an_error_of_its_bar(market, post):
    answer = post('[{"contractname": "F.ESH20", "datetime": "2020-03-05", "close": 1e999}]')
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "close"


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_whole_number_beyond_all_bounds(market, post, digits):
    answer = post(f'[{{"contractname": "F.ESH20", "datetime": "2020-03-05", "close": 1{"0" * digits}}}]')
    assert answer.status_code == 422


def test_too_much_at_once(market, post, monkeypatch):
    assert post([bar()] * 10_001).status_code == 413
    assert post("[" + " " * 2_000_001 + "]").status_code == 413
    assert "at most 10,000 bars and 2,000,000 bytes" in post("[" + " " * 3_000_000 + "]").json()["error"]


def test_a_busy_store_asks_to_send_again(market, post, monkeypatch):
    def busy(*_, **__):
        raise MarketDataError("another import changed the market data meanwhile; import again")

    monkeypatch.setattr(market_records, "import_valid_rows", busy)
    answer = post([bar()])
    assert answer.status_code == 503
    assert answer["Retry-After"] == "2"


def test_only_post(market, post, key, client):
    answer = client.get(URL, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"


# Who may.


def refused(client, key: str | None = None) -> tuple[int, str]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = client.post(URL, json.dumps([bar()]), content_type="application/json", headers=headers)
    return answer.status_code, answer.json().get("error", "")


def test_without_a_token(client, db):
    assert refused(client) == (401, "Send an API token as the header 'Authorization: Bearer exo_…'.")
    answer = client.post(URL)
    assert answer["WWW-Authenticate"] == 'Bearer realm="exoweb"'


def test_a_session_does_not_count(client, root):
    client.force_login(root)
    assert refused(client)[0] == 401


def test_a_wrong_token(client, key):
    assert refused(client, key[:-1])[0] == 401
    assert refused(client, "")[0] == 401


def test_a_token_for_something_else(client, feed):
    status, message = refused(client, make_token(feed, Scope.READ, Scope.RUNS))
    assert status == 403
    assert "would need the scope market" in message


def test_a_token_can_do_no_more_than_its_user(client, vera):
    status, message = refused(client, make_token(vera, Scope.MARKET))
    assert status == 403
    assert "lacks the permission exo_registry.add_revision" in message


def test_an_expired_token(client, feed):
    key = make_token(feed, Scope.MARKET, expires=timezone.now() - dt.timedelta(seconds=1))
    assert refused(client, key)[0] == 401


def test_the_token_of_somebody_who_left(client, feed, key):
    feed.is_active = False
    feed.save()
    assert refused(client, key)[0] == 401


def test_a_deleted_token(client, key):
    Token.objects.all().delete()
    assert refused(client, key)[0] == 401


def test_refused_tokens_are_events_once_an_hour(client, feed):
    expired = make_token(feed, Scope.MARKET, expires=timezone.now() - dt.timedelta(seconds=1))
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        for key in ("exo_wrong", "exo_other", expired, expired):
            refused(client, key)
        refusals = Event.objects.filter(kind="login", level="warning")
        assert sorted(refusals.values_list("message", flat=True)) == [
            "An API token that is not known was sent from 127.0.0.1.",
            "The API token token 0, which has expired, was sent from 127.0.0.1.",
        ]
        clock.move_to(start + dt.timedelta(hours=1, seconds=1))
        refused(client, expired)
        assert refusals.count() == 3


def test_use_is_noted_and_the_key_is_not_kept(market, post, key):
    post([bar()])
    token = Token.objects.get()
    assert timezone.now() - token.last_used < dt.timedelta(minutes=1)
    assert key not in str(Token.objects.values().get())


@pytest.mark.django_db(transaction=True)
def test_feeds_at_once_lose_nothing(key):
    import_tables({name: arrow(rows) for name, rows in small_pack().items()}, source="pack")

    def send(number: int) -> int:
        try:
            client = Client()
            body = json.dumps([bar(f"2020-03-05T{number:02}:00:00", 3000 + number)])
            headers = {"authorization": f"Bearer {key}"}
            return client.post(URL, body, content_type="application/json", headers=headers).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, range(12)))
    assert statuses == [200] * 12
    assert Revision.objects.count() == 13
    assert coverage(Product.objects.get())["bars"]["rows"] == 18
