"""A store that cannot be read, in each way, under everything that reads it: words that name the product, the table and
the remedy, and work that goes on once the store is back."""

import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from exo_registry import market
from exo_registry.definitions import check
from exo_registry.failures import explained
from exo_registry.market import MarketStoreError, storage, store
from exo_registry.market import session_lists as sessions
from exo_registry.models import Event, Point, Run, Scope, Series, Step
from exo_registry.runs import control, online, plan, worker
from exo_registry.series import performance, position
from exo_registry.series.assessment import assess
from tests.runs.markets import import_bars, weekdays

from .test_bars_api import make_token

pytestmark = pytest.mark.django_db

DAYS = weekdays("2020-01-06", 30)


def forget() -> None:
    """As a new process: nothing of the store is known."""
    for kept in (store._for_reading, store._for_writing, store._lists, sessions._known, storage._silent):
        kept.clear()
    position._snapshot.cache_clear()
    performance._future_prices.cache_clear()


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.name)


def missing_file(bars: Path) -> None:
    for path in bars.glob("exchangesymbol=ES/**/*.parquet"):
        path.unlink()


def truncated_file(bars: Path) -> None:
    for path in bars.glob("exchangesymbol=ES/**/*.parquet"):
        os.truncate(path, path.stat().st_size // 2)


def overwritten_file(bars: Path) -> None:
    for path in bars.glob("exchangesymbol=ES/**/*.parquet"):
        path.write_bytes(b"\0" * path.stat().st_size)


def broken_log(bars: Path) -> None:
    newest(bars / "_delta_log", "*.json").write_text('{"add": {"pa')


def empty_commit(bars: Path) -> None:
    newest(bars / "_delta_log", "*.json").write_text("")


def hole_in_log(bars: Path) -> None:
    min((bars / "_delta_log").glob("*.json"), key=lambda path: path.name).unlink()


def no_table(bars: Path) -> None:
    shutil.rmtree(bars)


def no_store(bars: Path) -> None:
    shutil.rmtree(bars.parent)


BREAKS = (
    missing_file,
    truncated_file,
    overwritten_file,
    broken_log,
    empty_commit,
    hole_in_log,
    no_table,
    no_store,
    None,
)


@pytest.fixture(params=BREAKS, ids=lambda way: way.__name__ if way else "no_answer")
def world(request, make_product, make_definition, tmp_path, settings, monkeypatch) -> Iterator[Callable[[], None]]:
    """ES with a series computed on it and a newer session that it lacks, in a store that is broken by now; the value
    repairs it."""
    make_product("ES")
    make_definition("ContFut")
    import_bars(tmp_path / "first", "ES", DAYS[:-1])
    compute(start=DAYS[0])
    import_bars(tmp_path / "second", "ES", DAYS)
    folder = Path(settings.MARKET_DATA_URI)
    shutil.copytree(folder, tmp_path / "copy")
    if request.param:
        request.param(folder / "contracts_bars")
    else:
        settings.MARKET_DATA_URI = "s3://bucket/market"
        for name, value in (
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ):
            monkeypatch.setenv(name, value)
    forget()

    def repair() -> None:
        settings.MARKET_DATA_URI = str(folder)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "copy", folder)
        forget()

    yield repair
    forget()


def compute(**wanted) -> Run:
    run = plan.start(plan.make_plan(**wanted), source=Run.Source.SHELL)
    worker.work(run.pk, run.steps.first().product_id)
    run.refresh_from_db()
    return run


def says_it(text: str) -> bool:
    """A sentence for a person: what cannot be read, of what, why, and what to do."""
    named = "market data" in text and "cannot be" in text and "ES" in text and "table " in text
    remedies = ("restore", "check that the storage")
    return named and any(remedy in text for remedy in remedies) and "Traceback" not in text and "\x1b" not in text


def error_of(read: Callable) -> MarketStoreError | None:
    try:
        read()
    except MarketStoreError as error:
        return error
    return None


def test_every_reader_raises_it(world, tmp_path):
    series = Series.objects.select_related("product", "definition").get()
    es = series.product
    readers: dict[str, Callable] = {
        "sessions": lambda: market.sessions(es),
        "market": lambda: market.load_market(es),
        "recent market": lambda: market.load_market(es, since=DAYS[5]),
        "futures": lambda: market.load_futures(es),
        "coverage": lambda: market.coverage(es),
        "export": lambda: market.export_pack(["ES"], tmp_path / "out"),
        "calendars": lambda: sessions.calendars([es]),
        "position": lambda: position.current(series),
        "statistics": lambda: performance.series_performance(series),
        "import": lambda: import_bars(tmp_path / "again", "ES", DAYS, change={DAYS[3]: 1.0}),
    }
    for name, read in readers.items():
        error = error_of(read)
        assert says_it(str(error)), f"{name}: {error}"
    assert not list((tmp_path / "out").glob("*"))
    assert [says_it(problem) for problem in check.check_definition(series.definition)] == [True]
    world()
    for read in readers.values():
        read()
    assert check.check_definition(series.definition) == []


def test_every_page_and_address_says_it(world, client, root):
    client.force_login(root)
    client.raise_request_exception = False
    pages = {
        "/": (),
        "/status/": (),
        "/products/": (),
        "/products/ES/": (200,),
        "/search/?q=zzz": (),
        "/series/ES_ContFut/": (),
        "/series/ES_ContFut/chart.json": (),
        "/series/ES_ContFut/statistics/": (503,),
        "/series/ES_ContFut/position/": (503,),
        "/series/ES_ContFut/payoff/": (503,),
        "/compare/?s=ES_ContFut": (),
        "/compare/statistics/?s=ES_ContFut": (503,),
        "/runs/": (),
        "/runs/new/?product=ES": (200,),
        "/admin/exo_registry/series/": (),
        "/api/v1/series/": (),
        "/api/v1/series/ES_ContFut.csv": (),
        "/api/v1/series/ES_ContFut/trades.json": (),
        "/api/v1/series/ES_ContFut/position": (503,),
        "/metrics": (),
        "/healthz": (),
    }
    for address, lacks in pages.items():
        forget()
        response = client.get(address)
        text = response.content.decode().replace("&#x27;", "'")
        assert response.status_code in (lacks or (200,)), f"{address}: {response.status_code}"
        if lacks:
            assert says_it(text), f"{address}: {text[-2000:]}"
    body = json.dumps({"products": ["ES"], "mode": "reset"})
    answers = {
        "run": client.post("/api/v1/runs/", body, content_type="application/json"),
        "bars": client.post("/api/v1/market/bars", BAR, content_type="application/json", headers=token(root)),
    }
    assert answers["bars"].status_code == 503
    for name, answer in answers.items():
        assert answer.status_code < 500 or answer.status_code == 503, name
        assert says_it(json.dumps(answer.json())), f"{name}: {answer.content}"
    world()
    for address in pages:
        assert client.get(address).status_code == 200, address


BAR = json.dumps([{"contractname": "ES202003", "datetime": "2020-02-20", "close": 1000.0}])


def token(user) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token(user, Scope.MARKET)}"}


def test_every_command_says_it_and_exits_with_1(world, tmp_path, monkeypatch, capsys):
    import_bars_into(tmp_path / "third")
    commands = (
        ["runexo", "ES"],
        ["runexo", "ES", "--reset"],
        ["runexo", "ES", "--dry-run"],
        ["importmarket", str(tmp_path / "third")],
        ["exportmarket", "ES", "-o", str(tmp_path / "out")],
        ["checkexo"],
    )
    for arguments in commands:
        forget()
        monkeypatch.setattr("sys.argv", ["manage.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            command(arguments)
        output = capsys.readouterr().err
        assert says_it(output), f"{arguments}: {output}"
        assert output.count("\n") == 1, f"{arguments}: {output}"
        assert ended.value.code in (1, 2), arguments
    world()
    command(["runexo", "ES"])


def command(arguments: list[str]) -> None:
    """As manage.py does, but for closing the test's own connection."""
    with explained():
        try:
            call_command(*arguments)
        except CommandError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(error.returncode)


def import_bars_into(folder: Path) -> None:
    """A pack that is not imported yet."""
    folder.mkdir()
    for path in (folder.parent / "second").iterdir():
        text = path.read_text()
        (folder / path.name).write_text(text.replace("1000", "1001") if "bars" in path.name else text)


def test_a_step_ends_with_it_or_waits_until_storage_answers(world, settings):
    es = Series.objects.get().product
    series = Series.objects.get()
    run = Run.objects.create(kind=Run.Kind.BACKFILL, mode=Run.Mode.MISSING, source=Run.Source.SHELL)
    Step.objects.create(run=run, series=series, product=es, position=0)
    before = Point.objects.count()
    answers = "://" not in str(settings.MARKET_DATA_URI)
    if answers:
        worker.work(run.pk, es.pk)
    else:
        with pytest.raises(MarketStoreError):
            worker.work(run.pk, es.pk)
    step = run.steps.get()
    run.refresh_from_db()
    assert (step.status, run.status) == (("failed", "failed") if answers else ("waiting", "running"))
    message = Event.objects.filter(step=step).first().message
    assert says_it(message)
    assert says_it(step.error) or not answers
    assert Point.objects.count() == before
    world()
    if answers:
        control.retry_failed(run, queue=False)
    worker.work(run.pk, es.pk)
    run.refresh_from_db()
    assert run.status == "done"
    assert Point.objects.count() == before + 1


def test_a_step_is_given_up_if_storage_never_answers(make_product, make_definition, tmp_path, settings, monkeypatch):
    product = make_product("ES")
    make_definition("ContFut")
    import_bars(tmp_path / "first", "ES", DAYS)
    settings.STEP_ATTEMPTS = 2
    run = plan.start(plan.make_plan(start=DAYS[0]), source=Run.Source.SHELL)

    def fail(*_args, **_more):
        raise MarketStoreError("the market data of ES cannot be read: no answer; check that …", transient=True)

    monkeypatch.setattr(market, "load_market", fail)
    with pytest.raises(MarketStoreError):
        worker.work(run.pk, product.pk)
    assert run.steps.get().status == "waiting"
    worker.work(run.pk, product.pk)
    step = run.steps.get()
    assert (step.status, step.error) == ("failed", "the market data of ES cannot be read: no answer; check that ….")
    assert run.events.filter(message__startswith=f"Run {run.pk} failed").exists()


def test_online_work_tells_it(world):
    now = dt.datetime.combine(DAYS[-1], dt.time(23, 30), dt.UTC)
    online.tick(now)
    forget()
    messages = Event.objects.filter(kind__in=("online", "step")).values_list("message", flat=True)
    assert any(says_it(message) for message in messages), list(messages)
    world()
    assess(Series.objects.select_related("product", "definition"), now)


def test_online_work_goes_on_with_the_other_products(make_product, make_definition, tmp_path, settings):
    make_product("CL")
    make_product("ES")
    make_definition("ContFut")
    for symbol in ("CL", "ES"):
        import_bars(tmp_path / f"first {symbol}", symbol, DAYS[:-1])
    started = plan.start(plan.make_plan(start=DAYS[0]), source=Run.Source.SHELL)
    for product_id in started.steps.values_list("product", flat=True):
        worker.work(started.pk, product_id)
    for symbol in ("CL", "ES"):
        import_bars(tmp_path / f"second {symbol}", symbol, DAYS)
    missing_file(Path(settings.MARKET_DATA_URI) / "contracts_bars")
    forget()
    online.tick(dt.datetime.combine(DAYS[-1], dt.time(23, 30), dt.UTC))
    assert list(Step.objects.filter(run__kind="online").values_list("product__exchangesymbol", flat=True)) == ["CL"]
    assert says_it(Event.objects.filter(kind="online").first().message)
    forget()
