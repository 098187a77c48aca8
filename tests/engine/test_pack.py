"""A product read from a market pack, for notebooks, or refused with file and column."""

import pytest

from algorithms.engine import Market, PackError

INSTRUMENTS = "exchangesymbol,ticksize,tickvalue,timezone,decision_time\nES,0.25,12.5,America/Chicago,14:45\n"
CONTRACTS = "contractname,exchangesymbol,year,monthint,expirationdate\nF.ESH24,ES,2024,3,2024-03-15\n"
BARS = "contractname,datetime,close\nF.ESH24,2024-01-02,4790\nF.ESH24,2024-01-03,4750\n"


@pytest.fixture
def folder(tmp_path):
    for name, text in (("instruments", INSTRUMENTS), ("contracts", CONTRACTS), ("contracts_bars", BARS)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_what_a_row_leaves_out_is_the_default(folder):
    market = Market.from_pack(folder, "ES")
    assert [str(date) for date in market.dates] == ["2024-01-02", "2024-01-03"]
    assert (market.rules.point_value, market.rules.option_point_value) == (50, 50)
    assert market.rules.rollover_months == tuple(range(1, 13))


def test_times_without_an_offset_are_on_the_clock_of_the_product(folder):
    (folder / "contracts_bars.csv").write_text(
        "contractname,datetime,close\nF.ESH24,2024-01-02 14:45:00,4790\nF.ESH24,2024-01-02 14:46:00,4800\n"
    )
    assert Market.from_pack(folder, "ES").quote(0, 0)[0] == 4790


@pytest.mark.parametrize(("model", "dividend"), [("bachelier", 0.0), ("black_scholes", 0.02)])
def test_the_pricing_model_and_its_dividend_yield_are_read(folder, model, dividend):
    (folder / "instruments.csv").write_text(
        INSTRUMENTS.replace("\n", ",pricing_model,dividend_yield\n", 1).replace("14:45", f"14:45,{model},{dividend}")
    )
    rules = Market.from_pack(folder, "ES").rules
    assert (rules.pricing_model, rules.dividend_yield) == (model, dividend)


@pytest.mark.parametrize("close", ["-37.63", "0"])
def test_prices_may_be_zero_or_negative(folder, close):
    (folder / "contracts_bars.csv").write_text(BARS.replace("4750", close))
    assert Market.from_pack(folder, "ES").quote(0, 1)[0] == float(close)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("contracts_bars", BARS.replace("4750", "much"), "contracts_bars.csv, column close: holds something else"),
        ("contracts_bars", BARS.replace("4750", ""), "contracts_bars.csv, column close: row 2 has no value"),
        ("contracts_bars", BARS.replace("4750", "nan"), "contracts_bars.csv, column close: .* not finite"),
        ("contracts_bars", BARS.replace(",close", ",last"), "contracts_bars.csv, column close: the column is missing"),
        ("contracts_bars", BARS.replace("01-03", "01-03 10:00"), "contracts_bars.csv, column datetime: holds both"),
        ("contracts", CONTRACTS.replace("2024-03-15", "soon"), "contracts.csv, column expirationdate"),
        ("instruments", INSTRUMENTS.replace("0.25", "0"), "instruments.csv, column ticksize: 0 is not above zero"),
        (
            "instruments",
            INSTRUMENTS.replace("\n", ",pricing_model\n", 1).replace("14:45", "14:45,binomial"),
            "column pricing_model: binomial is none of black76, black_scholes, bachelier",
        ),
        (
            "instruments",
            INSTRUMENTS.replace("\n", ",dividend_yield\n", 1).replace("14:45", "14:45,0.02"),
            "column dividend_yield: black76 has none",
        ),
        ("instruments", INSTRUMENTS.replace("ES", "CL"), "instruments.csv, column exchangesymbol: ES is in 0 rows"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_column(folder, table, text, message):
    (folder / f"{table}.csv").write_text(text)
    with pytest.raises(PackError, match=message):
        Market.from_pack(folder, "ES")


def test_a_missing_table_is_named(folder):
    (folder / "contracts.csv").unlink()
    with pytest.raises(PackError, match="has no table contracts"):
        Market.from_pack(folder, "ES")
