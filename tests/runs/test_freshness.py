"""How series stand in the book."""

import datetime as dt

import pytest

from exo_registry.models import Run, Series
from exo_registry.runs import freshness, plan, tasks

from .conftest import DAYS, START

pytestmark = pytest.mark.django_db


def at(day: dt.date, hour: int = 23) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), tzinfo=dt.UTC)


def state(now: dt.datetime) -> freshness.Freshness:
    return freshness.state(Series.objects.select_related("definition", "product").get(), now)


def test_never_run(es, contfut):
    plan.make_plan()
    assert state(at(DAYS[99])) == freshness.Freshness("never run", "never backfilled")


def test_fresh_then_late_when_a_bar_has_come(es, contfut, compute, bars):
    compute(start=START)
    assert state(at(DAYS[99])).state == "fresh"
    bars("ES", DAYS[100:102])
    assert state(at(DAYS[99])).state == "fresh"  # the bars' own sessions are yet to come
    assert state(at(DAYS[101])) == freshness.Freshness("late", f"2 sessions behind {DAYS[101]}")


def test_late_when_no_bar_came(es, contfut, compute):
    compute(start=START)
    found = state(at(DAYS[100]))
    assert found.state == "late"
    assert found.why == f"market data ends on {DAYS[99]}; a session was expected on {DAYS[100]}"


def test_nobody_feeds_made_up_data(es, contfut, compute):
    es.synthetic = True
    es.save()
    compute(start=START)
    assert state(at(DAYS[110])).state == "fresh"


def test_stale_says_why(es, contfut, compute):
    compute(start=START)
    es.cost_future = 1.0
    es.save()
    assert str(state(at(DAYS[99]))) == "stale: product rules changed (cost_future)"


def test_failed_until_it_is_done(es, contfut):
    contfut.parameters = {"nonsense": 1}
    run = plan.start(_unchecked(contfut), source=Run.Source.SHELL)
    contfut.save()
    tasks.work(run.pk, es.pk)
    found = state(at(DAYS[99]))
    assert found.state == "failed"
    assert found.why.startswith(f"run {run.pk}: algorithms.continuous_future")
    contfut.parameters = {}
    contfut.save()
    run = plan.start(plan.make_plan(start=START), source=Run.Source.SHELL)
    assert state(at(DAYS[99])).state == "failed"  # while it waits
    tasks.work(run.pk, es.pk)
    assert state(at(DAYS[99])).state == "fresh"


def _unchecked(definition) -> plan.Plan:
    """A plan made while the definition was still good."""
    return plan.make_plan(start=START)


def test_many_series_take_no_more_queries(es, make_definition, compute, django_assert_max_num_queries):
    for number in range(5):
        make_definition(f"Fut{number}")
    compute(start=START)
    series = list(Series.objects.select_related("definition", "product"))
    with django_assert_max_num_queries(5):
        assert {one.state for one in freshness.states(series, at(DAYS[99])).values()} == {"fresh"}
