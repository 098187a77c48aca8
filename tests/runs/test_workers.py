"""Real processes: workers that are started, killed and raced, on the test's own database."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.utils import timezone

from exo_registry.models import Run, Series, Step
from exo_registry.runs import control, lease, plan, worker
from tests.paths import ROOT

from .conftest import DAYS, START, rows
from .test_work import ICHIMOKU, LEGS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PATIENCE = 90  # seconds, for a machine that is busy with other things


@pytest.fixture
def definitions(es, contfut, make_definition) -> None:
    make_definition("AIchi", ICHIMOKU, parameters={"bullish": LEGS, "bearish": LEGS})
    make_definition("Legs", "algorithms.fixed_legs.FixedLegs", parameters=LEGS)


@pytest.fixture
def start_process(child_env) -> Iterator[Callable[..., subprocess.Popen]]:
    """`start_process("qcluster", Q_CLUSTER_NAME="backfill")`: a manage.py process, ended after the test."""
    started = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=child_env(EXOWEB_WORKERS=1, **environment),
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.1)


def is_over(run: Run) -> bool:
    run.refresh_from_db()
    return not run.is_active


def test_a_queued_backfill_is_computed_by_a_worker_process(definitions, start_process):
    run = plan.start(plan.make_plan(start=START), source=Run.Source.ADMIN)
    worker.enqueue(run)
    start_process("qcluster", Q_CLUSTER_NAME="backfill")
    wait_until(lambda: is_over(run), "the run to end")
    assert run.status == "done"
    assert {step.status for step in run.steps.all()} == {"done"}
    assert {step.worker for step in run.steps.all()} != {lease.worker_name()}
    assert set(Series.objects.values_list("points_count", flat=True)) == {100}
    by_worker = {name: rows(name) for name in Series.objects.values_list("name", flat=True)}
    again = plan.start(plan.make_plan(mode=Run.Mode.RESET), source=Run.Source.SHELL)
    worker.work(again.pk, again.steps.first().product_id)
    assert {step.rows_written for step in again.steps.all()} == {0}
    assert {name: rows(name) for name in by_worker} == by_worker


SLOW = """
import os, sys, time
import django
django.setup()
from exo_registry.runs import worker
store = worker.store
def slow_store(computed, lease):
    print("computed", computed.series.name, flush=True)
    time.sleep(60)
    return store(computed, lease)
worker.store = slow_store
worker.work(int(sys.argv[1]), int(sys.argv[2]))
"""


def test_a_killed_worker_leaves_nothing_half_written_and_the_run_goes_on(definitions, es, child_env):
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(run.pk), str(es.pk)],
        cwd=ROOT,
        env=child_env(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "computed ES_ContFut\n"
    finally:
        process.kill()
        process.communicate()
    step = run.steps.get(series__name="ES_ContFut")
    assert (step.status, step.attempt) == ("running", 1)
    assert rows("ES_ContFut") == ([], [])
    assert worker.work(run.pk, es.pk) == "1 step"  # the one that reads nothing
    Step.objects.filter(pk=step.pk).update(lease_until=timezone.now())
    assert control.reconcile().startswith("1 freed")
    worker.work(run.pk, es.pk)
    run.refresh_from_db()
    assert run.status == "done"
    stored = {name: rows(name) for name in Series.objects.values_list("name", flat=True)}
    assert {len(points) for points, _ in stored.values()} == {100}
    rebuilt = plan.start(plan.make_plan(mode=Run.Mode.RESET), source=Run.Source.SHELL)
    worker.work(rebuilt.pk, es.pk)
    assert {step.rows_written for step in rebuilt.steps.all()} == {0}


def in_threads(work: Callable[[], object], count: int) -> list[object]:
    """Results, or exceptions, of `work` called at the same time by `count` threads with a connection each."""

    def call() -> object:
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(call) for _ in range(count)]
        return [future.result() for future in futures]


def test_of_many_requests_at_once_one_becomes_a_run(definitions):
    plan.make_plan(start=START)
    results = in_threads(lambda: plan.start(plan.make_plan(start=START), source=Run.Source.API), 20)
    started = [result for result in results if isinstance(result, Run)]
    refused = [result for result in results if isinstance(result, plan.AlreadyActive)]
    assert (len(started), len(refused)) == (1, 19), results
    assert {result.run for result in refused} == set(started)


def test_of_many_workers_one_claims_a_step(definitions):
    run = plan.start(plan.make_plan(start=START), source=Run.Source.API)
    step = run.steps.first()
    claimed = in_threads(lambda: lease.claim(step), 8)
    assert len([step for step in claimed if isinstance(step, lease.Lease)]) == 1, claimed
    assert claimed.count(None) == 7


def test_many_workers_on_one_run_compute_each_step_once(definitions, es):
    run = plan.start(plan.make_plan(start=START), source=Run.Source.API)
    results = in_threads(lambda: worker.work(run.pk, es.pk), 4)
    assert all(isinstance(result, str) for result in results), results
    worker.work(run.pk, es.pk)
    run.refresh_from_db()
    assert run.status == "done"
    assert {step.attempt for step in run.steps.all()} == {1}
    assert {len(rows(name)[0]) for name in Series.objects.values_list("name", flat=True)} == {100}
    assert run.events.filter(message__contains=" done: ").count() == 1
    assert rows("ES_ContFut")[0][-1][1] == DAYS[99]
