"""Asking for a run on the page, in the admin, over the API and in the shell: one service, one set of defaults."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from exo_registry.definitions import catalogue
from exo_registry.models import Product, Run, Series
from exo_registry.runs.request import RequestError, RunRequest

from .conftest import DAYS, START

pytestmark = pytest.mark.django_db


def on_the_page(client, **dates) -> str:
    return client.post("/runs/new/", {"product": "ES"} | dates).text


def in_the_admin(client, **dates) -> str:
    chosen = {"action": "backfill", "_selected_action": [Product.objects.get().pk], "confirm": "1"}
    url = reverse("admin:exo_registry_product_changelist")
    return client.post(url, {"mode": "missing"} | chosen | dates).text


def over_the_api(client, **dates) -> str:
    answer = client.post("/api/v1/runs/", {"products": ["ES"]} | dates, content_type="application/json")
    return answer.json().get("error", "")


def in_the_shell(client, start, until=None) -> str:
    try:
        call_command("runexo", "ES", "--queue", "-B", start, *(["--until", until] if until else []))
    except CommandError as error:
        return str(error)
    return ""


ASK = {"page": on_the_page, "admin": in_the_admin, "api": over_the_api, "shell": in_the_shell}


@pytest.mark.parametrize("source", ASK)
def test_the_same_run_is_made_and_enqueued(
    source, es, contfut, admin_client, admin_user, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as enqueued:
        ASK[source](admin_client, start=str(START))
    run = Run.objects.get()
    assert (run.kind, run.mode, run.start, run.until) == ("backfill", "missing", START, None)
    assert (run.source, run.user) == (source, None if source == "shell" else admin_user)
    assert run.steps.get().series.name == "ES_ContFut"
    assert run.events.get().message.startswith(f"Run {run.pk} planned: 1 series, 100 sessions")
    assert len(enqueued) == 1


@pytest.mark.parametrize("source", ASK)
def test_dates_in_the_wrong_order_are_refused_in_the_same_words(source, es, contfut, admin_client):
    answer = ASK[source](admin_client, start=str(DAYS[5]), until=str(DAYS[4]))
    assert f"{DAYS[4]} is before the first session asked for, {DAYS[5]}. Swap them." in answer
    assert not Run.objects.exists()


@pytest.mark.parametrize("source", ASK)
def test_a_direction_that_the_code_has_got_is_computed_too(source, es, contfut, admin_client, monkeypatch):
    algorithm = catalogue.load(contfut.algorithm)
    monkeypatch.setattr(algorithm, "directions", algorithm.directions | {"twice": "{name}Twice"})
    ASK[source](admin_client, start=str(START))
    assert set(Run.objects.get().steps.values_list("series__name", flat=True)) == {"ES_ContFut", "ES_ContFutTwice"}


def test_one_session_is_a_span():
    assert RunRequest(start=START, until=START).until == START
    with pytest.raises(RequestError):
        RunRequest(start=DAYS[1], until=DAYS[0])


def test_the_button_of_a_stale_series_asks_for_it(es, contfut, compute, admin_client):
    compute(start=START)
    assert "mode=stale" not in admin_client.get("/series/ES_ContFut/").text
    Series.objects.update(algorithm_hash="another")
    assert "/runs/new/?series=ES_ContFut&amp;mode=stale" in admin_client.get("/series/ES_ContFut/").text


def test_the_form_opens_with_a_first_date_only_while_nothing_chosen_has_points(es, contfut, compute, admin_client):
    assert admin_client.get("/runs/new/").context["form"]["start"].value() == str(START)
    compute(start=DAYS[20])
    assert admin_client.get("/runs/new/").context["form"]["start"].value() == ""
