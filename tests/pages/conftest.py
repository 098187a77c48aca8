import pytest

from .builders import make_series


@pytest.fixture
def es(make_product):
    return make_product("ES")


@pytest.fixture
def contfut(es):
    """ES_ContFut: 30 points, two gaps, three trades."""
    return make_series(es, gaps=2)


@pytest.fixture
def viewer(client, vera):
    """A browser in which a viewer is logged in."""
    client.force_login(vera)
    return client


@pytest.fixture
def operator(client, olga):
    """A browser in which somebody who may start and cancel runs is logged in."""
    client.force_login(olga)
    return client
