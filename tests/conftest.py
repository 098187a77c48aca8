"""Fixtures that every test may use: people, products and definitions, and a market store of its own."""

import datetime as dt
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from hypothesis import settings as hypothesis_settings

from exo_registry.code import loaded_code

# No deadlines: how long an example takes is the machine's affair. CI tries the same examples every time, so that it
# speaks of the change at hand; everybody else tries new ones.
hypothesis_settings.register_profile("default", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def market_folder(settings, tmp_path):
    """An empty market store for each test."""
    settings.MARKET_DATA_URI = str(tmp_path / "market")
    return tmp_path / "market"


@pytest.fixture(autouse=True)
def _empty_cache():
    """Nothing of what another test's processes told each other."""
    cache.clear()


def _process_state() -> dict[str, object]:
    """What one test could change for all that come after it in the same process."""
    loggers = {name: logging.getLogger(name or None) for name in ("", "exo_registry", "django_q")}
    return {
        "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "working directory": os.getcwd(),
        "signal handlers": {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        },
        "logging": {
            name: (logger.level, logger.disabled, logger.propagate, logging.root.manager.disable)
            for name, logger in loggers.items()
        },
    }


@pytest.fixture(autouse=True)
def _strategies_stay_loaded() -> Iterator[None]:
    """A test that edits code has all strategies imported anew, and what other tests' modules had imported of them would
    be classes that nothing uses any more: they are put back."""
    loaded = {name: module for name, module in sys.modules.items() if name.startswith("algorithms.")}
    sources = {name: loaded_code._loaded[name] for name in loaded if name in loaded_code._loaded}
    yield
    for name, module in sorted(loaded.items()):  # a package before what is in it
        if sys.modules.get(name) is not module:
            parent, _, last = name.rpartition(".")
            sys.modules[name] = module
            setattr(sys.modules[parent], last, module)
            loaded_code._loaded[name] = sources.get(name)


@pytest.fixture(autouse=True)
def _no_schedule_is_overdue(request) -> None:
    """The schedules were made with the database, minutes ago in a long run, and nothing runs them here."""
    if {"db", "transactional_db"} & set(request.fixturenames) or request.node.get_closest_marker("django_db"):
        from django_q.models import Schedule  # models can be imported once Django is set up

        request.getfixturevalue("_django_db_helper")
        Schedule.objects.update(next_run=timezone.now() + dt.timedelta(minutes=1))


STATE_BEFORE = pytest.StashKey[dict[str, object]]()


@pytest.fixture(autouse=True)
def _note_process_state(request) -> None:
    request.node.stash[STATE_BEFORE] = _process_state()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item):
    """The test that changes the process fails, not the one that happens to come after it. Looked at once every fixture
    is torn down, monkeypatch among them."""
    result = yield
    before, after = item.stash.get(STATE_BEFORE, {}), _process_state()
    changed = {name: (value, after[name]) for name, value in before.items() if value != after[name]}
    if "environment" in changed:
        changed["environment"] = set(before["environment"].items()) ^ set(after["environment"].items())
    assert not changed, f"the test changed the process: {changed}"
    return result


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, in their random order, so that none is left running alone when all others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgres") and "postgresql" not in django_settings.DATABASES["default"]["ENGINE"]:
        pytest.skip("needs PostgreSQL: set DATABASE_URL")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """In CI a golden test that was skipped has failed: a promise that nobody looked at is not kept."""
    report = yield
    if os.environ.get("CI") and report.skipped and item.get_closest_marker("golden"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} is a golden test and was skipped: {call.excinfo.value}"
    return report


@pytest.fixture
def child_env(transactional_db, settings) -> Callable[..., dict[str, str]]:
    """`child_env(EXOWEB_WORKERS=1)`: the environment of a process that works on this test's database and market.

    Its settings are exoweb's own. The database is one that the process can see (no open transaction).
    """

    def environment(**more: object) -> dict[str, str]:
        database = connection.settings_dict
        if connection.vendor == "sqlite":
            url = f"sqlite:///{database['NAME']}"
        else:
            login = f"{database['USER']}:{database['PASSWORD']}" if database["PASSWORD"] else database["USER"]
            url = f"postgres://{login}@{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "exoweb.settings",
            "DATABASE_URL": url,
            "MARKET_DATA_URI": str(settings.MARKET_DATA_URI),
            "EXOWEB_SECRET_KEY": settings.SECRET_KEY,
            **{name: str(value) for name, value in more.items()},
        }

    return environment


def _person(name: str, group: str | None = None, **flags: bool):
    from django.contrib.auth.models import Group, User

    user = User.objects.create_user(name, f"{name}@example.org", f"{name}-password", **flags)
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def vera(db):
    """A viewer: reads every page, changes nothing."""
    return _person("vera", "viewer")


@pytest.fixture
def olga(db):
    """An operator: starts and cancels runs."""
    return _person("olga", "operator", is_staff=True)


@pytest.fixture
def quinn(db):
    """A quant: edits products and EXO definitions, and starts runs."""
    return _person("quinn", "quant", is_staff=True)


@pytest.fixture
def nobody(db):
    """Logged in, but in no group."""
    return _person("norman")


@pytest.fixture
def client():
    from tests.html import PageClient

    return PageClient()


@pytest.fixture
def root(db):
    """A superuser."""
    return _person("rosa", is_staff=True, is_superuser=True)


@pytest.fixture
def make_product(db):
    """`make_product("CL", active=False)`: a saved product with the terms of an equity index future; series follow."""
    from exo_registry.definitions import sync_series
    from exo_registry.models import Product

    def make(symbol: str = "ES", **fields: object) -> Product:
        terms = {
            "description": f"Test product {symbol}",
            "exchange": "CME",
            "ticksize": 0.25,
            "tickvalue": 12.5,
            "optionstrikeincrement": 5.0,
            "decision_time": dt.time(14, 45),
            "calendar": "",
            "active": True,
        }
        product = Product.objects.create(exchangesymbol=symbol, **(terms | fields))
        sync_series()
        return product

    return make


@pytest.fixture
def make_definition(db):
    """`make_definition("ContFut", products=[es])`: a definition (of the continuous future) with its series."""
    from exo_registry.definitions import sync_series
    from exo_registry.models import Definition

    def make(
        name: str = "ContFut",
        algorithm: str = "algorithms.continuous_future.ContinuousFuture",
        products: list | None = None,
        **fields: object,
    ) -> Definition:
        definition = Definition.objects.create(name=name, algorithm=algorithm, **fields)
        definition.products.set(products or [])
        sync_series([definition])
        return definition

    return make
