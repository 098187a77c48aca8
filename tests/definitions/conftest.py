"""Products and definitions for the tests of the registry."""

import pytest

from exo_registry.definitions import sync_series
from exo_registry.models import Definition

SAMPLES = "tests.definitions.samples"
CONTFUT = "algorithms.continuous_future.ContinuousFuture"
COLLAR = "algorithms.collar.BrokenWingCollar"
SPREAD = "algorithms.vertical_spread.VerticalSpread"
READER = f"{SAMPLES}.good.Reader"


@pytest.fixture
def samples(settings):
    """Allow the tests' own strategies beside the shipped ones."""
    settings.ALGORITHM_PACKAGES = ["algorithms", SAMPLES]


@pytest.fixture
def es(make_product):
    return make_product("ES")


@pytest.fixture
def cl(make_product):
    return make_product("CL", ticksize=0.01, tickvalue=10.0)


@pytest.fixture
def define(db):
    """`define("ContFut", CONTFUT, es, parameters={})`: a stored definition with its series."""

    def make(name, algorithm=CONTFUT, *products, **fields):
        definition = Definition.objects.create(name=name, algorithm=algorithm, **fields)
        definition.products.set(products)
        sync_series([definition])
        return definition

    return make
