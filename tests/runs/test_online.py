"""Bringing series up to the newest session."""

import pytest

from exo_registry.models import Run, Series
from exo_registry.runs import plan, worker

from .conftest import DAYS, START, rows

pytestmark = pytest.mark.django_db


def online_plan(es) -> plan.Plan:
    return plan.make_plan(products=[es], kind=Run.Kind.ONLINE)


def now(es) -> Run:
    run = plan.start(online_plan(es), source=Run.Source.SCHEDULE)
    worker.work(run.pk, es.pk)
    run.refresh_from_db()
    return run


def test_the_newest_session_is_added(es, contfut, compute, bars):
    compute(start=START)
    bars("ES", DAYS[100:101])
    run = now(es)
    step = run.steps.get()
    assert (run.kind, run.source, run.status) == ("online", "schedule", "done")
    assert (step.from_start, step.sessions_done, step.rows_written) == (False, 1, 1)
    assert Series.objects.get().last_session == DAYS[100]


def test_missed_sessions_are_caught_up_by_the_same_step(es, contfut, compute, bars):
    compute(start=START)
    bars("ES", DAYS[100:110])
    assert now(es).steps.get().sessions_done == 10


def test_a_hole_is_filled_before_the_series_goes_on(make_product, contfut, compute, bars):
    es = make_product("ES")
    bars("ES", [*DAYS[:50], *DAYS[51:100]])
    compute(start=START)
    bars("ES", DAYS[:101])
    step = now(es).steps.get()
    assert (step.from_start, step.sessions_done) == (True, 101)
    assert [point[1] for point in rows("ES_ContFut")[0]] == DAYS[:101]


def test_nothing_new_is_nothing_to_do(es, contfut, compute):
    compute(start=START)
    with pytest.raises(plan.NothingToDo, match="up to date"):
        plan.start(online_plan(es), source=Run.Source.SCHEDULE)


def test_a_series_never_backfilled_is_refused(es, contfut):
    with pytest.raises(plan.NothingToDo, match="ES_ContFut: never backfilled: say from which date"):
        plan.start(online_plan(es), source=Run.Source.SCHEDULE)
    assert Run.objects.count() == 0


def test_one_never_backfilled_does_not_stop_the_others(es, contfut, make_definition, compute, bars):
    compute(start=START)
    make_definition("New")
    bars("ES", DAYS[100:101])
    assert online_plan(es).problems == ["ES_New: never backfilled: say from which date (From; in the shell -B)."]
    assert [step.series.name for step in now(es).steps.all()] == ["ES_ContFut"]
