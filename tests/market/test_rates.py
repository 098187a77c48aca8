"""Rates alone: which products they concern, and that each gets a revision."""

import copy
import datetime as dt

import pytest

from exo_registry.market import PackErrors, load_market
from exo_registry.models import Product, Revision

from .packs import INSTRUMENT, small_pack
from .test_bars_api import feed, key, make_token

__all__ = ["feed", "key"]
URL = "/api/v1/market/rates"


@pytest.fixture
def two(load):
    """ES and NQ with the same data, and ZW with futures alone."""
    load()
    other = copy.deepcopy(small_pack())
    for rows in other.values():
        for row in rows:
            row.update(
                {
                    name: value.replace("ES", "NQ").replace("CMNQ", "CMES")
                    for name, value in row.items()
                    if isinstance(value, str)
                }
            )
    load(other)
    future = {"contractname": "F.ZWH20", "exchangesymbol": "ZW", "year": "2020", "monthint": "3"}
    load(
        {
            "instruments": [INSTRUMENT | {"exchangesymbol": "ZW"}],
            "contracts": [future | {"expirationdate": "2020-03-13"}],
            "contracts_bars": [{"contractname": "F.ZWH20", "datetime": "2020-03-02", "close": "520"}],
        }
    )


@pytest.fixture
def post(client, key):
    def post(body: object):
        return client.post(URL, body, content_type="application/json", headers={"authorization": f"Bearer {key}"})

    return post


def rates(symbol: str) -> list[float]:
    return load_market(Product.objects.get(exchangesymbol=symbol)).tables()[4].rate.tolist()


def revisions() -> dict[str, int]:
    return {symbol: Revision.objects.filter(product__exchangesymbol=symbol).count() for symbol in ("ES", "NQ", "ZW")}


def test_a_pack_of_rates_is_for_every_product_with_options(load, two):
    rows = [{"date": "2020-03-03", "rate": "0.02"}, {"date": "2020-03-04", "rate": "0.021"}]
    report = load({"riskfreerate": rows})
    assert [(p.symbol, p.rows_added, p.rows_changed, p.revision.number) for p in report.products] == [
        ("ES", 1, 1, 2),
        ("NQ", 1, 1, 2),
    ]
    assert {p.revision.earliest_change for p in report.products} == {dt.date(2020, 3, 4)}
    assert rates("ES") == rates("NQ") == [0.014, 0.02, 0.021]
    assert revisions() == {"ES": 2, "NQ": 2, "ZW": 1}
    assert not load({"riskfreerate": rows}).changed_anything


def test_a_column_of_products_without_a_name_is_as_none(load, two):
    report = load({"riskfreerate": [{"exchangesymbol": "", "date": "2020-03-04", "rate": "0.02"}]})
    assert [p.symbol for p in report.products if p.revision] == ["ES", "NQ"]


def test_a_product_that_has_the_rate_already_gets_no_revision(load, two):
    load({"riskfreerate": [{"exchangesymbol": "NQ", "date": "2020-03-04", "rate": "0.02"}]})
    assert revisions() == {"ES": 1, "NQ": 2, "ZW": 1}
    load({"riskfreerate": [{"date": "2020-03-04", "rate": "0.02"}]})
    assert revisions() == {"ES": 2, "NQ": 2, "ZW": 1}


def test_a_rate_of_an_unknown_product_is_refused(load, two):
    with pytest.raises(PackErrors, match="exchangesymbol = 'XX': no such product"):
        load({"riskfreerate": [{"exchangesymbol": "XX", "date": "2020-03-04", "rate": "0.02"}]})


def test_rates_over_http(two, post):
    rows = [{"date": "2020-03-03", "rate": 0.02}, {"date": "2020-03-04", "rate": 0.021}]
    assert post(rows).json() == {"accepted": 4, "unchanged": 0, "errors": [], "revisions": {"ES": 2, "NQ": 2}}
    assert rates("NQ") == [0.014, 0.02, 0.021]
    assert post(rows).json() == {"accepted": 0, "unchanged": 4, "errors": [], "revisions": {}}
    one = [{"exchangesymbol": "ES", "date": "2020-03-04", "rate": 0.03}]
    assert post(one).json() == {"accepted": 1, "unchanged": 0, "errors": [], "revisions": {"ES": 3}}


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        (
            {"exchangesymbol": "ES", "date": "2020-03-04", "rate": 2.0},
            "rate",
            "Looks like a percentage; a rate is a decimal fraction",
        ),
        ({"date": "2020-03-04"}, "rate", "It is needed, and missing."),
        ({"exchangesymbol": "ES", "date": "soon", "rate": 0.01}, "date", "Is not a date."),
        ({"exchangesymbol": "XX", "date": "2020-03-04", "rate": 0.01}, "exchangesymbol", "No such product."),
        ({"date": "2020-03-04", "rate": 0.01, "source": "x"}, "source", "A rate has no such field; there are"),
        ({"date": "2020-03-04", "rate": 0.01}, "exchangesymbol", "A value is missing, though other rates name"),
        (3, "", "A rate is an object with date and rate."),
    ],
)
def test_a_bad_rate_is_named_and_the_others_are_taken(two, post, bad, field, message):
    good = {"exchangesymbol": "ES", "date": "2020-03-05", "rate": 0.01}
    answer = post([good, bad])
    assert answer.status_code == 207
    assert answer.json()["accepted"] == 1
    (error,) = answer.json()["errors"]
    assert (error["index"], error["field"]) == (1, field)
    assert error["message"].startswith(message)


def test_nothing_good_and_no_list(two, post):
    assert post([{"date": "2020-03-04", "rate": 2.0}]).status_code == 422
    assert "The body is a list of rates" in post({"date": "2020-03-04"}).json()["error"]


def test_a_token_for_reading_writes_no_rates(two, feed, client):
    token = make_token(feed, "read")
    answer = client.post(URL, [], content_type="application/json", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403
