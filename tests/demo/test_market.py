"""The synthetic market: the same everywhere and for ever, and sound as a market pack."""

import datetime as dt
import hashlib

import numpy as np
import pytest

from exo_registry.demo import market
from exo_registry.demo.products import PRODUCTS, euro_future, note_option, third_friday

UNTIL = dt.date(2019, 6, 28)


@pytest.fixture(scope="module")
def pack():
    return {name: table.to_pandas() for name, table in market.tables(UNTIL).items()}


def test_expiries_follow_the_exchanges_rules():
    assert third_friday(2018, 3) == dt.date(2018, 3, 16)
    assert euro_future(2018, 3) == dt.date(2018, 3, 19)
    assert note_option(2018, 3) == dt.date(2018, 2, 23)


def test_the_newest_session_is_before_today_and_no_holiday():
    assert market.last_session(dt.date(2024, 5, 6)) == dt.date(2024, 5, 3)  # Monday -> Friday
    assert market.last_session(dt.date(2024, 12, 26)) == dt.date(2024, 12, 24)  # Christmas


def test_later_calls_only_add_sessions(pack):
    later = {name: table.to_pandas() for name, table in market.tables(dt.date(2019, 9, 30)).items()}
    keys = {
        "contracts": ["contractname"],
        "options": ["optionname"],
        "contracts_bars": ["contractname", "datetime"],
        "options_data": ["optionname", "date"],
        "riskfreerate": ["date"],
    }
    for name, key in keys.items():
        before, after = pack[name].set_index(key), later[name].set_index(key)
        assert not before.index.has_duplicates
        assert len(after) > len(before)
        assert after.loc[before.index].equals(before), name


def test_values_are_the_same_on_every_machine(pack):
    closes = pack["contracts_bars"]["close"].to_numpy()
    vols = pack["options_data"]["impliedvol"].to_numpy()
    digest = hashlib.sha256()
    for values in (closes, vols):
        digest.update(np.round(values * 1e5).astype("<i8").tobytes())
    assert digest.hexdigest() == "7381d4473945fef292fdbd24e4a280d1aa673881755544fb6301cdab415956af"


def test_futures_keep_to_the_tick_and_have_four_bars_a_session(pack):
    bars = pack["contracts_bars"].merge(pack["contracts"], on="contractname")
    for product in PRODUCTS:
        own = bars[bars.exchangesymbol == product.symbol]
        ticks = own.close / product.ticksize
        assert np.allclose(ticks, ticks.round(), atol=1e-6)
        assert (own.close > 0).all()
        assert (own.groupby("datetime").size() == market.NEAREST).all()
        assert (own.datetime <= own.expirationdate).all()


def test_options_are_quoted_around_the_money_until_they_expire(pack):
    data = pack["options_data"].merge(pack["options"], on="optionname")
    bars = pack["contracts_bars"].rename(columns={"datetime": "date"})
    quoted = data.merge(bars, on=["contractname", "date"], how="left")
    assert set(quoted.date[quoted.close.isna()]) == {market.START}  # volatilities count from the day after
    quoted = quoted[quoted.date > market.START]
    assert quoted.impliedvol.between(0.01, 2.0).all()
    assert (quoted.date <= quoted.expirationdate).all()
    sides = quoted.assign(above=quoted.strikeprice > quoted.close, below=quoted.strikeprice < quoted.close)
    chains = sides.groupby(["contractname", "expirationdate", "date"])[["above", "below"]].sum()
    assert (chains >= 2 * (market.STRIKES - 1)).all().all()  # calls and puts


def test_every_option_expires_with_its_future_or_before(pack):
    options = pack["options"].merge(pack["contracts"], on="contractname", suffixes=("", "_future"))
    assert len(options) == len(pack["options"])
    assert (options.expirationdate <= options.expirationdate_future).all()
    assert set(options.callorput) == {"C", "P"}
    assert set(options.optioncode) == {"", "EW"}
