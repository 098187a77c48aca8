"""What a plan holds: which series, which sessions, and why."""

import datetime as dt

import pytest

from exo_registry.models import Gap, Point, Run, Series, Step
from exo_registry.runs import plan

from .conftest import DAYS, START, without_date

pytestmark = pytest.mark.django_db

ICHIMOKU = "algorithms.regime_spread.IchimokuSpread"


def only(planned: plan.Plan) -> plan.PlanItem:
    assert planned.problems == []
    (item,) = planned.items
    return item


def test_a_first_backfill_takes_all_sessions_from_its_date(es, contfut):
    item = only(plan.make_plan(start=DAYS[10]))
    assert (item.action, item.sessions, item.first, item.last) == ("backfill", 90, DAYS[10], DAYS[99])
    assert item.reason == "first backfill"


def test_until_bounds_it(es, contfut):
    assert only(plan.make_plan(start=START, until=DAYS[49])).sessions == 50


def test_a_series_never_backfilled_needs_a_date(es, contfut):
    planned = plan.make_plan()
    assert planned.items == []
    assert planned.problems == ["ES_ContFut: never backfilled: say from which date (From; in the shell -B)."]


def test_a_product_without_data_is_named(make_product, contfut):
    make_product("CL")
    assert plan.make_plan(start=START).problems == [
        "CL_ContFut: CL has no complete session of market data. Import some with importmarket."
    ]


def test_a_start_after_the_last_session_is_a_problem(es, contfut):
    assert "there is no session from 2031-01-01" in plan.make_plan(start=dt.date(2031, 1, 1)).problems[0]


def test_up_to_date(es, contfut, compute):
    compute(start=START)
    item = only(plan.make_plan())
    assert (item.action, item.reason) == ("skip", "up to date")


def test_newer_sessions_extend(es, contfut, compute, bars):
    compute(start=START)
    bars("ES", DAYS[100:103])
    item = only(plan.make_plan())
    assert (item.action, item.sessions, item.first, item.reason) == ("extend", 3, DAYS[100], "3 newer sessions")


def test_an_earlier_start_rebuilds_from_there(es, contfut, compute):
    compute(start=DAYS[20])
    item = only(plan.make_plan(start=DAYS[5]))
    assert (item.action, item.first, item.sessions) == ("rebuild", DAYS[5], 95)
    assert item.reason == "15 earlier sessions asked for"


def test_a_later_start_changes_nothing(es, contfut, compute):
    compute(start=START)
    assert only(plan.make_plan(start=DAYS[30])).action == "skip"


def test_a_hole_is_filled_by_a_rebuild(make_product, contfut, compute, bars):
    make_product("ES")
    bars("ES", [*DAYS[:40], *DAYS[41:100]])
    compute(start=START)
    bars("ES", DAYS[:100])
    item = only(plan.make_plan())
    assert (item.action, item.sessions) == ("rebuild", 100)
    assert item.reason.startswith(f"a hole: 99 of 100 sessions up to {DAYS[99]} are stored; stale: market data")


def test_points_that_somebody_deleted_are_computed_again(es, contfut, compute):
    compute(start=START)
    Point.objects.filter(date=DAYS[40]).delete()
    item = only(plan.make_plan())
    assert (item.action, item.sessions) == ("rebuild", 100)
    assert item.reason == f"a hole: 99 of 100 sessions up to {DAYS[99]} are stored"


def test_a_reset_takes_everything(es, contfut, compute):
    compute(start=START)
    item = only(plan.make_plan(mode=Run.Mode.RESET))
    assert (item.action, item.sessions, item.reason) == ("rebuild", 100, "asked for from the start")


def stale_reasons(mode=Run.Mode.STALE) -> str:
    item = only(plan.make_plan(mode=mode))
    assert item.action == ("rebuild" if mode == Run.Mode.STALE else "skip")
    return without_date(item.reason)


def test_changed_parameters(es, make_definition, compute):
    definition = make_definition(
        "Legs", "algorithms.fixed_legs.FixedLegs", parameters={"legs": [{"right": "F", "qty": 1}]}
    )
    compute(start=START)
    definition.parameters = {"legs": [{"right": "F", "qty": 2}]}
    definition.save()
    assert stale_reasons() == "stale: legs[0].qty 1.0 → 2.0"
    assert stale_reasons(Run.Mode.MISSING) == "stale, left as it is: legs[0].qty 1.0 → 2.0"


def test_changed_product_rules(es, contfut, compute):
    compute(start=START)
    es.cost_future = 1.5
    es.save()
    assert stale_reasons() == "stale: cost_future 0.0 → 1.5"


def test_costs_of_the_definition_come_before_the_product_s(es, contfut, compute):
    es.cost_future = 1.5
    es.save()
    compute(start=START)
    assert Point.objects.order_by("date").first().costs == 1.5
    contfut.cost_future = 0.0
    contfut.save()
    assert stale_reasons() == "stale: cost_future 1.5 → 0.0"
    compute(mode=Run.Mode.STALE)
    assert not Point.objects.exclude(costs=0.0).exists()


def test_changed_code(es, contfut, compute):
    compute(start=START)
    Series.objects.update(algorithm_hash="another")
    assert stale_reasons() == "stale: algorithm code changed (modules not recorded)"


def test_corrected_market_data(es, contfut, compute, bars):
    compute(start=START)
    bars("ES", DAYS[:100], change={DAYS[60]: 2.0})
    assert stale_reasons() == f"stale: market data corrected from {DAYS[60]}"


def test_newer_data_is_no_correction(es, contfut, compute, bars):
    compute(start=START, until=DAYS[79])
    bars("ES", DAYS[100:101])
    assert only(plan.make_plan()).action == "extend"


def test_data_of_another_product_is_no_correction(es, contfut, compute, bars, make_product):
    compute(start=START)
    make_product("CL")
    bars("CL", DAYS[:50])
    contfut.products.set([es])
    assert only(plan.make_plan(mode=Run.Mode.STALE)).action == "skip"


def test_a_stale_series_is_never_extended(es, contfut, compute, bars):
    compute(start=START)
    es.cost_future = 1.5
    es.save()
    bars("ES", DAYS[100:101])
    item = only(plan.make_plan())
    assert (item.action, item.sessions) == ("rebuild", 101)


def test_what_a_series_reads_comes_first_and_is_taken_in(es, contfut, make_definition):
    ichi = make_definition("AIchi", ICHIMOKU)
    planned = plan.make_plan(definitions=[ichi], start=START)
    assert [item.series.name for item in planned.items] == ["ES_ContFut", "ES_AIchi"]


def test_what_it_reads_is_left_out_when_it_is_up_to_date(es, contfut, make_definition, compute):
    ichi = make_definition("AIchi", ICHIMOKU)
    compute(definitions=[contfut], start=START)
    assert [item.series.name for item in plan.make_plan(definitions=[ichi], start=START).items] == ["ES_AIchi"]


def test_a_series_recomputed_makes_its_readers_stale(es, contfut, make_definition, compute):
    make_definition("AIchi", ICHIMOKU)
    compute(start=START)
    Series.objects.filter(name="ES_ContFut").update(generation=7)
    items = {item.series.name: item for item in plan.make_plan(mode=Run.Mode.STALE).items}
    assert without_date(items["ES_AIchi"].reason) == "stale: ES_ContFut, which it reads, was recomputed"


def test_no_series_goes_past_what_it_reads(es, contfut, make_definition, compute):
    ichi = make_definition("AIchi", ICHIMOKU)
    compute(start=START, until=DAYS[49])
    contfut.enabled = False
    contfut.save()
    planned = plan.make_plan(definitions=[ichi])
    assert planned.items == []
    assert planned.problems == [
        "ES_AIchi: AIchi reads ES_ContFut, which is not in calculation: "
        "enable an EXO definition whose series is called ContFut, for ES."
    ]


def test_a_definition_that_cannot_be_loaded_is_named(es, contfut, make_definition):
    make_definition("Broken", "algorithms.nowhere.Nothing")
    planned = plan.make_plan(start=START)
    assert [item.series.name for item in planned.items] == ["ES_ContFut"]
    assert len(planned.problems) == 1
    assert planned.problems[0].startswith("Broken: algorithms.nowhere.Nothing: there is no module")


def test_parameters_that_are_refused_are_named(es, make_definition):
    make_definition("Bad", parameters={"nonsense": 1})
    (problem,) = plan.make_plan(start=START).problems
    assert problem.startswith("ES_Bad: algorithms.continuous_future.ContinuousFuture: nonsense")


def test_products_and_definitions_switched_off_are_said_so(es, contfut):
    es.active = False
    es.save()
    contfut.enabled = False
    contfut.save()
    assert plan.make_plan(products=[es], definitions=[contfut], start=START).problems == [
        "ES is not active: activate it in the admin, or with importmarket --activate.",
        "ContFut is not enabled: enable it in the admin.",
    ]


def test_a_session_is_planned_when_its_decision_time_has_passed(es, contfut):
    before = dt.datetime.combine(DAYS[99], dt.time(20, 44), tzinfo=dt.UTC)  # 14:44 or 15:44 in Chicago
    es.timezone = "UTC"
    es.decision_time = dt.time(20, 45)
    es.save()
    assert only(plan.make_plan(start=START, now=before)).last == DAYS[98]
    assert only(plan.make_plan(start=START, now=before + dt.timedelta(minutes=1))).last == DAYS[99]


def test_queries_do_not_grow_with_the_series(
    es, contfut, make_definition, make_product, bars, compute, django_assert_max_num_queries
):
    make_product("CL")
    bars("CL", DAYS[:100])
    for number in range(6):
        make_definition(f"Ichi{number}", ICHIMOKU)
    compute(start=START)
    with django_assert_max_num_queries(18):
        assert len(plan.make_plan().items) == 14


def test_start_makes_run_and_steps(es, contfut, olga):
    run = plan.start(plan.make_plan(start=START), user=olga, source=Run.Source.ADMIN)
    (step,) = run.steps.all()
    assert (run.status, run.user, run.start, run.mode) == ("waiting", olga, START, "missing")
    assert (step.status, step.sessions_total, step.from_start, step.reason) == ("waiting", 100, True, "first backfill")
    assert run.events.get().message.startswith(f"Run {run.pk} planned: 1 series, 100 sessions")


def test_one_active_run_a_series(es, contfut):
    first = plan.start(plan.make_plan(start=START), source=Run.Source.ADMIN)
    with pytest.raises(plan.AlreadyActive, match=f"Run {first.pk} is already computing ES_ContFut") as caught:
        plan.start(plan.make_plan(start=START), source=Run.Source.ADMIN)
    assert caught.value.run == first
    assert Run.objects.count() == 1
    assert Step.objects.count() == 1


def test_nothing_to_do_makes_no_run(es, contfut, compute):
    compute(start=START)
    with pytest.raises(plan.NothingToDo, match="every series is up to date"):
        plan.start(plan.make_plan(), source=Run.Source.ADMIN)


def test_gaps_count_as_sessions_tried(es, contfut, compute):
    compute(start=START)
    point = Point.objects.get(date=DAYS[50])
    Gap.objects.create(series_id=point.series_id, date=point.date, reason="no quote")
    Point.objects.filter(date=DAYS[50]).delete()
    assert only(plan.make_plan()).action == "skip"


def test_a_run_whose_rival_ends_at_that_moment_is_started_after_all(es, contfut, compute, monkeypatch):
    planned = plan.make_plan(start=START)
    rival = plan.start(planned, source=Run.Source.SHELL)
    real = plan.raise_if_active

    def end_rival_first(series):
        rival.steps.update(status="cancelled")
        real(series)

    monkeypatch.setattr(plan, "raise_if_active", end_rival_first)
    assert plan.start(planned, source=Run.Source.SHELL).steps.count() == 1
