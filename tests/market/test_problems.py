"""Every kind of bad input: its message, word for word, and that nothing was written."""

import copy
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import IntegrityError, transaction

from exo_registry.market import PackErrors, import_pack, import_tables
from exo_registry.models import Product

from .packs import arrow, changed, small_pack, state, write_pack


def without(table: str, column: str):
    tables = small_pack()
    for row in tables[table]:
        del row[column]
    return tables


def extra(table: str, row: int, **values: str):
    tables = small_pack()
    tables[table].append(copy.deepcopy(tables[table][row]) | values)
    return tables


def change(table: str, row: int, **values: str):
    return changed(small_pack(), table, row, **values)


LEAVE_OUT = "Correct it, or leave the row out: no record is a gap that shows, a wrong one is not."
NO_PRICE = "is no price: beyond 1,000,000,000 it stands for no value."
CASES = {
    "unknown product": (
        change("contracts", 0, exchangesymbol="EX"),
        "contracts.csv, line 2, exchangesymbol = 'EX': no such product. Add it to instruments, or correct the symbol.",
    ),
    "two products that case alone tells apart": (
        extra("instruments", 0, exchangesymbol="es"),
        "instruments.csv, line 3, exchangesymbol = 'es': differs from ES in case only. "
        "Write ES, or give the product another symbol.",
    ),
    "two contracts that case alone tells apart": (
        extra("contracts", 0, contractname="f.esh20"),
        "contracts.csv, line 4, contractname = 'f.esh20': differs from F.ESH20 in case only. "
        "Write both alike, or give one another name.",
    ),
    "two options that case alone tells apart": (
        extra("options", 0, optionname="c.esh20.3000", strikeprice="3100.0"),
        "options.csv, line 10, optionname = 'c.esh20.3000': differs from C.ESH20.3000 in case only. "
        "Write both alike, or give one another name.",
    ),
    "unknown contract of a bar": (
        change("contracts_bars", 1, contractname="F.ESX99"),
        "contracts_bars.csv, line 3, contractname = 'F.ESX99': no such contract. "
        "Add it to contracts, or correct the name.",
    ),
    "unknown contract of a settlement": (
        change("contract_settlements", 0, contractname="F.ESX99"),
        "contract_settlements.csv, line 2, contractname = 'F.ESX99': no such contract. "
        "Add it to contracts, or correct the name.",
    ),
    "unknown contract of an option": (
        change("options", 0, contractname="F.ESX99"),
        "options.csv, line 2, contractname = 'F.ESX99': no such contract. Add it to contracts, or correct the name.",
    ),
    "unknown option": (
        change("options_data", 4, optionname="C.NONE"),
        "options_data.csv, line 6, optionname = 'C.NONE': no such option. Add it to options, or correct the name.",
    ),
    "duplicate, the same": (
        extra("contracts_bars", 0),
        "contracts_bars.csv, line 8, datetime = 'F.ESH20 2020-03-02': the key stands in line 2 already, "
        "with the same values. Keep one row for each contractname and datetime.",
    ),
    "duplicate, different": (
        extra("options_data", 0, impliedvol="0.3"),
        "options_data.csv, line 26, date = 'C.ESH20.3000 2020-03-02': the key stands in line 2 already, "
        "with other values. Keep one row for each optionname and date.",
    ),
    "duplicate rate": (
        extra("riskfreerate", 1),
        "riskfreerate.csv, line 4, date = '2020-03-03': the key stands in line 3 already, with the same values. "
        "Keep one row for each date.",
    ),
    "duplicate contract": (
        extra("contracts", 0, year="2021"),
        "contracts.csv, line 4, contractname = 'F.ESH20': the name stands in line 2 already, with other values. "
        "Keep one row a name.",
    ),
    "duplicate product": (
        extra("instruments", 0),
        "instruments.csv, line 3, exchangesymbol = 'ES': the product stands in line 2 already. Keep one row a product.",
    ),
    "a close beyond all sense": (
        change("contracts_bars", 2, close="1e10"),
        f"contracts_bars.csv, line 4, close = '1e10': {NO_PRICE} {LEAVE_OUT}",
    ),
    "a close below all sense": (
        change("contracts_bars", 2, close="-1e10"),
        f"contracts_bars.csv, line 4, close = '-1e10': {NO_PRICE} {LEAVE_OUT}",
    ),
    "absent close": (
        change("contracts_bars", 2, close=""),
        "contracts_bars.csv, line 4, close = '': a value is missing. Give one in every row.",
    ),
    "close is nan": (
        change("contracts_bars", 2, close="nan"),
        "contracts_bars.csv, line 4, close = 'nan': a value is missing. Give one in every row.",
    ),
    "decimal comma": (
        change("contracts_bars", 2, close="3000,25"),
        "contracts_bars.csv, line 4, close = '3000,25': is not a number. "
        "Write it with digits and a decimal point, such as 0.25.",
    ),
    "a settlement beyond all sense": (
        change("contract_settlements", 0, settlement="1e10"),
        f"contract_settlements.csv, line 2, settlement = '1e10': {NO_PRICE} {LEAVE_OUT}",
    ),
    "negative option price": (
        change("options_data", 0, price="-0.05"),
        "options_data.csv, line 2, price = '-0.05': is negative. Correct it, or leave it blank.",
    ),
    "volatility zero": (
        change("options_data", 0, impliedvol="0"),
        f"options_data.csv, line 2, impliedvol = '0': a volatility is above zero. {LEAVE_OUT}",
    ),
    "volatility in percent": (
        change("options_data", 0, impliedvol="25.0"),
        "options_data.csv, line 2, impliedvol = '25.0': looks like a percentage; a volatility is a decimal fraction, "
        "0.25 for 25 %. Divide the column by 100.",
    ),
    "rate in percent": (
        change("riskfreerate", 0, rate="1.4"),
        "riskfreerate.csv, line 2, rate = '1.4': looks like a percentage; a rate is a decimal fraction, "
        "0.014 for 1.4 %. Divide the column by 100.",
    ),
    "no such day": (
        change("options_data", 3, date="2020-02-30"),
        "options_data.csv, line 5, date = '2020-02-30': is not a date. "
        "Write dates as YYYY-MM-DD, between 1900 and 2199.",
    ),
    "American date": (
        change("contracts", 1, expirationdate="03/19/2021"),
        "contracts.csv, line 3, expirationdate = '03/19/2021': is not a date. "
        "Write dates as YYYY-MM-DD, between 1900 and 2199.",
    ),
    "bar time": (
        change("contracts_bars", 0, datetime="2020-03-02 25:00"),
        "contracts_bars.csv, line 2, datetime = '2020-03-02 25:00': is neither a date nor a date with time in whole "
        "seconds. Write YYYY-MM-DD, or ISO 8601 such as 2024-03-08T14:45:00 (local) or 2024-03-08T20:45:00+00:00.",
    ),
    "a time that the clock skips": (
        change("contracts_bars", 0, datetime="2020-03-08T02:30:00"),
        "contracts_bars.csv, line 2, datetime = '2020-03-08T02:30:00': the clock of America/Chicago skips this time "
        "(daylight saving time starts). Write the time with its offset, such as 2024-11-03T01:30:00-05:00.",
    ),
    "a time that the clock shows twice": (
        change("contracts_bars", 3, datetime="2020-11-01T01:30:00"),
        "contracts_bars.csv, line 5, datetime = '2020-11-01T01:30:00': the clock of America/Chicago shows this time "
        "twice (daylight saving time ends). Write the time with its offset, such as 2024-11-03T01:30:00-05:00.",
    ),
    "missing column": (
        without("options_data", "impliedvol"),
        "options_data.csv, impliedvol: the column is missing; the file has optionname, date, price. "
        "Add it, with this name in the header.",
    ),
    "month": (
        change("contracts", 0, monthint="13"),
        "contracts.csv, line 2, monthint = '13': is no month. Use 1 to 12.",
    ),
    "year": (
        change("contracts", 0, year="20.5"),
        "contracts.csv, line 2, year = '20.5': is not a whole number. Write it without decimals.",
    ),
    "strike": (
        change("options", 0, strikeprice="1e10"),
        "options.csv, line 2, strikeprice = '1e10': is no strike: beyond 1,000,000,000 it stands for no value. "
        + LEAVE_OUT,
    ),
    "right": (
        change("options", 0, callorput="X"),
        "options.csv, line 2, callorput = 'X': is neither C nor P. Write C for a call, P for a put.",
    ),
    "mixed codes": (
        change("options", 1, optioncode="EW"),
        "options.csv, line 3, optioncode = 'EW': the option codes of one chain differ: '', 'EW' on F.ESH20, expiring "
        "2020-03-20. Give all options of one future and expiration the same code.",
    ),
    "same terms": (
        extra("options", 0, optionname="C.OTHER"),
        "options.csv, line 2, optionname = 'C.ESH20.3000': options of the same terms: C.ESH20.3000, C.OTHER. "
        "Keep one name for each future, expiration, strike and right.",
    ),
    "expiry before the data": (
        change("contracts", 0, expirationdate="2010-03-20"),
        "contracts_bars.csv, line 2, contractname = 'F.ESH20': every record of it is after its expiration, 2010-03-20. "
        "Correct expirationdate in contracts, or the dates.",
    ),
    "high below low": (
        {
            **small_pack(),
            "contracts_bars": [
                {"contractname": "F.ESH20", "datetime": "2020-03-02", "high": "1", "low": "2", "close": "1.5"}
            ],
        },
        "contracts_bars.csv, line 2, high = '1': the high is below the low. Correct one of them.",
    ),
    "pricing model": (
        change("instruments", 0, pricing_model="binomial"),
        "instruments.csv, line 2, pricing_model = 'binomial': Value 'binomial' is not a valid choice. "
        "Use black76, black_scholes or bachelier.",
    ),
    "a dividend yield of a future": (
        change("instruments", 0, dividend_yield="0.02"),
        "instruments.csv, line 2, dividend_yield = '0.02': A dividend yield is of a spot underlying: use "
        "black_scholes, or give 0. Write a decimal fraction a year, such as 0.015, of a product with black_scholes.",
    ),
    "time zone": (
        change("instruments", 0, timezone="Chicago"),
        "instruments.csv, line 2, timezone = 'Chicago': 'Chicago' is not an IANA time zone; an example is "
        "America/Chicago. Use an IANA name, such as America/Chicago.",
    ),
    "calendar": (
        change("instruments", 0, calendar="NOPE"),
        "instruments.csv, line 2, calendar = 'NOPE': 'NOPE' is not an exchange calendar known to "
        "pandas-market-calendars; try CMES. Use a code of pandas-market-calendars, such as CMES.",
    ),
    "symbol": (
        change("instruments", 0, exchangesymbol="E S"),
        "instruments.csv, line 2, exchangesymbol = 'E S': A symbol has 1 to 16 letters, digits or dots, such as ES or "
        "6E. Use letters, digits and dots.",
    ),
    "tick size": (
        change("instruments", 0, ticksize="-0.25"),
        "instruments.csv, line 2, ticksize = '-0.25': Must be above zero. Give a number above zero.",
    ),
    "decision time": (
        change("instruments", 0, decision_time="2:45 pm"),
        "instruments.csv, line 2, decision_time = '2:45 pm': cannot be read. Write local time as HH:MM.",
    ),
    "rollover months": (
        change("instruments", 0, rollover_months="3 6 13"),
        "instruments.csv, line 2, rollover_months = '3 6 13': Rollover months are a list of month numbers from 1 to "
        "12, such as [3, 6, 9, 12]. Write month numbers separated by spaces, such as 3 6 9 12.",
    ),
    "option codes": (
        change("instruments", 0, option_codes="^(EW$"),
        "instruments.csv, line 2, option_codes = '^(EW$': Option code '^(EW$' cannot be used: it is not a regular "
        "expression (missing ): ^(EW$; back references and look-around are not taken). Write regular expressions "
        "separated by spaces, such as ^EW$ ^$.",
    ),
}


INVISIBLE = {
    "NUL": "\0",
    "newline": "\n",
    "escape": "\x1b",
    "delete": "\x7f",
    "right to left": "\u202e",
    "isolate": "\u2067",
    "zero width": "\u200b",
    "soft hyphen": "\u00ad",
    "line separator": "\u2028",
}


@pytest.mark.parametrize("letter", INVISIBLE.values(), ids=INVISIBLE)
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("instruments", "exchangesymbol"),
        ("instruments", "exchange"),
        ("contracts", "contractname"),
        ("options", "optionname"),
        ("options", "optioncode"),
    ],
)
def test_a_name_with_a_character_that_cannot_be_seen_is_refused(db, table, column, letter):
    tables = small_pack()
    tables[table][0][column] = f"A{letter}B"
    with pytest.raises(PackErrors) as caught:
        import_tables({name: arrow(rows) for name, rows in tables.items()}, source="pack")
    (reported,) = [problem for problem in caught.value.problems if "cannot be seen" in problem.message]
    assert (reported.file, reported.row, reported.column, reported.remedy) == (table, 1, column, "Write it without")
    assert str(reported).isprintable()


def test_a_description_may_have_lines_but_nothing_else_that_cannot_be_seen(db):
    tables = small_pack()
    tables["instruments"][0]["description"] = "E-mini\n\tS&P"
    import_tables({name: arrow(rows) for name, rows in tables.items()}, source="pack")
    assert Product.objects.get().description == "E-mini\n\tS&P"
    tables["instruments"][0]["description"] = "E-mini\0\u202eS&P"
    with pytest.raises(PackErrors, match="description = .*cannot be seen"):
        import_tables({name: arrow(rows) for name, rows in tables.items()}, source="pack")


def test_a_name_that_differs_from_a_stored_one_in_case_only_is_refused(db, market_folder):
    tables = {name: arrow(rows) for name, rows in small_pack().items()}
    import_tables(tables, source="pack")
    before = state(market_folder)
    other = small_pack()
    other["instruments"][0]["exchangesymbol"] = "eS"
    for row in other["contracts"]:
        row |= {"exchangesymbol": "eS", "contractname": row["contractname"].lower()}
    with pytest.raises(PackErrors) as caught:
        import_tables({name: arrow(other[name]) for name in ("instruments", "contracts")}, source="other pack")
    assert "exchangesymbol = 'eS': differs from ES in case only" in str(caught.value)
    assert "contractname = 'f.esh20': differs from F.ESH20 in case only" in str(caught.value)
    assert state(market_folder) == before
    assert import_tables(tables, source="pack").changed_anything is False


def test_the_database_keeps_symbols_apart_too(db, make_product):
    make_product("ZZ")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_product("zz")
    assert list(Product.objects.values_list("exchangesymbol", flat=True)) == ["ZZ"]


@pytest.mark.parametrize("name", CASES)
def test_message_and_nothing_written(name, load, market_folder):
    """On top of a pack that is there already, which stays as it is."""
    tables, message = CASES[name]
    other = changed(small_pack(), "instruments", 0, exchangesymbol="NQ")
    for row in other["contracts"]:
        row.update(exchangesymbol="NQ", contractname=row["contractname"].replace("ES", "NQ"))
    load({name: other[name] for name in ("instruments", "contracts")})
    before = state(market_folder)
    with pytest.raises(PackErrors) as caught:
        load(tables)
    assert message in caught.value.lines
    assert str(caught.value).endswith("\n".join(caught.value.lines))
    assert state(market_folder) == before


def test_all_problems_in_one_report(load, market_folder, db):
    tables = small_pack()
    tables["contracts_bars"][0]["close"] = "1e10"
    tables["options_data"][0]["impliedvol"] = "31"
    tables["options"][0]["callorput"] = "call"
    del tables["riskfreerate"][0]["rate"], tables["riskfreerate"][1]["rate"]
    with pytest.raises(PackErrors, match="4 problems; nothing was imported") as caught:
        load(tables)
    assert [problem.file for problem in caught.value.problems] == [
        "riskfreerate.csv",
        "options.csv",
        "contracts_bars.csv",
        "options_data.csv",
    ]
    assert not list(market_folder.rglob("*.parquet"))


def test_an_unreadable_table_does_not_condemn_what_refers_to_it(load):
    with pytest.raises(PackErrors) as caught:
        load(without("contracts", "year"))
    assert caught.value.count == 1


def test_many_are_counted_not_printed(load):
    tables = small_pack()
    tables["riskfreerate"] = [{"date": f"{year}-01-02", "rate": "5"} for year in range(1950, 2050)]
    with pytest.raises(PackErrors) as caught:
        load(tables)
    assert caught.value.count == 100
    assert len(caught.value.lines) == 21
    assert caught.value.lines[-1] == "riskfreerate.csv, rate: 80 more like the last one."


def test_rows_of_parquet_are_counted_from_one(load):
    with pytest.raises(PackErrors) as caught:
        load(change("contracts_bars", 1, close="-3e10"), "parquet")
    assert caught.value.lines == [f"contracts_bars.parquet, row 2, close = -30000000000.0: {NO_PRICE} {LEAVE_OUT}"]


def test_lines_count_blank_lines_and_quoted_newlines(db, tmp_path):
    folder = write_pack(tmp_path / "pack", small_pack())
    text = (folder / "contracts_bars.csv").read_text().splitlines()
    text[2:2] = ["", ""]
    text[5] = text[5].replace("3002.25", "1e10")
    (folder / "contracts_bars.csv").write_text("\n".join(text))
    instruments = (folder / "instruments.csv").read_text().replace("E-mini S&P 500", '"E-mini\nS&P"')
    second = instruments.splitlines()[-2:]
    bad = "\n".join(second).replace("ES,", "NQ,", 1).replace("black76", "none")
    (folder / "instruments.csv").write_text(instruments + bad + "\n")
    with pytest.raises(PackErrors) as caught:
        import_pack(folder)
    assert [(p.file, p.row) for p in caught.value.problems] == [("instruments.csv", 4), ("contracts_bars.csv", 6)]


FILES = {
    "empty": (b"", "contracts_bars.csv: the file is empty. Write a header and rows into it, or remove it."),
    "only a header": (
        b"contractname,datetime,close\n",
        "contracts_bars.csv: the table has no rows. Write rows into it, or remove it.",
    ),
    "ragged": (
        b"contractname,datetime,close\nF.ESH20,2020-03-02,1\nF.ESH20,2020-03-03,3,000\n",
        "contracts_bars.csv, line 3: the line has 4 values, the header has 3. "
        "Give each row one value a column, write decimals with a point, and quote values that hold a comma.",
    ),
    "a column twice": (
        b"contractname,datetime,close,close\nF.ESH20,2020-03-02,1,1\n",
        "contracts_bars.csv, close: column close is in the header twice. Keep one of them.",
    ),
    "semicolons": (
        b"contractname;datetime;close\nF.ESH20;2020-03-02;1\n",
        "contracts_bars.csv: the values are separated by semicolons, not by commas. "
        "Save it as CSV UTF-8, separated by commas, with decimal points.",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_broken_files(name, db, tmp_path, market_folder):
    content, message = FILES[name]
    folder = write_pack(tmp_path / "pack", small_pack())
    (folder / "contracts_bars.csv").write_bytes(content)
    with pytest.raises(PackErrors) as caught:
        import_pack(folder)
    assert message in caught.value.lines
    assert not list(market_folder.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("contracts.csv.gz", b"not gzip at all"),
        ("contracts.csv.gz", gzip.compress(b"contractname,exchangesymbol,year\n" * 99, mtime=0)[:-9]),
        ("contracts.parquet", b"PAR1 but no parquet"),
    ],
)
def test_files_that_cannot_be_read(name, content, db, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / name).write_bytes(content)
    with pytest.raises(PackErrors, match=f"{name}: cannot be read as"):
        import_pack(tmp_path / "pack")


def test_a_table_in_two_forms(db, tmp_path):
    folder = write_pack(tmp_path / "pack", small_pack())
    write_pack(folder, {"riskfreerate": small_pack()["riskfreerate"]}, "parquet")
    with pytest.raises(PackErrors, match=r"more than once: riskfreerate.csv, riskfreerate.parquet. Keep one"):
        import_pack(folder)


def test_a_folder_without_tables(db, tmp_path):
    with pytest.raises(PackErrors, match="no table of a market pack is in this folder"):
        import_pack(tmp_path)


def test_no_folder(db, tmp_path):
    with pytest.raises(NotADirectoryError, match="give the folder that holds the tables"):
        import_pack(tmp_path / "none")


def test_rates_for_nobody(load):
    with pytest.raises(PackErrors, match="there is no product that the rates are for. Add instruments"):
        load({"riskfreerate": small_pack()["riskfreerate"]})


def test_column_of_the_wrong_type(db, tmp_path):
    folder = write_pack(tmp_path / "pack", small_pack(), "parquet")
    table = pq.read_table(folder / "riskfreerate.parquet")
    pq.write_table(table.set_column(0, "date", pa.array([1.5, 2.5])), folder / "riskfreerate.parquet")
    with pytest.raises(PackErrors, match="date: the column has the type double, which does not hold dates"):
        import_pack(folder)


def test_a_name_stays_with_its_product(load):
    load()
    other = changed(small_pack(), "instruments", 0, exchangesymbol="NQ")
    del other["options"], other["options_data"]
    for row in other["contracts"]:
        row["exchangesymbol"] = "NQ"
    with pytest.raises(PackErrors, match="the name belongs to product ES in the store. Use a name of its own"):
        load(other)


def test_warnings(load, tmp_path):
    """Extra columns and files, and records past an expiry, are left out, and said."""
    tables = changed(small_pack(), "contracts_bars", 2, datetime="2020-03-25")
    for row in tables["contracts_bars"]:
        row["mood"] = "good"
    tables["options"][0]["expirationdate"] = "2020-03-21"
    write_pack(tmp_path / "pack1", {"notes": [{"a": "b"}]})
    report = load(tables)
    assert report.warning_lines == [
        "notes.csv: no table of a market pack has this name; the file is left out. Tables are instruments, contracts, "
        "options, contracts_bars, contract_settlements, options_data, riskfreerate, each as .csv, .csv.gz or .parquet.",
        "contracts_bars.csv, mood: the table has no such column; it is left out. "
        "Columns are contractname, datetime, open, high, low, close, volume.",
        "options.csv, line 2, expirationdate = '2020-03-21': the option expires after its future. "
        "Check both expiration dates.",
        "contracts_bars.csv, line 4, datetime = '2020-03-25': the record is after its contract's expiration and is not "
        "used. Check expirationdate in contracts.",
    ]


def test_a_last_record_after_a_known_expiry_is_a_warning(load):
    load()
    bar = {"contractname": "F.ESH20", "datetime": "2020-03-23", "close": "3000"}
    report = load({"contracts_bars": [bar]})
    assert report.warning_lines == [
        "contracts_bars.csv, line 2, datetime = '2020-03-23': the record is after its contract's expiration and is not "
        "used. Check expirationdate in contracts."
    ]
