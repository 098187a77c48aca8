"""Twenty people ask for overlapping backfills at the same moment, from the admin, a page, the API and the shell."""

import concurrent.futures
import io
import json
import threading
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from exo_registry.definitions import sync_series
from exo_registry.models import Definition, Product, Run, Scope, Series, Step, Token
from exo_registry.models.run import ACTIVE
from exo_registry.runs import worker

from .conftest import START
from .test_work import ICHIMOKU, LEGS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PEOPLE = 20


@pytest.fixture
def choices(es, contfut, make_definition) -> list[list[str]]:
    """What is asked for: sets of series that overlap, one of them with what another reads."""
    make_definition("AIchi", ICHIMOKU, parameters={"bullish": LEGS, "bearish": LEGS})
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters=LEGS)
    sync_series()
    return [["ContFut", "AIchi", "Legs"], ["AIchi"], ["ContFut", "Legs"], ["Legs"]]


@pytest.fixture
def ways(root, es) -> list[Callable[[list[str]], str]]:
    """How they ask; each returns what the person sees."""
    token = Token(name="rush", user=root, scopes=[Scope.RUNS])
    key = token.new_key()
    token.save()
    browsers = threading.local()

    def browser() -> Client:
        browsers.client = Client()
        browsers.client.force_login(root)
        return browsers.client

    def admin(exos: list[str]) -> str:
        ids = [Definition.objects.get(name=exo).pk for exo in exos]
        data = {"action": "backfill", "_selected_action": ids, "mode": "missing", "start": str(START), "confirm": 1}
        return seen(browser().post("/admin/exo_registry/definition/", data, follow=True))

    def page(exos: list[str]) -> str:
        data = {"exo": exos, "start": str(START), "mode": "missing"}
        return seen(browser().post("/runs/new/", data, follow=True))

    def api(exos: list[str]) -> str:
        headers = {"Authorization": f"Bearer {key}"}
        body = json.dumps({"definitions": exos, "start": str(START)})
        return seen(Client().post("/api/v1/runs/", body, content_type="application/json", headers=headers))

    def shell(exos: list[str]) -> str:
        out, err = io.StringIO(), io.StringIO()
        options = {"exolist": exos, "backfill": START, "queue": True, "stdout": out, "stderr": err}
        try:
            call_command("runexo", "ES", **options)
        except CommandError as error:
            err.write(str(error))
        return out.getvalue() + err.getvalue()

    return [admin, page, api, shell]


def seen(response) -> str:
    assert response.status_code in (200, 201, 409), response.content
    return response.content.decode()


def test_each_series_gets_one_run_and_everybody_a_clear_answer(choices, ways, es):
    ready = threading.Barrier(PEOPLE)

    def ask(number: int) -> str:
        try:
            ready.wait(60)
            return ways[number % len(ways)](choices[number // len(ways) % len(choices)])
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(PEOPLE) as pool:
        answers = list(pool.map(ask, range(PEOPLE)))
    assert not [answer for answer in answers if "locked" in answer or "deadlock" in answer or "Traceback" in answer]
    active = list(Step.objects.filter(status__in=ACTIVE).values_list("series__name", flat=True))
    assert sorted(active) == sorted(set(active))
    # Whoever comes first decides: nobody gets ES_AIchi while another run computes ES_ContFut, which it reads.
    assert {"ES_ContFut", "ES_Legs"} <= set(active) <= {"ES_ContFut", "ES_AIchi", "ES_Legs"}
    refused = [answer for answer in answers if "is already computing" in answer]
    assert len(refused) == PEOPLE - Run.objects.count(), answers
    for run in Run.objects.all():
        for product in Product.objects.all():
            worker.work(run.pk, product.pk)
    assert set(Run.objects.values_list("status", flat=True)) == {"done"}
    assert set(Series.objects.filter(name__in=active).values_list("points_count", flat=True)) == {100}
