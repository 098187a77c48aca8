"""/status/, /healthz and /metrics: what they say when all is well, and when it is not."""

import datetime as dt

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_q.models import Schedule, Task

from exo_registry import clusters, status
from exo_registry.clusters import Cluster, Unreachable
from exo_registry.models import Event, Run, Scope, Status, Step, Token

from .builders import make_series

pytestmark = pytest.mark.django_db


@pytest.fixture
def beats(monkeypatch):
    """`beats("online", age=3, tasks={11: "run 7 ES"})`: clusters that the heartbeats tell of."""
    found: list[Cluster] = []
    monkeypatch.setattr(clusters, "clusters", lambda: found)

    def beat(queue: str, age: float = 1, tasks: dict[int, str] | None = None, host: str = "desk") -> None:
        now = timezone.now()
        work = {pid: clusters.Task(name, now) for pid, name in (tasks or {}).items()}
        found.append(
            Cluster(queue, host, 10, now, now - dt.timedelta(seconds=age), 0, 0, 2, (11, 12), {"sentinel": 9}, work)
        )

    return beat


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
    page = viewer.get("/status/").content.decode()
    assert "all works" in page
    assert "run 7 ES" in page
    assert "1 of 2 busy" in page
    assert "Reconcile runs" in page
    assert 'hx-trigger="every 3s"' in page
    assert page.count("<html") == 1


def test_the_page_polls_a_fragment(viewer, beats):
    page = viewer.get("/status/", headers={"HX-Request": "true"}).content.decode()
    assert page.lstrip().startswith('<div id="status"')


def test_it_says_that_no_cluster_lives(viewer, beats):
    beats("online", age=40)
    page = viewer.get("/status/").content.decode()
    assert "No online cluster gives a sign of life" in page
    assert "No backfill cluster gives a sign of life" in page
    assert "silent" in page


def test_it_is_shown_while_the_queue_and_the_cache_are_away(viewer, monkeypatch):
    def refuse(*_args):
        raise Unreachable("The heartbeats of the workers cannot be read (ConnectionError).")

    monkeypatch.setattr(clusters, "clusters", refuse)
    monkeypatch.setattr(clusters, "queue_depth", refuse)
    page = viewer.get("/status/").content.decode()
    assert "cannot be read" in page
    assert "queue not readable" in page


def test_heartbeats_that_cannot_be_read_are_no_empty_answer(monkeypatch):
    def refuse(*_args, **_more):
        raise ConnectionError

    monkeypatch.setattr(cache, "get_many", refuse)
    with pytest.raises(Unreachable):
        clusters.clusters()


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
    assert [one.pid for one in clusters.clusters()] == [2, 3]


def test_products_come_the_worst_first(es, make_product):
    good = make_series(es)
    bad = make_series(make_product("CL"))
    run = Run.objects.create(kind="backfill", source="page", status="failed")
    Step.objects.create(run=run, series=bad, product=bad.product, position=0, status="failed", error="oh")
    rows = status.products(timezone.now())
    assert [(row.product.exchangesymbol, row.state) for row in rows[:1]] == [("CL", "failed")]
    assert rows[0].words == "1 failed"
    assert rows[1].computed == good.last_session


def test_schedules_show_how_they_went(viewer, beats):
    schedule = Schedule.objects.get(name="Reconcile runs")
    now = timezone.now()
    Task.objects.create(id="a" * 32, name="t", func="f", started=now, stopped=now, success=False, result="Boom")
    Schedule.objects.filter(pk=schedule.pk).update(task="a" * 32, next_run=now - dt.timedelta(hours=1))
    planned = next(one for one in status.planned(now) if one.schedule == schedule)
    assert (planned.state, planned.every) == ("late", "every minute")
    page = viewer.get("/status/").content.decode()
    assert "Boom" in page
    assert "did not run: no online cluster works" in page


def test_healthz_is_well(client, waiting):
    Run.objects.update(created=timezone.now())
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_healthz_fails_when_work_waits_and_nobody_works(client, waiting):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (503, b"work waits and nobody works\n")


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
    found = figures(answer)
    assert found['exoweb_steps{status="waiting"}'] == 1
    assert found['exoweb_steps{status="running"}'] == 0
    assert found['exoweb_runs{status="waiting"}'] == 1
    assert 3500 < found["exoweb_work_waiting_seconds"] < 3700
    assert found['exoweb_workers{cluster="backfill",host="desk"}'] == 2
    assert found['exoweb_workers_busy{cluster="backfill",host="desk"}'] == 1
    assert found['exoweb_workers{cluster="backfill",host="other"}'] == 2
    assert found['exoweb_queue_depth{queue="online"}'] == 0
    assert found['exoweb_events_last_hour{level="error"}'] == 1
    assert sum(value for name, value in found.items() if name.startswith("exoweb_series{")) == 1
    assert found['exoweb_product_computed_age_seconds{product="ES"}'] < 60
    assert found["exoweb_troubles"] == 1


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
    assert "Being computed" in page
    assert "desk:12" in page
