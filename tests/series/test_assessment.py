"""How a series is: one table of cases, and the one answer that plan, tick, pages, metrics and API give to each."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exo_registry.models import CodeVersion, Definition, Product, Run, Series
from exo_registry.operations import retention
from exo_registry.runs import due, plan, worker
from exo_registry.series.assessment import Assessment, Due, assess, assess_series
from exo_registry.series.causes import Category
from tests.html import table, texts
from tests.runs.conftest import DAYS, without_date

pytestmark = pytest.mark.django_db

LAST = 39  # number of the newest session that the series of a world have
HISTORY = DAYS[:40]


def at(day: dt.date, hour: int = 23) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), tzinfo=dt.UTC)


NOW = at(DAYS[LAST])


class World:
    """ES with a series up to a session, and what may happen to it."""

    def __init__(self, make_product, make_definition, bars, compute, monkeypatch) -> None:
        self.make_product, self.make_definition = make_product, make_definition
        self.bars, self.compute, self.monkeypatch = bars, compute, monkeypatch
        self.es: Product = make_product("ES")
        self.contfut: Definition = make_definition("ContFut")

    def computed(self, days: list[dt.date] = HISTORY) -> None:
        self.bars("ES", days)
        self.compute(start=days[0])

    def set(self, row: Product | Definition, **values: object) -> None:
        for name, value in values.items():
            setattr(row, name, value)
        row.save()


@pytest.fixture
def world(make_product, make_definition, bars, compute, monkeypatch) -> World:
    return World(make_product, make_definition, bars, compute, monkeypatch)


def never_run(world: World) -> None:
    world.bars("ES", HISTORY)


def fresh(world: World) -> None:
    world.computed()


def behind(world: World) -> None:
    world.computed()
    world.bars("ES", DAYS[40:42])


def other_parameters(world: World) -> None:
    world.computed()
    world.set(world.contfut, parameters={"legs": [{"right": "F", "qty": 2}]})


def other_costs_of_the_product(world: World) -> None:
    world.computed()
    world.set(world.es, cost_future=1.0)


def other_costs_of_the_definition(world: World) -> None:
    world.computed()
    world.set(world.contfut, cost_future=2.0)


def unusable_definition(world: World) -> None:
    world.computed()
    world.set(world.contfut, parameters={"nonsense": 1})


def other_algorithm(world: World) -> None:
    world.computed()
    Series.objects.update(algorithm="algorithms.long_call.LongCall")


def code_not_recorded(world: World) -> None:
    world.computed()
    Series.objects.update(algorithm_hash="another")


def other_module(world: World, name: str) -> None:
    world.computed()
    version = CodeVersion.objects.get()
    CodeVersion.objects.create(hash="another", modules=version.modules | {name: "another"})
    Series.objects.update(algorithm_hash="another")


def other_code(world: World) -> None:
    other_module(world, "algorithms.fixed_legs")


def other_engine(world: World) -> None:
    other_module(world, "algorithms.engine.loop")


def corrected_data(world: World) -> None:
    world.computed()
    world.bars("ES", HISTORY, change={DAYS[20]: 2.0})


def corrected_newest_session(world: World) -> None:
    world.computed()
    world.bars("ES", HISTORY, change={DAYS[LAST]: 2.0})


def recomputed_input(world: World) -> None:
    legs = {"legs": [{"right": "F", "qty": 1}]}
    world.make_definition(
        "AIchi", "algorithms.regime_spread.IchimokuSpread", parameters={"bullish": legs, "bearish": legs}
    )
    world.computed()
    Series.objects.filter(name="ES_ContFut").update(generation=7)


def hole(world: World) -> None:
    """A session that a correction of the data added: under standard conventions the calendar has all of them."""
    world.set(world.es, conventions="legacy")
    world.computed([*DAYS[:20], *DAYS[21:40]])
    world.bars("ES", HISTORY)


def failed(world: World) -> None:
    world.computed()
    with world.monkeypatch.context() as patch:
        patch.setattr(worker, "compute", lambda *_args, **_more: 1 / 0)
        world.compute(mode=Run.Mode.RESET)


def disabled(world: World) -> None:
    world.computed()
    world.set(world.contfut, enabled=False)


def narrowed(world: World) -> None:
    cl = world.make_product("CL")
    world.contfut.products.set([world.es, cl])
    world.bars("CL", HISTORY)
    world.computed()
    world.contfut.products.set([world.es])
    world.bars("CL", DAYS[40:42])
    world.bars("CL", DAYS[20:21], change={DAYS[20]: 5.0})


@dataclass(frozen=True)
class Case:
    """What happens in a world, and how `name` is at `now`. `plan`: the action of a plan for stale series, None if the
    series is not planned; `tick`: why online work computes it."""

    happens: Callable[[World], None]
    state: str
    why: str = ""
    categories: tuple[str, ...] = ()
    plan: str | None = plan.SKIP
    tick: Due | None = None
    now: dt.datetime = NOW
    name: str = "ES_ContFut"


STALE = {"state": "stale", "plan": plan.REBUILD}
CASES = [
    Case(fresh, "fresh"),
    Case(never_run, "never run", "", plan=None),
    Case(behind, "late", f"2 sessions behind {DAYS[41]}", plan=plan.EXTEND, tick=Due.MISSING, now=at(DAYS[41])),
    Case(
        fresh,
        "late",
        f"market data ends on {DAYS[LAST]}; a session was expected on {DAYS[40]}",
        now=at(DAYS[40]),
    ),
    Case(other_parameters, why="legs[0].qty 1.0 → 2.0", categories=(Category.PARAMETERS,), **STALE),
    Case(other_costs_of_the_product, why="cost_future 0.0 → 1.0", categories=(Category.RULES,), **STALE),
    Case(other_costs_of_the_definition, why="cost_future 0.0 → 2.0", categories=(Category.DEFINITION,), **STALE),
    Case(
        unusable_definition,
        "stale",
        "its definition cannot be used: algorithms.continuous_future.ContinuousFuture: nonsense: is not a parameter",
        (Category.DEFINITION,),
        plan=None,
    ),
    Case(
        other_algorithm,
        why="algorithm algorithms.long_call.LongCall → algorithms.continuous_future.ContinuousFuture",
        categories=(Category.DEFINITION,),
        **STALE,
    ),
    Case(other_code, why="algorithm code changed (algorithms.fixed_legs)", categories=(Category.CODE,), **STALE),
    Case(other_engine, why="engine code changed (algorithms.engine.loop)", categories=(Category.ENGINE,), **STALE),
    Case(code_not_recorded, why="algorithm code changed (modules not recorded)", categories=(Category.CODE,), **STALE),
    Case(
        corrected_data,
        why=f"market data corrected from {DAYS[20]}",
        categories=(Category.MARKET_DATA,),
        **STALE,
    ),
    Case(
        corrected_newest_session,
        why=f"market data corrected from {DAYS[LAST]}",
        categories=(Category.MARKET_DATA,),
        tick=Due.CORRECTED,
        **STALE,
    ),
    Case(
        recomputed_input,
        why="ES_ContFut, which it reads, was recomputed",
        categories=(Category.INPUT_SERIES,),
        name="ES_AIchi",
        **STALE,
    ),
    Case(
        hole,
        why=f"market data corrected from {DAYS[20]}; a hole: 39 of 40 sessions up to {DAYS[LAST]} are stored",
        categories=(Category.MARKET_DATA,),
        tick=Due.MISSING,
        **STALE,
    ),
    Case(failed, "failed", "run 2: Unexpected ZeroDivisionError"),
    Case(disabled, "retired", "its definition is not enabled", plan=None),
    Case(narrowed, "retired", "its definition no longer means CL", plan=None, now=at(DAYS[41]), name="CL_ContFut"),
    Case(
        fresh,
        "history",
        f"market data ended on {DAYS[LAST]}",
        now=at(DAYS[LAST] + dt.timedelta(days=60)),
    ),
]


def names(case: Case) -> str:
    return f"{case.state}-{case.happens.__name__}"


@pytest.fixture(params=CASES, ids=names)
def case(request, world) -> Iterator[Case]:
    """A case that has happened, with the clock at its moment."""
    request.param.happens(world)
    with time_machine.travel(request.param.now, tick=False):
        yield request.param


def test_every_reader_gives_the_same_answer(case, admin_client):
    series = Series.objects.select_related("definition", "product").get(name=case.name)
    assessment = assess_series(series)
    why = assessment.why
    assert (assessment.state, assessment.due) == (case.state, case.tick)
    assert without_run(why).startswith(without_run(case.why))
    assert bool(why) == bool(case.why)
    assert tuple(cause.category for cause in assessment.causes) == case.categories

    planned = plan.make_plan(mode=Run.Mode.STALE)
    items = {item.series.name: item for item in planned.items}
    assert (items[case.name].action if case.name in items else None) == case.plan
    if case.categories and case.name in items:
        assert all(str(cause) in items[case.name].reason for cause in assessment.causes)

    ids = {pk for work in due.look(case.now) for pk in work.due}
    assert (series.pk in ids) == (case.tick is not None)

    shown = f"{case.state} {why}".strip()
    book = {row["Series"].split()[0]: row["State"] for row in table(admin_client.get("/").text, "Series")}
    assert " ".join(book[case.name].split()) == " ".join(shown.split())
    page = admin_client.get(series.get_absolute_url()).text
    assert f'<span class="state {case.state.replace(" ", "-")}">' in page
    shown_causes = texts(page, '//*[@id="causes"]//li')
    assert shown_causes[: len(case.categories)] == [f"{cause} {cause.category}" for cause in assessment.causes]
    rows = {row["Product"]: row["Series"] for row in table(admin_client.get("/status/").text, "Product")}
    assert f"1 {case.state}" in rows[series.product.exchangesymbol]
    assert f'exoweb_series{{state="{case.state}"}} 1.0' in admin_client.get("/metrics").text
    listed = {row["name"]: row for row in admin_client.get("/api/v1/series/").json()["series"]}
    assert (listed[case.name]["state"], listed[case.name]["why"]) == (case.state, why)
    answered = [(cause["category"], cause["change"]) for cause in listed[case.name]["causes"]]
    assert answered == [(cause.category, cause.change) for cause in assessment.causes]


def without_run(text: str) -> str:
    """What a series says, without since when, and which run failed: that depends on when and where the test runs."""
    return without_date(re.sub(r"^run \d+", "run", text))


def assessed(now: dt.datetime = NOW) -> Assessment:
    return assess_series(Series.objects.select_related("definition", "product").get(), now)


def test_a_cause_has_old_and_new_value_and_since_when(world):
    world.computed()
    world.set(world.es, cost_future=0.5)
    world.set(world.es, cost_future=1.0)
    changed = world.es.history.latest().history_date
    world.set(world.es, description="saved again")
    (cause,) = assessed().causes
    assert (cause.category, cause.name, cause.old, cause.new) == (Category.RULES, "cost_future", 0.0, 1.0)
    assert cause.since == changed
    assert str(cause) == f"cost_future 0.0 → 1.0 since {changed:%Y-%m-%d}"


def test_a_parameter_is_dated_by_the_definition_s_history(world):
    world.computed()
    world.set(world.contfut, parameters={"legs": [{"right": "F", "qty": 2}]})
    changed = world.contfut.history.latest().history_date
    (cause,) = assessed().causes
    assert (cause.old, cause.new, cause.since) == (1.0, 2.0, changed)


def test_what_no_history_tells_has_no_date(world):
    world.computed()
    Product.objects.update(cost_future=1.0)
    (cause,) = assessed().causes
    assert (cause.since, str(cause)) == (None, "cost_future 0.0 → 1.0")


def test_corrected_data_is_dated_by_its_import(world):
    world.computed()
    world.bars("ES", HISTORY, change={DAYS[20]: 2.0})
    world.bars("ES", DAYS[10:11], change={DAYS[10]: 2.0})
    (cause,) = assessed().causes
    assert (cause.name, cause.old, cause.new) == ("ES", 1, 3)
    assert cause.since == world.es.revisions.get(number=2).created
    assert cause.change == f"market data corrected from {DAYS[10]}"


def test_missing_sessions_are_counted_from_first_to_last(world):
    world.computed()
    world.bars("ES", DAYS[40:43])
    missing = assessed(at(DAYS[42])).missing
    assert (missing.count, missing.first, missing.last) == (3, DAYS[40], DAYS[42])


def test_a_bar_has_a_quarter_of_an_hour_before_its_series_are_late(world):
    world.set(world.es, timezone="UTC", decision_time=dt.time(14, 45))
    world.computed()
    world.bars("ES", DAYS[40:41])
    moment = dt.datetime.combine(DAYS[40], dt.time(14, 45), dt.UTC)
    states = [assessed(moment + dt.timedelta(minutes=minutes)) for minutes in (-1, 0, 15)]
    assert [assessment.state for assessment in states] == ["fresh", "fresh", "late"]
    assert [bool(assessment.missing) for assessment in states] == [False, True, True]


def test_nobody_feeds_synthetic_data(world):
    world.set(world.es, data_kind="synthetic")
    world.computed()
    assert assessed(at(DAYS[110])).state == "fresh"


def test_a_series_stays_failed_until_it_is_computed(world):
    failed(world)
    run = plan.start(plan.make_plan(mode=Run.Mode.RESET), source=Run.Source.SHELL)
    assert assessed().state == "failed"  # while it waits
    worker.work(run.pk, world.es.pk)
    assert assessed().state == "fresh"


def test_a_step_of_a_series_that_left_the_calculation_is_skipped(world):
    world.bars("ES", HISTORY)
    run = plan.start(plan.make_plan(start=DAYS[0]), source=Run.Source.SHELL)
    world.set(world.contfut, enabled=False)
    worker.work(run.pk, world.es.pk)
    step = run.steps.get()
    assert (step.status, step.reason) == ("skipped", "its definition is not enabled")
    run.refresh_from_db()
    assert run.status == "done"


def test_modules_of_code_that_no_series_names_are_removed_after_a_month(world):
    other_code(world)
    now = CodeVersion.objects.latest("first_used").first_used
    retention.prune(now)
    assert CodeVersion.objects.count() == 2
    retention.prune(now + dt.timedelta(days=31))
    assert CodeVersion.objects.get().hash == "another"


def queries(count: int) -> int:
    series = list(Series.objects.select_related("definition", "product")[:count])
    with CaptureQueriesContext(connection) as captured:
        assert {row.state for row in assess(series, at(DAYS[LAST])).values()} == {"stale"}
    return len(captured)


def test_fifty_series_cost_as_many_queries_as_five(world):
    for number in range(9):
        world.make_definition(f"Fut{number}")
    for number in range(4):
        world.make_product(f"P{number}")
    for definition in Definition.objects.all():
        definition.products.set(Product.objects.all())
    for product in Product.objects.all():
        for definition in Definition.objects.all():
            Series.objects.get_or_create(
                product=product, definition=definition, defaults={"name": f"{product}_{definition}"}
            )
    world.bars("ES", HISTORY)
    Series.objects.update(
        start=DAYS[0], last_session=DAYS[LAST], points_count=40, market_revision=1, computed_at=at(DAYS[0])
    )
    assert Series.objects.count() == 50
    assert queries(5) == queries(50)
