"""Old records go, and only those."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_q.models import Failure, Schedule, Success

from exo_registry import market
from exo_registry.market import store
from exo_registry.models import Event, Product, Revision, Run, Series, Step
from exo_registry.operations.retention import prune
from tests.market.packs import changed, small_pack, write_pack

pytestmark = pytest.mark.django_db


def ago(days: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(days=days)


LEVELS, DAYS = ("info", "warning", "error"), (80, 100, 360, 370)


def event(level: str, days: float, **fields) -> Event:
    made = Event.objects.create(kind="run", level=level, message=f"{level} {days}", **fields)
    Event.objects.filter(pk=made.pk).update(time=ago(days))
    return made


def test_events_by_level_and_age():
    for level in LEVELS:
        for days in DAYS:
            event(level, days)
    assert prune() == "events: 5"
    gone = {"info 100", "info 360", "info 370", "warning 370", "error 370"}
    kept = set(Event.objects.exclude(kind="prune").values_list("message", flat=True))
    assert kept == {f"{level} {days}" for level in LEVELS for days in DAYS} - gone
    assert Event.objects.get(kind="prune").message == "Removed old records (events: 5)."
    assert prune() == "nothing"


def test_what_imports_say_is_kept_for_less_long():
    for days in (20, 40):
        Event.objects.filter(pk=event("info", days).pk).update(kind="import")
        Event.objects.filter(pk=event("error", days).pk).update(kind="import")
    assert prune() == "events: 1"
    assert Event.objects.filter(kind="import").count() == 3


def run(kind: str, status: str, days: float, series: Series) -> Run:
    made = Run.objects.create(kind=kind, status=status, source="schedule", finished=ago(days))
    Step.objects.create(run=made, series=series, product=series.product, position=0, status=status)
    return made


def test_online_runs_go_with_their_steps_and_leave_their_warnings(make_product, make_definition):
    product = make_product()
    make_definition()
    series = Series.objects.get()
    old, recent = run("online", "done", 100, series), run("online", "done", 80, series)
    failed, backfill = run("online", "failed", 100, series), run("backfill", "done", 1000, series)
    warning = event("warning", 100, run=old, step=old.steps.get(), product=product)
    assert prune() == "online runs: 1"
    assert set(Run.objects.all()) == {recent, failed, backfill}
    assert Step.objects.count() == 3
    warning.refresh_from_db()
    assert (warning.run, warning.step, warning.product) == (None, None, product)


def test_revisions_that_no_series_looks_at_any_more(make_product, make_definition):
    product, other = make_product("ES"), make_product("CL")
    make_definition(products=[product])
    Series.objects.update(market_revision=3)
    for owner, count in ((product, 5), (other, 3)):
        for number in range(1, count + 1):
            Revision.objects.create(product=owner, number=number, source="feed", earliest_change=dt.date(2020, 1, 1))
    assert prune() == "nothing"
    Revision.objects.update(created=ago(100))
    assert prune() == "revisions: 5"
    assert sorted(Revision.objects.values_list("product__exchangesymbol", "number")) == [
        ("CL", 3),
        ("ES", 4),
        ("ES", 5),
    ]


def test_tasks_and_log_ins():
    for model, days in ((Success, 31), (Success, 29), (Failure, 91), (Failure, 89)):
        model.objects.create(
            id=f"{model.__name__}{days}",
            name="x",
            func="f",
            started=ago(days),
            stopped=ago(days),
            success=model is Success,
        )
    Session.objects.create(session_key="old", session_data="", expire_date=ago(1))
    Session.objects.create(session_key="new", session_data="", expire_date=ago(-1))
    assert prune() == "tasks: 2, log-ins: 1"
    assert Success.objects.count() == Failure.objects.count() == Session.objects.count() == 1


def bar_files(folder: Path) -> int:
    return len(list((folder / "contracts_bars").rglob("exchangesymbol=*/**/*.parquet")))


def test_market_data_stays_as_it_is(tmp_path, market_folder, monkeypatch):
    """Whatever the age of its files, the newest import can be read, and imports go on."""
    for name in ("delta.deletedFileRetentionDuration", "delta.logRetentionDuration"):
        monkeypatch.setitem(store.CONFIGURATION, name, "interval 0 days")
    market.import_pack(write_pack(tmp_path / "a", small_pack(), "csv"))
    for price in ("2990", "2991", "2992"):
        pack = changed(small_pack(), "contracts_bars", 1, close=price)
        market.import_pack(write_pack(tmp_path / price, pack, "csv"))
    product = Product.objects.get()
    before = market.load_market(product).tables()
    assert bar_files(market_folder) == 5
    prune()
    assert bar_files(market_folder) == 2  # one a year of expiry
    for cache in (store._for_reading, store._for_writing, store._lists):
        cache.clear()
    after = market.load_market(product).tables()
    assert np.array_equal(before[-1], after[-1])  # the calendar
    for old, new in zip(before[:-1], after[:-1], strict=True):
        for name in vars(old):
            assert list(getattr(old, name)) == list(getattr(new, name))
    again = market.import_pack(tmp_path / "2991")
    assert again.changed_anything
    prune()
    assert bar_files(market_folder) == 2
    assert market.import_pack(tmp_path / "2992").changed_anything


def test_a_schedule_prunes_every_day():
    from exo_registry.operations import schedules

    schedules.ensure()
    schedule = Schedule.objects.get(func="exo_registry.operations.retention.prune")
    assert (schedule.schedule_type, schedule.repeats) == (Schedule.DAILY, -1)
    assert schedule.next_run > timezone.now()
