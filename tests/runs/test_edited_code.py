"""An algorithm's file is edited while its series are computed, planned and looked at."""

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.urls import reverse

from exo_registry.code import loaded_code, source_code
from exo_registry.definitions import catalogue
from exo_registry.models import Event, Run, Scope, Series, Step, Token, Trade
from exo_registry.models.run import ACTIVE
from exo_registry.runs import plan, worker
from exo_registry.series.assessment import State, assess_series
from exo_registry.workers import heartbeats
from tests.html import texts
from tests.load.servers import free_port
from tests.paths import ROOT

from .conftest import DAYS, START
from .desks import STRATEGY, Desk
from .processes import Process
from .test_workers import is_over, wait_until

STATES = "//td[@class='state-of']/span"


def quantities(series: Series) -> set[int]:
    return {abs(quantity) for quantity in Trade.objects.filter(series=series).values_list("qty", flat=True)}


@pytest.mark.django_db
def test_the_next_step_and_the_next_plan_see_an_edit(desk, compute):
    compute(start=START)
    series = Series.objects.get(name="ES_Level")
    assert (desk.level_of(series), quantities(series)) == (1, {1})
    desk.edit(2)
    (item,) = plan.make_plan(mode="stale").items
    assert item.reason.startswith(f"stale: algorithm code changed ({desk.name}.level); legs[0].qty 1.0 → 2.0")
    compute(mode="stale")
    series.refresh_from_db()
    assert (desk.level_of(series), quantities(series)) == (2, {2})
    assert assess_series(series).state != State.STALE


@pytest.mark.django_db
def test_a_page_that_has_seen_the_old_code_does_not_judge_by_it(desk, compute, client, vera):
    client.force_login(vera)
    compute(start=START)
    for level, state in ((2, "stale"), (1, "history")):
        desk.edit(level)
        assert texts(client.get("/").text, STATES) == [state]


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["LEVEL = 2\n", "LEVEL = \n", None], ids=["edited", "broken", "deleted"])
def test_what_was_computed_with_code_that_has_changed_since_is_not_stored(desk, compute, monkeypatch, text):
    compute(start=START)
    before = Series.objects.get(name="ES_Level")
    real, edits = worker.compute, iter([text])

    def edit_after(*arguments):
        computed = real(*arguments)
        for text in edits:
            (desk.root / "level.py").unlink()
            if text is not None:
                desk.save(text)
        return computed

    monkeypatch.setattr(worker, "compute", edit_after)
    run = compute(mode="reset")
    step, series = run.steps.get(), Series.objects.get(name="ES_Level")
    assert step.attempt == 1
    message = Event.objects.filter(step=step, level="info").first().message
    assert message.startswith("ES_Level: ")
    if text == "LEVEL = 2\n":
        assert step.status == "done"
        assert (series.algorithm_hash, quantities(series)) == (catalogue.source_hash(desk.path), {2})
        assert Event.objects.filter(step=step, message__endswith="to be computed again.").count() == 1
    else:
        assert step.status == "failed"
        assert desk.path in step.error
        assert "\n" not in step.error
        assert (series.algorithm_hash, quantities(series)) == (before.algorithm_hash, {1})
        desk.edit(3)
        assert compute(mode="reset").status == "done"
        assert quantities(series) == {3}


@pytest.mark.django_db
def test_a_helper_that_is_imported_while_it_runs_counts_as_it_was_then(desk, compute, monkeypatch):
    text = STRATEGY.format(pause=0) + "    def open(self, session):\n        from . import late\n        {}\n"
    text += "        return super().open(session)\n"
    late = desk.root / "late.py"
    (desk.root / "strategy.py").write_text(text.format("late.once()"))
    edit = f"open({str(late)!r}, 'w').write('def once(): pass')"
    late.write_text(f"def once():\n    {edit}\n")
    run = compute(start=START)
    series = Series.objects.get(name="ES_Level")
    assert (run.status, series.algorithm_hash) == ("done", catalogue.source_hash(desk.path))
    assert Event.objects.filter(message__endswith="to be computed again.").count() == 1


class Office:
    """Backfills asked for from the shell, in the admin and over the API, at desks that have the same files."""

    def __init__(self, client, user, desk: Desk, start_process) -> None:
        self.client, self.desk, self.start_process = client, desk, start_process
        client.force_login(user)
        token = Token(name="storm", user=user, scopes=[Scope.READ, Scope.RUNS])
        self.key = token.new_key()
        token.save()
        self.environment = {
            "PYTHONPATH": str(desk.folder),
            "EXOWEB_ALGORITHM_PACKAGES": f"algorithms,{desk.name}",
            "EXOWEB_WORKERS": 2,
        }

    def cluster(self) -> Process:
        return self.start_process("qcluster", Q_CLUSTER_NAME="backfill", **self.environment)

    def shell(self, *arguments: str) -> Process:
        return self.start_process("runexo", *arguments, **self.environment)

    def admin(self) -> None:
        series = Series.objects.values_list("pk", flat=True)
        chosen = {"action": "backfill", "_selected_action": list(series), "mode": "reset", "confirm": "1"}
        answer = self.client.post(reverse("admin:exo_registry_series_changelist"), chosen)
        assert answer.status_code in (200, 302)

    def api(self, mode: str = "reset", **more: object) -> int:
        """Ask for a run of everything; returns the status: 201, 200 without work, 409 while another is at it."""
        answer = self.client.post(
            "/api/v1/runs/",
            json.dumps({"mode": mode, **more}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )
        assert answer.status_code in (200, 201, 409), answer.content
        return answer.status_code

    def book_states(self) -> set[str]:
        return set(texts(self.client.get("/").text, STATES))


def nothing_runs() -> bool:
    return not Step.objects.filter(status__in=ACTIVE).exists()


EDITS = 50


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_series_equals_the_source_that_its_lineage_names(
    es, make_product, bars, make_desk, client, root, start_process
):
    product = make_product("CL")
    bars("CL", DAYS[:100])
    type(es).objects.update(data_kind="synthetic")  # nobody feeds it, so that it is not late
    desk = make_desk(pause=0.001)
    office = Office(client, root, desk, start_process)
    assert office.api(start=str(START)) == 201
    clusters = [office.cluster(), office.cluster()]
    wait_until(lambda: is_over(Run.objects.get()), "the first backfill")
    unit = {series.product_id: series.last_exo for series in Series.objects.all()}
    assert set(unit) == {es.pk, product.pk}

    def check() -> None:
        for series in Series.objects.all():
            assert series.last_exo == unit[series.product_id] * desk.level_of(series), series
            seen.add(series.algorithm_hash)

    seen: set[str] = set()
    shells = []
    for number in range(EDITS):
        if number == EDITS // 2:
            desk.save("LEVEL = \n")
        else:
            desk.edit(10 + number)
        if number % 15 == 0:
            shells.append(office.shell("--queue", "--reset"))
        elif number % 2:
            office.admin()
        else:
            office.api()
        check()
        if number % 5 == 4:  # else the next edit comes while the series are computed
            wait_until(nothing_runs, "the runs to end")
            check()
    for shell in shells:
        said = shell.said()  # the last: it planned just when the file was broken
        assert any(excerpt in said for excerpt in ("queued", "already computing", "SyntaxError")), said
        assert "Traceback" not in said
    wait_until(nothing_runs, "the last runs to end")
    assert office.api() == 201
    wait_until(lambda: is_over(Run.objects.latest("pk")), "the backfill after the last edit")
    check()
    last = 10 + EDITS - 1
    assert {desk.level_of(series) for series in Series.objects.all()} == {last}
    assert all(quantities(series) == {last} for series in Series.objects.all())
    assert office.book_states() == {"fresh"}
    assert office.api("stale") == 200  # nothing to compute
    assert "0 series to compute" in office.shell("--stale", "--dry-run").said()
    assert len(seen) > EDITS // 10
    assert not Step.objects.filter(attempt__gt=1).exists()
    assert [cluster.poll() for cluster in clusters] == [None, None]


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the product, whose engine a test may edit."""
    copy = tmp_path / "copy"
    for name in ("algorithms", "exo_registry", "exoweb", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("manage.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_edit_of_the_engine_replaces_the_cluster_and_loses_nothing(es, contfut, copy, start_process):
    engine = copy / "algorithms/engine/loop.py"
    code = engine.read_text()
    workers = start_process("workers", "backfill", cwd=copy, EXOWEB_WORKERS=1)

    def backfill() -> Run:
        run = plan.start(plan.make_plan(start=START, mode="reset"), source=Run.Source.SHELL)
        worker.enqueue(run)
        return run

    def outcome(run: Run) -> tuple[Step, str]:
        wait_until(lambda: is_over(run), "the run to end")
        return run.steps.get(), Series.objects.get(name="ES_ContFut").algorithm_hash

    before, old = outcome(backfill())
    assert old == catalogue.source_hash(contfut.algorithm)
    engine.write_text(f"{code}\nEDITED = missing\n")
    run = backfill()
    broken = Event.objects.filter(level="error", message__contains="NameError: name 'missing' is not defined")
    wait_until(broken.exists, "the workers to say that they cannot be replaced")
    engine.write_text(f"{code}\nEDITED = True\n")
    worker.enqueue(run)
    after, new = outcome(run)
    assert (before.status, after.status, after.attempt) == ("done", "done", 1)
    assert new != old
    assert after.worker != before.worker
    assert Event.objects.filter(kind="worker", message__contains="algorithms.engine.loop changed on disk").exists()
    assert workers.poll() is None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_web_process_is_replaced_after_an_edit_of_the_engine(copy, start_process):
    port = free_port()
    server = start_process(
        "-m", "gunicorn", "exoweb.wsgi", "--bind", f"127.0.0.1:{port}", cwd=copy, script=(), EXOWEB_ALLOWED_HOSTS="*"
    )

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10):
                return True
        except urllib.error.HTTPError as error:
            return error.code == 503  # there is no worker
        except OSError:
            return False

    def reports(version: str) -> bool:
        return answers() and any(
            process.code["algorithms.engine.loop"] == version for process in heartbeats.web_processes()
        )

    wait_until(lambda: reports(loaded_code.versions()["algorithms.engine.loop"]), "the web server")
    (old,) = heartbeats.web_processes()
    engine = copy / "algorithms/engine/loop.py"
    code = engine.read_text()
    engine.write_text(f"{code}\nEDITED = missing\n")
    assert answers()
    assert answers()
    engine.write_text(f"{code}\nEDITED = True\n")
    edited = source_code.Source("algorithms.engine.loop", engine, engine.read_bytes()).version
    wait_until(lambda: reports(edited), "the new process")
    assert {process.pid for process in heartbeats.web_processes()} > {old.pid}
    assert server.poll() is None
