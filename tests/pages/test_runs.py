"""Run pages: planning and starting, progress, log, cancel and retry."""

import datetime as dt
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from exo_registry.models import Run, Step, event_log
from exo_registry.runs import lease
from exo_registry.views.runs import Pace
from tests.html import columns, facts, texts
from tests.runs.markets import import_bars, weekdays

from .builders import make_series

DAYS = weekdays("2020-01-06", 60)


@pytest.fixture
def market(es, tmp_path):
    """Sixty sessions of ES."""
    import_bars(tmp_path / "pack", "ES", DAYS)


@pytest.fixture
def run(contfut):
    """A run in the middle of its only step."""
    run = Run.objects.create(
        kind="backfill", source="page", status="running", started=timezone.now() - dt.timedelta(seconds=10)
    )
    Step.objects.create(
        run=run,
        series=contfut,
        product=contfut.product,
        position=0,
        status="running",
        sessions_done=40,
        sessions_total=100,
    )
    event_log.record("run", "First line", run=run)
    return run


def end(run, status):
    run.steps.update(status=status)
    Run.objects.filter(pk=run.pk).update(status=status, finished=timezone.now())


def test_without_runs_it_says_what_a_run_is(operator):
    text = operator.get("/runs/").text
    assert "No runs yet" in text
    assert reverse("run-new") in text


def test_the_list_counts_steps(viewer, run):
    shown = ("Run", "State", "Series", "Failed", "Sessions", "Kind")
    assert columns(viewer.get("/runs/").text, *shown) == [
        (str(run.pk), "running", "0 of 1", "0", "40", "backfill, missing")
    ]
    end(run, "failed")
    assert columns(viewer.get("/runs/").text, *shown)[0][1:5] == ("failed", "1", "1", "40")


def test_the_newest_run_comes_first(viewer, run):
    newer = Run.objects.create(kind="backfill", source="page", status="done")
    assert columns(viewer.get("/runs/").text, "Run") == [(str(newer.pk),), (str(run.pk),)]


def test_an_active_run_polls_and_an_ended_one_stops(viewer, run):
    text = viewer.get(f"/runs/{run.pk}/").text
    assert 'hx-trigger="every 1s"' in text
    assert columns(text, "Series", "State", "Sessions") == [("ES_ContFut", "running", "40 of 100")]
    assert (facts(text)["Series"], facts(text)["Sessions"], facts(text)["Failed"]) == ("0 of 1", "40 of 100", "0")
    assert len([line for line in texts(text, "//ol[@id='log']/li") if "First line" in line]) == 1
    end(run, "done")
    for address in (f"/runs/{run.pk}/", f"/runs/{run.pk}/progress/"):
        assert "hx-trigger" not in viewer.get(address).text


def test_a_poll_brings_new_lines_of_the_log_only(viewer, run):
    page = viewer.get(f"/runs/{run.pk}/").text
    address = re.search(r'hx-get="([^"]+)"', page)[1]
    event_log.record("run", "Second line", run=run)
    fragment = viewer.get(address).text
    assert "<html" not in fragment
    assert "Second line" in fragment
    assert "First line" not in fragment
    assert "Second line" not in viewer.get(re.search(r'hx-get="([^"]+)"', fragment)[1]).text


def test_errors_are_shown_and_can_be_retried(operator, run):
    run.steps.update(error="ESH20 has no bar on 2020-02-03: import it, then retry.")
    end(run, "failed")
    text = operator.get(f"/runs/{run.pk}/").text
    assert columns(text, "Reason", "State") == [("ESH20 has no bar on 2020-02-03: import it, then retry.", "failed")]
    assert facts(text)["Failed"] == "1"
    assert texts(text, "//form[contains(@action, 'retry')]/button") == ["Retry 1 failed, 100 sessions"]
    assert operator.post(reverse("run-retry", args=[run.pk]))["Location"] == f"/runs/{run.pk}/"
    assert run.steps.get().status == "waiting"


def test_cancelling_stops_what_waits(operator, run):
    run.steps.update(status="waiting")
    assert operator.post(reverse("run-cancel", args=[run.pk]))["Location"] == f"/runs/{run.pk}/"
    assert run.steps.get().status == "cancelled"
    text = operator.get(f"/runs/{run.pk}/").text
    assert texts(text, "//form[contains(@action, 'resume')]/button") == ["Resume 1 series, 100 sessions"]
    assert texts(text, "//form[contains(@action, 'cancel')]/button") == []


def add_step(run: Run, name: str, status: str, sessions: int) -> None:
    series = make_series(run.steps.first().product, name)
    run.steps.create(series=series, product=series.product, position=9, status=status, sessions_total=sessions)


def test_resume_says_what_is_left_and_takes_only_that(operator, run):
    run.steps.update(status="done")
    add_step(run, "Left1", "cancelled", 800)
    add_step(run, "Left2", "cancelled", 400)
    Run.objects.update(status="cancelled", cancel_requested=True)
    assert "Resume 2 series, 1,200 sessions" in operator.get(f"/runs/{run.pk}/").text
    operator.post(reverse("run-resume", args=[run.pk]))
    assert sorted(run.steps.values_list("status", flat=True)) == ["done", "waiting", "waiting"]


def test_a_cancelled_run_with_failures_offers_both(operator, run):
    run.steps.update(status="failed")
    add_step(run, "Left", "cancelled", 800)
    add_step(run, "Reader", "skipped", 70)
    Run.objects.update(status="cancelled", cancel_requested=True)
    text = operator.get(f"/runs/{run.pk}/").text
    assert "Resume 1 series, 800 sessions" in text
    assert "Retry 2 failed, 170 sessions" in text
    operator.post(reverse("run-retry", args=[run.pk]))
    statuses = dict(run.steps.values_list("series__name", "status"))
    assert statuses.pop("ES_Left") == "cancelled"
    assert set(statuses.values()) == {"waiting"}


def test_resuming_a_run_that_is_done_changes_nothing(operator, run):
    run.steps.update(status="done")
    Run.objects.update(status="done")
    page = operator.post(reverse("run-resume", args=[run.pk]), follow=True).text
    assert "Nothing of this run is left to compute" in page
    assert "Resume" not in page


def test_pace_says_rate_and_time_left():
    now = timezone.now()
    run = Run(status="running", started=now - dt.timedelta(seconds=10))
    run.sessions_done, run.sessions_timed, run.sessions_total = 40, 40, 100
    pace = Pace.of(run, now)
    assert pace.rate == pytest.approx(4)
    assert pace.left == dt.timedelta(seconds=15)
    run.status = "done"
    assert Pace.of(run, now).left is None
    assert Pace.of(Run(status="waiting")) == Pace(None, None, None)


def test_a_retry_has_the_pace_of_its_own_steps_without_the_pause_before_it(operator, run):
    """Steps that ended long ago count neither with their sessions nor with the time since."""
    now = timezone.now()
    day = dt.timedelta(days=1)
    run.steps.update(status="done", started=now - day, finished=now - day, sessions_done=100, sessions_total=100)
    again = run.steps.first()
    Step.objects.filter(pk=again.pk).update(status="failed", error="no")
    Run.objects.update(status="failed", started=now - day, finished=now - day)
    operator.post(reverse("run-retry", args=[run.pk]))
    again.refresh_from_db()
    assert lease.claim(again) is not None
    Step.objects.filter(pk=again.pk).update(sessions_done=40)
    counted_run = Run.objects.with_counts().get(pk=run.pk)
    pace = Pace.of(counted_run, counted_run.started + dt.timedelta(seconds=10))
    assert pace.elapsed == dt.timedelta(seconds=10)
    assert pace.rate == pytest.approx(4)


def test_the_plan_is_shown_before_it_is_started(operator, es, market):
    make_series(es, points=0)
    answer = operator.get("/runs/new/", {"series": "ES_ContFut"})
    assert columns(answer.text, "Series", "Action", "Sessions", "First session", "Last session", "Reason") == [
        ("ES_ContFut", "backfill", "60", str(DAYS[0]), str(DAYS[-1]), "first backfill")
    ]
    assert answer.context["form"]["start"].value() == "2020-01-06"  # the first session there is
    assert not Run.objects.exists()


def test_changing_the_form_brings_the_plan_alone(operator, es, market):
    make_series(es, points=0)
    asked = {"series": "ES_ContFut", "start": "2020-02-03"}
    text = operator.get("/runs/new/", asked, headers={"hx-request": "true"}).text
    assert "<html" not in text
    assert columns(text, "Series", "Sessions", "First session", "Last session") == [
        ("ES_ContFut", "40", "2020-02-03", str(DAYS[-1]))
    ]


def test_starting_makes_and_queues_a_run(operator, olga, es, market):
    make_series(es, points=0)
    response = operator.post("/runs/new/", {"series": "ES_ContFut", "start": "2020-01-06"})
    run = Run.objects.get()
    assert response["Location"] == f"/runs/{run.pk}/"
    assert (run.user, run.source, run.steps.get().series.name) == (olga, "page", "ES_ContFut")


def test_a_second_request_is_refused_with_a_link_to_the_first(operator, es, market):
    make_series(es, points=0)
    for _ in range(2):
        response = operator.post("/runs/new/", {"series": "ES_ContFut", "start": "2020-01-06"})
    run = Run.objects.get()
    assert response.status_code == 200
    assert f"Open run {run.pk}" in response.text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"start": "01/06/2020"}, "From: not a date: write it as YYYY-MM-DD."),
        (
            {"start": "2020-02-01", "until": "2020-01-01"},
            "2020-01-01 is before the first session asked for, 2020-02-01.",
        ),
        ({"series": "ES_Nothing"}, "ES_Nothing"),
        ({"mode": "again"}, "again"),
    ],
)
def test_a_bad_request_is_explained_and_starts_nothing(operator, es, market, asked, message):
    make_series(es, points=0)
    response = operator.post("/runs/new/", asked)
    assert message in response.text
    assert not Run.objects.exists()


def test_an_unknown_run_is_not_found(viewer):
    assert viewer.get("/runs/99/").status_code == 404
