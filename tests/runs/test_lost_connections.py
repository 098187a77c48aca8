"""PostgreSQL hangs up, or is away for a while: steps are computed all the same, and nothing is half-written."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from exo_registry.models import Point, Run, Series, Step, bulk
from exo_registry.runs import compute as computing
from exo_registry.runs import control, plan, worker
from tests.proxy import Proxy

from .conftest import START, rows
from .test_workers import definitions, is_over, start_process, wait_until  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.fixture
def server() -> Iterator[psycopg.Connection]:
    """An administrator's connection to the same database."""
    database = connection.settings_dict
    login = {"host": database["HOST"], "port": database["PORT"] or 5432, "user": database["USER"]}
    with psycopg.connect(**login, password=database["PASSWORD"], dbname=database["NAME"], autocommit=True) as admin:
        yield admin


def terminate(server: psycopg.Connection, pid: int) -> None:
    """End a backend, and wait until it is gone."""
    server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def backend() -> int:
    connection.ensure_connection()
    return connection.connection.info.backend_pid


@pytest.fixture
def run(es, contfut) -> Run:
    return plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)


def interrupted(insert: Callable, server: psycopg.Connection, times: int) -> Callable:
    """`bulk.insert` that loses its connection in the middle of the first `times` COPYs."""
    left = [times]

    def insert_rows(model, columns, values):
        def values_and_a_loss():
            for number, row in enumerate(values):
                if number == 50 and left[0]:
                    left[0] -= 1
                    terminate(server, backend())
                yield row

        insert(model, columns, values_and_a_loss())

    return insert_rows


def test_a_connection_lost_during_copy_is_an_error_of_django(es, contfut, server):
    series = Series.objects.get(product=es, definition=contfut)
    insert = interrupted(bulk.insert, server, 1)
    values = [(series.pk, START.replace(year=START.year + n), 1.0, 1.0, False, 0, 0, 0, 0, 0.0) for n in range(60)]
    with pytest.raises(OperationalError):
        insert(Point, ("series_id", *computing.POINT_COLUMNS), values)
    connection.close()
    assert not Point.objects.exists()


def test_a_row_that_is_there_already_is_an_integrity_error(run, es, compute):
    worker.work(run.pk, es.pk)
    point = Point.objects.values_list("series_id", *computing.POINT_COLUMNS).first()
    with pytest.raises(IntegrityError):
        bulk.insert(Point, ("series_id", *computing.POINT_COLUMNS), [point])


def test_a_step_that_loses_its_connection_during_copy_is_stored_on_a_new_one(run, es, server, monkeypatch):
    monkeypatch.setattr(bulk, "insert", interrupted(bulk.insert, server, 1))
    assert worker.work(run.pk, es.pk) == "1 step"
    run.refresh_from_db()
    assert (run.status, run.steps.get().attempt) == ("done", 1)
    assert Series.objects.get().points_count == Point.objects.count() == 100


def test_a_commit_whose_answer_was_lost_counts(run, es, server, monkeypatch):
    store, calls = computing.store, []

    def store_and_lose(computed, lease):
        written = store(computed, lease)
        calls.append(1)
        if len(calls) == 1:
            terminate(server, backend())
            Series.objects.count()  # notices
        return written

    monkeypatch.setattr(worker, "store", store_and_lose)
    worker.work(run.pk, es.pk)
    run.refresh_from_db()
    assert (run.status, Point.objects.count()) == ("done", 100)
    assert "lost it to another worker" not in " ".join(run.events.values_list("message", flat=True))


@pytest.mark.slow
def test_connections_lost_at_random_moments_change_no_row(definitions, es, compute, server):  # noqa: F811
    compute(start=START)
    names = sorted(Series.objects.values_list("name", flat=True))
    expected = {name: rows(name) for name in names}
    chance = random.Random(7)
    for _ in range(5):
        run = plan.start(plan.make_plan(start=START, mode=Run.Mode.RESET), source=Run.Source.SHELL)
        Point.objects.all().delete()
        work_under_fire(run, es.pk, server, chance)
        assert (run.status, {name: rows(name) for name in names}) == ("done", expected)


def work_under_fire(run: Run, product_id: int, server: psycopg.Connection, chance: random.Random) -> None:
    """Work a run to its end as workers and the reconciler do, while this process loses its connections."""
    quiet, losses = threading.Event(), 0

    def shoot() -> None:
        nonlocal losses
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while not quiet.wait(chance.uniform(0.005, 0.05)) and losses < 8:
            for (pid,) in server.execute(query).fetchall():
                terminate(server, pid)
                losses += 1

    shooter = threading.Thread(target=shoot)
    shooter.start()
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                worker.work(run.pk, product_id)
                if is_over(run):
                    break
                Step.objects.filter(run=run, status="running").update(lease_until=timezone.now())
                control.reconcile()
            except (OperationalError, InterfaceError):
                connection.close()
            assert time.monotonic() < deadline, "the run does not end"
    finally:
        quiet.set()
        shooter.join()
        connection.close()
    assert losses


@pytest.mark.slow
def test_workers_carry_on_after_the_server_was_away(definitions, start_process, child_env):  # noqa: F811
    database = connection.settings_dict
    proxy = Proxy(database["HOST"], int(database["PORT"] or 5432))
    url = child_env()["DATABASE_URL"].replace(f":{database['PORT'] or 5432}/", f":{proxy.port}/")
    start_process("qcluster", Q_CLUSTER_NAME="backfill", DATABASE_URL=url)
    first = plan.start(plan.make_plan(start=START), source=Run.Source.ADMIN)
    worker.enqueue(first)
    wait_until(lambda: is_over(first), "the first run to end")
    proxy.close()
    second = plan.start(plan.make_plan(start=START, mode=Run.Mode.RESET), source=Run.Source.ADMIN)
    worker.enqueue(second)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=proxy.port, user=database["USER"], connect_timeout=2)
    proxy.accept()
    wait_until(lambda: is_over(second), "the second run to end")
    proxy.close()
    assert (first.status, second.status) == ("done", "done")
    assert os.getpid() not in {int(step.worker.rpartition(":")[2]) for step in second.steps.all()}


@pytest.mark.parametrize("place", ["a query", "a transaction", "the claim of a step"])
def test_an_interrupt_in_the_middle_of_an_answer_cancels_the_run(es, contfut, monkeypatch, place):
    """What fails then for the connection's sake is no failure of the step."""

    def strike(*_args, **_options):
        with transaction.atomic() if place == "a transaction" else contextlib.nullcontext():
            connection.connection.pgconn.send_query(b"SELECT 1")
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(worker, "claim" if place == "the claim of a step" else "store", strike)
    with pytest.raises(CommandError, match="cancelled"):
        call_command("runexo", "-B", str(START))
    run = Run.objects.get()
    assert (run.status, run.steps.get().status) == ("cancelled", "cancelled")
    assert not Point.objects.exists()
