"""Runs over HTTP: who may, what is planned and started, and what refusals say."""

import json

import pytest

from exo_registry.definitions import sync_series
from exo_registry.models import Event, Run, Scope, Status, Step, Token
from exo_registry.runs import worker

from .conftest import START

pytestmark = pytest.mark.django_db
RUNS = "/api/v1/runs/"


@pytest.fixture(autouse=True)
def _series(es, contfut, make_definition):
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters={"legs": [{"right": "F", "qty": 1}]})
    sync_series()


@pytest.fixture
def ask(client, olga):
    """`ask("post", RUNS, {"start": …})`: the answer to an operator's token; `scopes` and `user` change whose it is."""

    def ask(method, address, body=None, *, user=olga, scopes=(Scope.READ, Scope.RUNS)):
        token, _ = Token.objects.get_or_create(name=f"{user} {scopes}", defaults={"user": user, "scopes": list(scopes)})
        key = token.new_key()
        token.save()
        return client.generic(
            method.upper(),
            address,
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

    return ask


def test_a_run_is_started_read_and_computed(ask, es, olga, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as enqueued:
        answer = ask("post", RUNS, {"products": ["ES"], "start": str(START)})
    assert answer.status_code == 201
    made = answer.json()["run"]
    assert answer["Location"] == f"{RUNS}{made['id']}/"
    assert (made["status"], made["source"], made["user"]) == ("waiting", "api", "olga")
    assert made["series"] == {"total": 2, "ended": 0, "failed": 0}
    assert len(enqueued) == 1
    worker.work(made["id"], es.pk)
    read = ask("get", answer["Location"]).json()["run"]
    assert (read["status"], read["sessions"]) == ("done", {"total": 200, "done": 200})
    assert [step["series"] for step in read["steps"]] == ["ES_ContFut", "ES_Legs"]
    assert [listed["id"] for listed in ask("get", RUNS + "?status=done").json()["runs"]] == [made["id"]]
    assert ask("get", RUNS + "?status=failed").json() == {"runs": []}
    again = ask("post", RUNS, {"products": ["ES"]})
    assert (again.status_code, again.json()["run"]) == (200, None)
    assert "up to date" in again.json()["message"]


def test_a_dry_run_is_the_plan(ask):
    answer = ask("post", RUNS, {"definitions": ["Legs"], "start": str(START), "dry_run": True})
    assert answer.status_code == 200
    planned = answer.json()["plan"]
    assert (planned["series"], planned["sessions"], planned["problems"]) == (1, 100, [])
    assert planned["items"][0] == {
        "series": "ES_Legs",
        "action": "backfill",
        "sessions": 100,
        "first": str(START),
        "last": planned["items"][0]["last"],
        "why": "first backfill",
    }
    assert not Run.objects.exists()


def test_a_second_request_is_refused_with_the_first_one(ask):
    first = ask("post", RUNS, {"start": str(START)}).json()["run"]
    second = ask("post", RUNS, {"series": ["ES_Legs"], "start": str(START)})
    assert second.status_code == 409
    assert second.json()["run"] == first["id"]
    assert (
        second.json()["error"] == f"Run {first['id']} is already computing ES_Legs: wait for it to end, or cancel it."
    )


@pytest.mark.parametrize("way", ["delete", "post"])
def test_cancel_resume_and_retry(ask, es, way):
    made = ask("post", RUNS, {"start": str(START)}).json()["run"]
    address = f"{RUNS}{made['id']}/"
    answer = ask("delete", address) if way == "delete" else ask("post", address + "cancel/")
    assert answer.json()["run"]["status"] == "cancelled"
    answer = ask("post", address + "resume/")
    assert (answer.json()["run"]["status"], answer.json()["steps"]) == ("waiting", 2)
    Step.objects.filter(series__name="ES_Legs").update(status=Status.FAILED)
    answer = ask("post", address + "retry/")
    assert answer.json()["steps"] == 1
    worker.work(made["id"], es.pk)
    assert ask("get", address).json()["run"]["status"] == "done"
    assert {str(event.user) for event in Event.objects.exclude(user=None)} == {"olga"}


@pytest.mark.parametrize(
    ("body", "status", "excerpt"),
    [
        ({"product": ["ES"]}, 400, "known are products"),
        ({"products": ["XX"]}, 404, "There is no product 'XX'"),
        ({"series": ["ES_Nothing"]}, 404, "There is no series 'ES_Nothing'"),
        ({"products": []}, 400, "leave it out"),
        ({"mode": "all"}, 400, "'missing', 'stale' or 'reset'"),
        ({"start": "yesterday"}, 400, "start: "),
        ({"start": "2020-02-01", "until": "2020-01-01"}, 400, "Swap them"),
        ([1], 400, "not a JSON object"),
        ("products=ES", 400, "not a JSON object"),
    ],
)
def test_a_bad_request_says_what_to_do(ask, body, status, excerpt):
    answer = ask("post", RUNS, body)
    assert answer.status_code == status
    assert excerpt in answer.json()["error"]
    assert not Run.objects.exists()


def test_who_may(client, ask, vera, quinn, olga):
    made = ask("post", RUNS, {"start": str(START)}, user=quinn).json()["run"]
    address = f"{RUNS}{made['id']}/"
    assert client.get(RUNS).status_code == 401
    assert ask("get", address, user=vera, scopes=(Scope.READ,)).status_code == 200
    refused = ask("post", RUNS, {}, user=vera)
    assert (refused.status_code, "start_run" in refused.json()["error"]) == (403, True)
    assert ask("delete", address, user=olga, scopes=(Scope.READ,)).status_code == 403
    olga.groups.clear()
    assert ask("delete", address, user=olga).status_code == 403
    assert Run.objects.get().status == "waiting"


def test_a_trader_starts_runs_and_cancels_none(ask, vera):
    from django.contrib.auth.models import Group

    vera.groups.set([Group.objects.get(name="trader")])
    made = ask("post", RUNS, {"start": str(START)}, user=vera).json()["run"]
    refused = ask("delete", f"{RUNS}{made['id']}/", user=vera)
    assert refused.status_code == 403
    assert "cancel_run" in refused.json()["error"]


def test_a_log_in_will_do_with_a_csrf_token(olga):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(olga)
    assert browser.get(RUNS).json() == {"runs": []}
    refused = browser.post(RUNS, {"start": str(START)}, content_type="application/json")
    assert refused.status_code == 403
    browser.get("/runs/new/")
    token = browser.cookies["csrftoken"].value
    body = {"start": str(START)}
    answer = browser.post(RUNS, body, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201


def test_other_methods_and_unknown_runs(ask):
    assert ask("put", RUNS).status_code == 405
    assert ask("put", RUNS)["Allow"] == "GET, HEAD, POST"
    assert ask("get", RUNS + "99/").json()["error"] == "There is no run 99."
    for limit, status in ((0, 400), (1, 200), (500, 200), (501, 400)):
        assert ask("get", f"{RUNS}?limit={limit}").status_code == status
    assert ask("get", RUNS + "?state=done").status_code == 400
