"""Online work by a clock: bars late, twice and out of order, days off, wrong holidays, corrections."""

import datetime as dt

import pytest

from .online_world import SPECS, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("first", "symbols", "seed"),
    [
        (dt.date(2024, 3, 4), ("ES", "FDAX", "NK"), 1),  # Chicago changes its clocks on the 10th
        (dt.date(2023, 11, 13), ("ZC", "FGBL", "TP"), 2),  # Thanksgiving
    ],
)
def test_each_session_is_computed_once_and_as_a_backfill_would(first, symbols, seed):
    specs = [spec for spec in SPECS if spec.symbol in symbols]
    world = World(first, first + dt.timedelta(days=15), seed=seed, specs=specs, tick_every=dt.timedelta(hours=3))
    world.begin()
    world.upset()
    world.live()
    figures = world.check()
    assert figures["missing"] == figures["computed twice"] == 0
    assert {"corrections", "outage days"} <= set(+world.tally.kinds)
    assert figures["delays told"] >= figures["recoveries told"] > 0
