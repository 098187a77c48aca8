"""What a revision says of the end of a product's data, and from when on a bar of the day counts."""

import datetime as dt

import numpy as np
import pytest

from exo_registry.market import sessions
from exo_registry.models import Product, Revision

from .packs import small_pack

pytestmark = pytest.mark.django_db
CHICAGO = "America/Chicago"
LAST = dt.date(2020, 3, 4)  # of small_pack


@pytest.fixture
def bar(load):
    """`bar("2020-03-05T09:00")`: import one bar of the first contract; returns the newest revision."""
    load()

    def bar(moment: str, contract: int = 0, close: str = "3000.5") -> Revision:
        name = small_pack()["contracts"][contract]["contractname"]
        load({"contracts_bars": [{"contractname": name, "datetime": moment, "close": close}]})
        return Revision.objects.first()

    return bar


def test_date_bars_have_no_time(load):
    load()
    revision = Revision.objects.get()
    assert (revision.newest_session, revision.previous_session, revision.newest_bar) == (
        LAST,
        dt.date(2020, 3, 3),
        None,
    )


def test_timed_bars_have_the_newest_one_s(bar):
    bar("2020-03-05T09:30")
    revision = bar("2020-03-05T09:00")
    assert (revision.newest_session, revision.previous_session) == (dt.date(2020, 3, 5), LAST)
    assert revision.newest_bar == dt.datetime(2020, 3, 5, 15, 30, tzinfo=dt.UTC)


def test_a_weekend_is_no_session(bar):
    revision = bar("2020-03-07T09:00")
    assert (revision.newest_session, revision.previous_session) == (LAST, dt.date(2020, 3, 3))


def test_an_outage_longer_than_what_is_looked_at_first(bar):
    revision = bar("2020-05-04")
    assert (revision.newest_session, revision.previous_session) == (LAST, dt.date(2020, 3, 3))  # expired before
    revision = bar("2020-06-04", contract=1)
    assert (revision.newest_session, revision.previous_session) == (dt.date(2020, 6, 4), LAST)


@pytest.mark.parametrize(
    ("moment", "earliest"),
    [
        ("2020-03-04", LAST),
        ("2020-03-04T14:45", LAST),
        ("2020-03-04T14:46", dt.date(2020, 3, 5)),
        ("2020-03-05T16:00", dt.date(2020, 3, 5)),  # it makes the day a session
    ],
)
def test_a_bar_after_the_decision_counts_from_the_next_day_on(bar, moment, earliest):
    assert bar(moment, close="2990.25").earliest_change == earliest


def test_sessions_since_a_date_are_the_end_of_all_sessions(bar):
    bar("2020-06-04", contract=1)
    product = Product.objects.get()
    every = sessions(product)
    for since in (dt.date(2020, 3, 3), dt.date(2020, 4, 1), dt.date(2020, 6, 4), dt.date(2020, 6, 5)):
        assert np.array_equal(sessions(product, since=since), every[every >= np.datetime64(since)])
