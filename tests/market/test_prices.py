"""Which prices and strikes are taken, which bring a warning, and which are refused."""

import datetime as dt

import pytest

from algorithms.continuous_future import ContinuousFuture
from algorithms.engine import Market, run
from exo_registry.market import load_market
from exo_registry.models import Product

from .packs import INSTRUMENT, changed, small_pack, write_pack
from .test_bars_api import bar, feed, key, market, post

__all__ = ["feed", "key", "market", "post"]

CRUDE = {
    "instruments": [INSTRUMENT | {"exchangesymbol": "CL", "ticksize": "0.01", "tickvalue": "10", "option_codes": ""}],
    "contracts": [
        {"contractname": f"CL{m}20", "exchangesymbol": "CL", "year": "2020", "monthint": str(n), "expirationdate": day}
        for m, n, day in (("K", 5, "2020-04-21"), ("M", 6, "2020-05-19"))
    ],
    "contracts_bars": [
        {"contractname": f"CL{month}20", "datetime": f"2020-04-{day}", "close": str(close)}
        for month, closes in (("K", (19.87, 19.87, 18.27, -37.63, 10.01)), ("M", (26.56, 25.53, 25.03, 20.43, 11.57)))
        for day, close in zip((15, 16, 17, 20, 21), closes, strict=True)
    ],
}


def outliers(report) -> list[str]:
    return [line for line in report.warning_lines if "prices around" in line or "between prices" in line]


def closes(*prices: float, decimals: int = 2) -> dict:
    """A pack with bars of one contract, a weekday each."""
    days = [day for day in (dt.date(2020, 1, 1) + dt.timedelta(n) for n in range(2 * len(prices))) if day.weekday() < 5]
    rows = [
        {"contractname": "F.ESH21", "datetime": str(day), "close": f"{price:.{decimals}f}"}
        for day, price in zip(days, prices, strict=False)
    ]
    return small_pack() | {"contracts_bars": rows}


def test_crude_oil_below_zero_is_taken(load, tmp_path):
    load(CRUDE)
    product = Product.objects.get()
    product.rollover_months, product.days_before_expiration = [5, 6], 0
    for crude in (load_market(product), Market.from_pack(write_pack(tmp_path / "again", CRUDE), "CL")):
        session = crude.dates.index(dt.date(2020, 4, 20))
        assert crude.quote(crude.number("CLK20"), session)[0] == -37.63
    points = {str(point.date): point.exo for point in run(ContinuousFuture(), load_market(product)).points}
    assert points["2020-04-20"] == pytest.approx((-37.63 - 19.87) * 1000)
    assert points["2020-04-21"] == pytest.approx(-9_860)


@pytest.mark.parametrize("close", ["0", "-12.5", "1000000000", "-1000000000"])
def test_every_price_up_to_the_bound_is_taken(load, close):
    tables = changed(small_pack(), "contracts_bars", 2, close=close)
    load(changed(tables, "contract_settlements", 2, settlement=close))


@pytest.mark.parametrize("strike", ["0", "-5"])
def test_strikes_not_above_zero_are_taken(load, strike):
    load(changed(small_pack(), "options", 0, strikeprice=strike))
    strikes = load_market(Product.objects.get())._options.strike
    assert float(strike) in strikes


@pytest.mark.parametrize(
    ("price", "found"),
    # Around 100 the range is 5 wide (its floor), far is more than 10 times that.
    [(150, False), (150.01, True), (50, False), (49.99, True), (9999, True), (1e6, True), (-9999, True), (0, True)],
)
def test_a_price_far_from_those_around_it_is_a_warning(load, price, found):
    report = load(closes(*[100] * 10, price, *[100] * 10))
    assert len(outliers(report)) == found
    assert report.products[0].added["contracts_bars"] == 21


@pytest.mark.parametrize(("price", "found"), [(310, False), (310.01, True), (-200, False), (-200.01, True)])
def test_where_prices_move_more_far_is_further(load, price, found):
    """Between 40 and 70 the range around is 30 wide."""
    moving = [40, 70] * 10
    report = load(closes(*moving, price + 60, *moving) if price > 0 else closes(*moving, price - 60, *moving))
    assert len(outliers(report)) == found


@pytest.mark.parametrize(("around", "found"), [((0.3, 40.0), True), ((-0.3, 40.0), False)])
def test_a_zero_between_prices_above_zero_is_a_warning(load, around, found):
    report = load(closes(*around * 10, 0, *around * 10))
    assert [line.partition(": ")[2] for line in outliers(report)] == [
        "is zero between prices above it, 0.3 to 40. Correct it if it stands for no value: it is used as it is."
    ] * found


def test_a_row_of_sentinels_is_found(load):
    assert len(outliers(load(closes(*[20.5, 21] * 10, *[9999] * 6, *[20.5, 21] * 10)))) == 6


def test_prices_at_a_sentinel_are_no_outliers(load):
    assert outliers(load(closes(9990, 9995, 9999, 9999, 10_005))) == []


def test_with_one_other_price_there_is_nothing_to_judge_by(load):
    assert outliers(load(closes(20, 9999))) == []
    report = load({"contracts_bars": closes(20, 9999, 20)["contracts_bars"]})
    assert len(outliers(report)) == 1


def test_a_single_bar_is_compared_with_those_in_the_store(market, post):
    answer = post([bar(close=9999.0)]).json()
    assert answer["accepted"] == 1
    assert answer["warnings"] == [
        "contracts_bars, row 1, close = 9999.0: is far from the prices around it, 3000.25 to 3002.25. Correct it if it "
        "stands for no value: it is used as it is."
    ]
    assert "warnings" not in post([bar("2020-03-06", close=-3.5e2 + 3350)]).json()
