"""Fixtures that every test may use: people, products and definitions, and a market store of its own."""

import datetime as dt
import os
from collections.abc import Callable

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as hypothesis_settings

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


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgres") and "postgresql" not in django_settings.DATABASES["default"]["ENGINE"]:
        pytest.skip("needs PostgreSQL: set DATABASE_URL")


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
def root(db):
    """A superuser."""
    return _person("rosa", is_staff=True, is_superuser=True)


@pytest.fixture
def make_product(db):
    """`make_product("CL", active=False)`: a saved product with the terms of an equity index future."""
    from exo_registry.models import Product

    def make(symbol: str = "ES", **fields: object) -> Product:
        terms = {
            "description": f"Test product {symbol}",
            "exchange": "CME",
            "ticksize": 0.25,
            "tickvalue": 12.5,
            "optionstrikeincrement": 5.0,
            "decision_time": dt.time(14, 45),
            "active": True,
        }
        return Product.objects.create(exchangesymbol=symbol, **(terms | fields))

    return make


@pytest.fixture
def make_definition(db):
    """`make_definition("ContFut", products=[es])`: a saved definition of the continuous future, or of `algorithm`."""
    from exo_registry.models import Definition

    def make(
        name: str = "ContFut",
        algorithm: str = "algorithms.continuous_future.ContinuousFuture",
        products: list | None = None,
        **fields: object,
    ) -> Definition:
        definition = Definition.objects.create(name=name, algorithm=algorithm, **fields)
        definition.products.set(products or [])
        return definition

    return make
