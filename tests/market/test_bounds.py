"""The largest and smallest values that market data may have, and one beyond them."""

import pytest
from django.urls import reverse

from exo_registry.api import market as api_market
from exo_registry.market import PackErrors, import_pack
from exo_registry.models import Product

from .packs import changed, small_pack, write_pack
from .test_bars_api import bar, feed, key, market, post

__all__ = ["feed", "key", "market", "post"]


@pytest.mark.parametrize(
    ("table", "column", "within", "beyond", "excerpt"),
    [
        ("options_data", "impliedvol", "5.0", "5.01", "looks like a percentage"),
        ("riskfreerate", "rate", "1.0", "1.01", "looks like a percentage"),
        ("riskfreerate", "rate", "-1.0", "-1.01", "looks like a percentage"),
        ("riskfreerate", "date", "1900-01-01", "1899-12-31", "is not a date"),
        ("riskfreerate", "date", "2199-12-31", "2200-01-01", "is not a date"),
    ],
)
def test_values_of_a_pack(db, tmp_path, table, column, within, beyond, excerpt):
    import_pack(write_pack(tmp_path / "within", changed(small_pack(), table, 0, **{column: within})))
    with pytest.raises(PackErrors) as refused:
        import_pack(write_pack(tmp_path / "beyond", changed(small_pack(), table, 0, **{column: beyond})))
    assert f"{column} = '{beyond}': {excerpt}" in str(refused.value)


@pytest.mark.parametrize(
    ("vol", "problem", "warning"),
    [
        ("150", "", ""),
        ("1000000", "", ""),
        ("1000001", "is no volatility: beyond 1,000,000 points a year it stands for no value", ""),
        ("6", "", ""),
        ("5.99", "", "looks like a decimal fraction for a strike of 3000"),
        ("0", "a volatility is above zero", ""),
    ],
)
def test_volatilities_in_points(db, tmp_path, vol, problem, warning):
    """Of a product with Bachelier's model: no percentage, and 0.2 % of the strike is where fractions begin."""
    tables = changed(small_pack(), "instruments", 0, pricing_model="bachelier")
    tables["options_data"] = [tables["options_data"][0] | {"impliedvol": vol}]
    folder = write_pack(tmp_path / "pack", tables)
    if problem:
        with pytest.raises(PackErrors) as refused:
            import_pack(folder)
        assert f"impliedvol = '{vol}': {problem}" in str(refused.value)
    else:
        lines = import_pack(folder).warning_lines
        assert len(lines) == bool(warning)
        assert all(warning in line for line in lines)


def test_another_pricing_model_may_make_the_stored_volatilities_wrong(db, tmp_path, admin_client):
    import_pack(write_pack(tmp_path / "one", small_pack()))
    warning = (
        "the volatilities of ES in the store are fractions, and bachelier takes points a year. "
        "Import all of its options_data in that unit."
    )
    instruments = {"instruments": changed(small_pack(), "instruments", 0, pricing_model="bachelier")["instruments"]}
    report = import_pack(write_pack(tmp_path / "two", instruments))
    assert report.warning_lines == [f"instruments.csv, pricing_model: {warning}"]
    assert import_pack(write_pack(tmp_path / "two", instruments)).warning_lines == []
    product = Product.objects.get()
    values = {"pricing_model": "black76", "rollover_months": [3, 6], "option_codes": ""}
    names = ("currency", "ticksize", "tickvalue", "timezone", "decision_time", "execution_time", "calendar")
    limits = (
        "conventions",
        "max_bar_age_days",
        "days_before_expiration",
        "futures_limit",
        "strikes_limit",
        "cost_future",
        "cost_option",
    )
    values |= {name: getattr(product, name) for name in (*names, *limits)}
    address = reverse("admin:exo_registry_product_change", args=[product.pk])
    page = admin_client.post(address, values, follow=True)
    messages = [str(message) for message in page.context["messages"]]
    assert any(text.startswith("The volatilities of ES in the store are points a year, and") for text in messages)


def test_bars_of_one_request(market, post, monkeypatch):
    monkeypatch.setattr(api_market, "MOST_BARS", 3)
    assert post([bar()] * 3).status_code == 200
    assert post([bar()] * 4).status_code == 413


def test_bytes_of_one_request(market, post, monkeypatch):
    monkeypatch.setattr(api_market, "MOST_BYTES", 300)
    body = '[{"contractname": "F.ESH20", "datetime": "2020-03-05", "close": 3010}'
    assert post(body + " " * (299 - len(body)) + "]").status_code == 200
    assert post(body + " " * (300 - len(body)) + "]").status_code == 413
