"""A product with a small market, and series computed on it."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exo_registry.code import source_code
from exo_registry.models import Point, Product, Run, Series, Trade
from exo_registry.runs import plan, worker
from tests.paths import ROOT

from .desks import Desk
from .markets import import_bars, weekdays
from .processes import Process

DAYS = weekdays("2020-01-06", 120)
START = DAYS[0]


@pytest.fixture
def bars(tmp_path) -> Callable[..., None]:
    """`bars("ES", days, change={day: 5.0})`: import bars of a product."""
    count = iter(range(1000))

    def bars(symbol: str, days, **more) -> None:
        import_bars(tmp_path / f"pack{next(count)}", symbol, days, **more)

    return bars


@pytest.fixture
def es(make_product, bars) -> Product:
    """A product with 100 sessions."""
    product = make_product("ES")
    bars("ES", DAYS[:100])
    return product


@pytest.fixture
def contfut(make_definition):
    return make_definition("ContFut")


@pytest.fixture
def compute() -> Callable[..., Run]:
    """`compute(start=…, mode=…)`: plan, start and work a run here; returns it."""

    def compute(**wanted) -> Run:
        run = plan.start(plan.make_plan(**wanted), source=Run.Source.SHELL)
        for product_id in run.steps.values_list("product", flat=True).distinct():
            worker.work(run.pk, product_id)
        run.refresh_from_db()
        return run

    return compute


def without_date(text: str) -> str:
    """What a stale series says, without since when."""
    return re.sub(r" since \d{4}-\d\d-\d\d", "", text)


def rows(name: str) -> tuple[list, list]:
    """Stored points and trades of a series, every column."""
    series = Series.objects.get(name=name)
    points = Point.objects.filter(series=series).order_by("date").values_list()
    trades = Trade.objects.filter(series=series).values_list("date", "number", "contract", "qty", "price", "value")
    return list(points), list(trades)


@pytest.fixture
def make_desk(tmp_path, monkeypatch, settings, make_definition) -> Iterator[Callable[..., Desk]]:
    made = []

    def make(pause: float = 0.0) -> Desk:
        monkeypatch.syspath_prepend(tmp_path)
        desk = Desk(tmp_path, pause)
        made.append(desk.name)
        settings.ALGORITHM_PACKAGES = ["algorithms", desk.name]
        desk.edit(1)
        make_definition("Level", desk.path)
        return desk

    yield make
    for name in [name for name in sys.modules if source_code.inside(name, made)]:
        del sys.modules[name]


@pytest.fixture
def desk(es, make_desk) -> Desk:
    return make_desk()


@pytest.fixture
def start_process(child_env, tmp_path) -> Iterator[Callable[..., Process]]:
    """`start_process("runexo", EXOWEB_WORKERS=2)`: a process that is ended after the test."""
    started = []

    def start(
        *arguments: str, cwd: Path = ROOT, script: tuple[str, ...] = ("manage.py",), **environment: object
    ) -> Process:
        log = tmp_path / f"process{len(started)}.log"
        started.append(Process(log, (*script, *arguments), cwd=cwd, env=child_env(**environment)))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
