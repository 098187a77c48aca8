"""What a series holds and what it pays: the block of its page, the what-if and the API."""

import datetime as dt

import numpy as np
import pytest

from exo_registry import market
from exo_registry.models import Run, Series
from exo_registry.runs import plan, worker
from exo_registry.series.position import current
from exo_registry.views.payoff_plot import nice, plot
from tests.html import columns, facts, tables, texts
from tests.market.packs import Tables, changed, small_pack, write_pack

from .builders import make_series

COLLAR = {
    "legs": [{"right": "F", "qty": 1}, {"right": "C", "qty": -1, "offset": 1}, {"right": "P", "qty": 1, "offset": 0}]
}


def hold(tmp_path, make_definition, name: str, legs: list[dict], tables: Tables | None = None) -> Series:
    """A series on the small market, or that of `tables`, that holds the legs."""
    market.import_pack(write_pack(tmp_path / "pack", tables or small_pack()), activate=True)
    make_definition(name, "algorithms.fixed_legs.FixedLegs", parameters={"legs": legs})
    run = plan.start(plan.make_plan(start=dt.date(2020, 3, 2)), source=Run.Source.SHELL)
    worker.work(run.pk, run.steps.get().product_id)
    return Series.objects.get()


@pytest.fixture
def cover(tmp_path, make_definition) -> Series:
    """ES_Cover: long future, short call one strike up, long put at the money."""
    return hold(tmp_path, make_definition, "Cover", COLLAR["legs"])


def test_volatilities_of_bachelier_are_in_points(viewer, tmp_path, make_definition):
    tables = changed(small_pack(), "instruments", 0, pricing_model="bachelier")
    for row in tables["options_data"]:
        row["impliedvol"] = "750"
    hold(tmp_path, make_definition, "Cover", COLLAR["legs"], tables)
    text = viewer.get("/series/ES_Cover/position/?vol=25").text
    assert columns(text, "Contract", "Vol points a year") == [
        ("F.ESH20", "–"),
        ("C.ESH20.3050", "750"),
        ("P.ESH20.3000", "750"),
    ]
    assert "volatility +25 points" in " ".join(viewer.get("/series/ES_Cover/payoff/?vol=25").text.split())
    answer = viewer.get("/api/v1/series/ES_Cover/position?vol=0.25").json()
    vega = answer["total"]["greeks_currency"]["vega"]
    assert answer["after"]["value"] - answer["total"]["value"] == pytest.approx(25 * vega, rel=0.2)


def test_the_page_asks_for_it_after_itself(viewer, cover):
    assert 'hx-get="/series/ES_Cover/position/"' in viewer.get("/series/ES_Cover/").text


def test_the_block_has_holdings_greeks_totals_and_payoff(viewer, cover):
    text = viewer.get("/series/ES_Cover/position/").text
    assert columns(text, "Contract", "Leg", "Quantity", "Price points", "Value USD", "Delta futures") == [
        ("F.ESH20", "F", "+1", "3,002.25", "150,112", "+1.000"),
        ("C.ESH20.3050", "C[1]", "−1", "42.1339", "−2,107", "−0.391"),
        ("P.ESH20.3000", "P[0]", "+1", "61.5088", "3,075", "−0.484"),
    ]
    assert columns(text, "Contract", "Open profit USD") == [
        ("F.ESH20", "+50"),
        ("C.ESH20.3050", "+73"),
        ("P.ESH20.3000", "−120"),
    ]
    total = texts(text, "//tfoot//th | //tfoot//td")
    assert total[:5] == ["Total", "151,081", "+3", "", "+0.125"]
    figures = facts(text)
    assert figures["Open profit, USD"] == "+3"
    assert figures["Largest profit at expiry"] == "+1,422 at price 3,050.00"
    assert figures["Largest loss at expiry"] == "−1,078 at price 3,000.00"
    assert figures["Break-even at expiry"] == "3,021.57"
    assert text.count("<polyline") == 2
    assert " style=" not in text
    assert "nan" not in text


def test_a_what_if_changes_what_is_shown(viewer, cover):
    now = viewer.get("/series/ES_Cover/payoff/").text
    then = viewer.get("/series/ES_Cover/payoff/?price=-30&vol=5&days=3").text
    assert facts(now)["Open profit, USD"] == "+3"
    assert "Change" not in facts(now)
    figures = facts(then)
    assert (figures["Profit then, USD"], figures["Change"], figures["Delta then"]) == ("−160", "−163", "+0.112")
    assert tables(now) != tables(then)
    assert "3 days after 2020-03-04, volatility +5.0" in then


@pytest.mark.parametrize(
    ("query", "excerpt"),
    [
        ("days=-1", "Days ahead: Ensure this value is greater than or equal to 0."),
        ("price=x", "Price shift: Enter a number."),
        ("vol=nan", "Volatility shift: Enter a number."),
    ],
)
def test_what_makes_no_sense_is_said_in_words(viewer, cover, query, excerpt):
    assert excerpt in viewer.get(f"/series/ES_Cover/payoff/?{query}").text


def test_a_profit_without_bound_says_so(viewer, tmp_path, make_definition):
    series = hold(tmp_path, make_definition, "Future", [{"right": "F", "qty": 1}])
    (paid,) = current(series).break_evens
    text = viewer.get("/series/ES_Future/position/").text
    assert "unbounded" in text
    assert f"<dd>{paid:,.2f}</dd>" in text


def test_flat_gone_and_never_computed_are_said_in_words(viewer, cover):
    address = "/series/ES_Cover/position/"
    cover.state = cover.state | {"holdings": [["F.ESX99", 1.0, 0.0, "F"]]}
    cover.save()
    assert "cannot be valued on 2020-03-04" in viewer.get(address).text
    cover.state = cover.state | {"holdings": []}
    cover.save()
    assert "Flat after 2020-03-04" in viewer.get(address).text
    Series.objects.update(state=None)
    assert "never computed" in viewer.get(address).text


def test_the_plot_keeps_within_its_box(cover):
    drawn = plot(current(cover))
    for path in (drawn.expiry, drawn.day, drawn.gain, drawn.loss):
        numbers = np.array([pair.split(",") for pair in path.split()], dtype=float)
        assert numbers.min() >= 0
        assert numbers.max() <= 1000
    assert len(drawn.break_evens) == 1
    assert len(drawn.rows) > 4


def test_nice_values_are_round_and_within():
    assert nice(0.0, 10.0) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert nice(-0.031, 0.052) == [-0.02, 0.0, 0.02, 0.04]
    assert nice(4175, 5020) == [4200.0, 4400.0, 4600.0, 4800.0, 5000.0]


# -- the API --------------------------------------------------------------------------------------------------------


def test_the_api_has_the_same_as_json(viewer, cover):
    answer = viewer.get("/api/v1/series/ES_Cover/position")
    assert answer.json() == current(cover).as_dict()
    then = viewer.get("/api/v1/series/ES_Cover/position?price=-30&vol=0.05&days=3").json()
    assert then["what_if"] == {"price": -30, "vol": 0.05, "days": 3}
    assert then["after"] != then["total"]


@pytest.mark.parametrize(
    ("query", "excerpt"),
    [
        ("days=-1", "days='-1' is not a number from 0 to 3,653."),
        ("price=x", "is not a number"),
        ("vol=inf", "is not a number"),
        ("date=1", "Unknown"),
    ],
)
def test_the_api_refuses_what_makes_no_sense(viewer, cover, query, excerpt):
    answer = viewer.get(f"/api/v1/series/ES_Cover/position?{query}")
    assert answer.status_code == 400
    assert excerpt in answer.json()["error"]


def test_the_api_says_why_there_is_no_position(viewer, client, cover):
    cover.state = cover.state | {"holdings": [["F.ESX99", 1.0, 0.0, "F"]]}
    cover.save()
    gone = viewer.get("/api/v1/series/ES_Cover/position")
    assert (gone.status_code, "Import its market data" in gone.json()["error"]) == (409, True)
    make_series(cover.product, points=0)
    assert viewer.get("/api/v1/series/ES_ContFut/position").status_code == 404
    client.logout()
    assert client.get("/api/v1/series/ES_Cover/position").status_code == 401
