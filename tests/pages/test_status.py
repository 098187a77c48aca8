"""/status/, /healthz and /metrics: what they say when all is well, and when it is not."""

import datetime as dt
import os

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_q.models import Schedule, Task

from exo_registry.code import loaded_code
from exo_registry.models import Event, Run, Scope, Status, Step, Token
from exo_registry.operations import status
from exo_registry.workers import heartbeats
from exo_registry.workers.heartbeats import Cluster, Unreachable
from tests.html import columns, table, texts

from .builders import make_series

pytestmark = pytest.mark.django_db


@pytest.fixture
def beats(monkeypatch):
    """`beats("online", age=3, tasks={11: "run 7 ES"})`: clusters that the heartbeats tell of."""
    listed: list[Cluster] = []
    monkeypatch.setattr(heartbeats, "clusters", lambda: listed)

    def beat(
        queue: str,
        age: float = 1,
        tasks: dict[int, str] | None = None,
        host: str = "desk",
        code: dict[str, str] | None = None,
    ) -> None:
        now = timezone.now()
        work = {pid: heartbeats.Task(name, now) for pid, name in (tasks or {}).items()}
        listed.append(
            Cluster(
                queue,
                host,
                10,
                now,
                now - dt.timedelta(seconds=age),
                0,
                0,
                2,
                (11, 12),
                {"sentinel": 9},
                work,
                code or {},
            )
        )

    return beat


def test_the_version_is_shown(viewer, settings):
    assert f"exoweb {settings.VERSION}" in viewer.get("/status/").text


@pytest.fixture
def waiting(es) -> Step:
    """A step that has waited for an hour."""
    series = make_series(es)
    run = Run.objects.create(kind="backfill", source="page")
    Run.objects.update(created=timezone.now() - dt.timedelta(hours=1))
    return Step.objects.create(run=run, series=series, product=es, position=0)


@pytest.fixture(autouse=True)
def _schedules_run_in_time():
    Schedule.objects.update(next_run=timezone.now())


def test_all_is_well(viewer, es, beats):
    make_series(es)
    beats("online")
    beats("backfill", tasks={12: "run 7 ES"})
    answer = viewer.get("/status/")
    page = answer.content.decode()
    assert answer.context["overview"].troubles == []
    assert texts(page, '//ul[@class="messages"]/li') == []
    assert columns(page, "Cluster", "State", "Workers") == [
        ("online", "idle", "0 of 2 busy"),
        ("backfill", "working", "1 of 2 busy"),
    ]
    online, backfill = table(page, "Cluster")
    assert online["Current tasks"] == "–"
    assert backfill["Current tasks"].startswith("run 7 ES since ")
    assert columns(page, "Product", "State", "Last session") == [("ES", "stale", "2020-02-11")]
    assert ("Reconcile runs", "every minute", "no result yet") in columns(page, "Schedule", "Interval", "Last run")
    assert 'hx-trigger="every 3s"' in page
    assert page.count("<html") == 1


def test_the_page_polls_a_fragment(viewer, beats):
    page = viewer.get("/status/", headers={"HX-Request": "true"}).content.decode()
    assert page.lstrip().startswith('<div id="status"')


def test_it_says_that_no_cluster_lives(viewer, beats):
    beats("online", age=40)
    page = viewer.get("/status/").content.decode()
    troubles = texts(page, '//ul[@class="messages"]/li')
    assert [trouble.partition(":")[0] for trouble in troubles] == [
        "No active online workers",
        "No active backfill workers",
    ]
    assert columns(page, "Cluster", "State") == [("online", "no heartbeat")]


def test_it_is_shown_while_the_queue_and_the_cache_are_away(viewer, monkeypatch):
    def refuse(*_args):
        raise Unreachable("The heartbeats of the workers cannot be read (ConnectionError).")

    monkeypatch.setattr(heartbeats, "clusters", refuse)
    monkeypatch.setattr(heartbeats, "queue_depth", refuse)
    page = viewer.get("/status/").content.decode()
    troubles = texts(page, '//ul[@class="messages"]/li')
    assert len(troubles) == 3
    assert all("The heartbeats of the workers cannot be read (ConnectionError)." in trouble for trouble in troubles)
    assert "online: queue not readable, backfill: queue not readable" in texts(page, "//header/span")


def test_heartbeats_that_cannot_be_read_are_no_empty_answer(monkeypatch):
    def refuse(*_args, **_more):
        raise ConnectionError

    monkeypatch.setattr(cache, "get_many", refuse)
    with pytest.raises(Unreachable):
        heartbeats.clusters()


def test_a_cluster_that_was_started_again_replaces_the_one_that_died(monkeypatch):
    from types import SimpleNamespace

    from django_q.status import Stat

    now, minute = timezone.now(), dt.timedelta(minutes=1)

    def stat(pid: int, host: str, started: dt.datetime, beat: dt.datetime) -> SimpleNamespace:
        counts = {"task_q_size": 0, "done_q_size": 0, "reincarnations": 0, "workers": [], "pusher": 1, "monitor": 2}
        return SimpleNamespace(
            key=f"k{pid}", pid=pid, host=host, tob=started, timestamp=beat, sentinel=pid, status="Idle", **counts
        )

    beats = [
        stat(1, "desk", now - 9 * minute, now - 0.5 * minute),
        stat(2, "desk", now - 0.4 * minute, now),
        stat(3, "other", now - 9 * minute, now - 0.5 * minute),
    ]
    monkeypatch.setattr(Stat, "get_all", lambda broker: beats)
    assert [cluster.pid for cluster in heartbeats.clusters()] == [2, 3]


def test_products_come_the_worst_first(es, make_product):
    good = make_series(es)
    bad = make_series(make_product("CL"))
    run = Run.objects.create(kind="backfill", source="page", status="failed")
    Step.objects.create(run=run, series=bad, product=bad.product, position=0, status="failed", error="oh")
    rows = status.overview(timezone.now()).products
    assert [(row.product.exchangesymbol, row.state) for row in rows[:1]] == [("CL", "failed")]
    assert rows[0].summary == "1 failed"
    assert rows[1].computed == good.last_session


def test_schedules_show_how_they_went(viewer, beats):
    schedule = Schedule.objects.get(name="Reconcile runs")
    now = timezone.now()
    Task.objects.create(id="a" * 32, name="t", func="f", started=now, stopped=now, success=False, result="Boom")
    Schedule.objects.filter(pk=schedule.pk).update(task="a" * 32, next_run=now - dt.timedelta(hours=1))
    planned = next(row for row in status.planned(now) if row.schedule == schedule)
    assert (planned.state, planned.every) == ("late", "every minute")
    page = viewer.get("/status/").content.decode()
    [row] = [row for row in table(page, "Schedule") if row["Schedule"] == "Reconcile runs"]
    assert row["Next run"].endswith(" 1 h 00 min overdue")
    assert row["Last run"].startswith("failed ")
    assert 'title="Boom"' in page
    assert (
        sum("did not run: no active online workers" in text for text in texts(page, '//ul[@class="messages"]/li')) == 1
    )


def test_healthz_is_well(client, waiting):
    Run.objects.update(created=timezone.now())
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_healthz_fails_when_steps_wait_without_active_workers(client, waiting):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (503, b"no active workers\n")


def test_healthz_is_well_while_somebody_works(client, waiting, make_product):
    other = make_series(make_product("CL"))
    until = timezone.now() + dt.timedelta(seconds=30)
    Step.objects.create(
        run=waiting.run, series=other, product=other.product, position=1, status="running", lease_until=until
    )
    assert client.get("/healthz").status_code == 200


def test_healthz_fails_when_schedules_do_not_run(client):
    Schedule.objects.update(next_run=timezone.now() - dt.timedelta(hours=1))
    assert client.get("/healthz").status_code == 503


def figures(answer) -> dict[str, float]:
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_count_what_is_there(viewer, beats, waiting):
    beats("online")
    beats("backfill", tasks={12: "run 7 ES"})
    beats("backfill", host="other")
    Event.objects.create(kind="step", level="error", message="oh")
    answer = viewer.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=")
    gauges = figures(answer)
    assert gauges['exoweb_steps{status="waiting"}'] == 1
    assert gauges['exoweb_steps{status="running"}'] == 0
    assert gauges['exoweb_runs{status="waiting"}'] == 1
    assert 3500 < gauges["exoweb_work_waiting_seconds"] < 3700
    assert gauges['exoweb_workers{cluster="backfill",host="desk"}'] == 2
    assert gauges['exoweb_workers_busy{cluster="backfill",host="desk"}'] == 1
    assert gauges['exoweb_workers{cluster="backfill",host="other"}'] == 2
    assert gauges['exoweb_queue_depth{queue="online"}'] == 0
    assert gauges['exoweb_events_last_hour{level="error"}'] == 1
    assert sum(value for name, value in gauges.items() if name.startswith("exoweb_series{")) == 1
    assert gauges['exoweb_product_computed_age_seconds{product="ES"}'] < 60
    assert gauges["exoweb_troubles"] == 1


def test_metrics_need_a_log_in_or_a_token(client, vera, beats):
    assert client.get("/metrics").status_code == 401
    token = Token(name="prometheus", user=vera, scopes=[Scope.READ])
    key = token.new_key()
    token.save()
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer exo_wrong"}).status_code == 401


def test_a_step_that_runs_is_shown_with_its_worker(viewer, waiting, beats):
    Step.objects.update(status=Status.RUNNING, worker="desk:12", started=timezone.now(), sessions_total=100, attempt=2)
    page = viewer.get("/status/").content.decode()
    assert columns(page, "Worker", "Series", "Sessions", "Attempt") == [("desk:12", "ES_ContFut", "0 of 100", "2")]


LOOP = "algorithms.engine.loop"


def test_a_cluster_and_a_web_process_with_old_code_are_told_with_the_remedy(viewer, beats, monkeypatch):
    now, current = timezone.now(), loaded_code.versions()
    web = [
        heartbeats.WebProcess("desk", pid, now, code) for pid, code in ((20, current), (21, current | {LOOP: "old"}))
    ]
    monkeypatch.setattr(heartbeats, "web_processes", lambda: web)
    beats("online", code=current)
    beats("backfill", code=current | {LOOP: "old"})
    beats("backfill", code=current | {LOOP: "old"}, age=40, host="gone")
    assert viewer.get("/status/").context["overview"].troubles == [
        f"The backfill cluster desk:10 runs old code: {LOOP} has changed on disk. "
        "It is replaced before its next task; to do so now, restart it.",
        f"The web process desk:21 runs old code: {LOOP} has changed on disk. "
        "It is replaced after an answer; if it stays, restart the web server.",
    ]


def test_a_web_process_reports_its_code_with_its_first_answer(viewer, monkeypatch):
    monkeypatch.setattr(heartbeats, "_web_noted", -heartbeats.WEB_EVERY)
    viewer.get("/status/")
    (process,) = heartbeats.web_processes()
    assert process.pid == os.getpid()
    assert process.code == loaded_code.versions()
    assert LOOP in process.code


def test_a_report_of_a_process_that_answers_no_more_is_dropped(db):
    old = timezone.now() - heartbeats.WEB_KEPT - dt.timedelta(seconds=1)
    cache.set(heartbeats.WEB, {"desk:1": heartbeats.WebProcess("desk", 1, old, {LOOP: "old"})})
    assert heartbeats.web_processes() == []
