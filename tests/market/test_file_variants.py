"""Parquet and csv as other programs write them: taken as they are, or one problem that says where and what to do."""

import datetime as dt
import decimal
import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exo_registry.market import import_pack, import_tables, store
from exo_registry.market.problems import PackErrors
from exo_registry.models import Product

pytestmark = pytest.mark.django_db

DAYS = [dt.date(2024, 3, day) for day in (4, 5, 6, 7, 8)]
CLOSES = [5000.25, 5001.0, 5002.0, 5003.0, 5004.0]
NAMES = ["ESM24"] * 5
PACK = {
    "instruments": {"exchangesymbol": ["ES"], "ticksize": [0.25], "tickvalue": [12.5]},
    "contracts": {
        "contractname": ["ESM24"],
        "exchangesymbol": ["ES"],
        "year": [2024],
        "monthint": [6],
        "expirationdate": [dt.date(2024, 6, 21)],
    },
    "contracts_bars": {"contractname": NAMES, "datetime": DAYS, "close": CLOSES},
}


def tables(**changes: dict) -> dict[str, pa.Table]:
    """The pack with some columns replaced."""
    return {name: pa.table(columns | changes.get(name, {})) for name, columns in PACK.items()}


def written(folder, changed: dict[str, pa.Table]):
    folder.mkdir()
    for name, table in changed.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def stored_bars() -> list[tuple]:
    """(date, time or None, close) of ESM24."""
    rows = store.Snapshot.current().read("contracts_bars", symbol="ES").to_pylist()
    return sorted((row["date"], row["at"], row["close"]) for row in rows)


def the_problem(caught) -> str:
    assert len(caught.value.lines) == 1, caught.value.lines
    return caught.value.lines[0]


DATED = [(day, None, close) for day, close in zip(DAYS, CLOSES, strict=True)]
STAMPS = pa.array(DAYS, pa.date32()).cast(pa.timestamp("us"))
CLOCK = [dt.datetime(2024, 3, day, 14, 45) for day in (4, 5, 6, 7, 8)]
TIMED = [
    (day, dt.datetime(2024, 3, day.day, 20, 45, tzinfo=dt.UTC), close) for day, close in zip(DAYS, CLOSES, strict=True)
]


def codes(kind: pa.DataType, texts: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * 5, kind), texts)


def name_as(values: pa.Array) -> dict:
    return {"contracts_bars": {"contractname": values}}


def time_as(values: pa.Array) -> dict:
    return {"contracts_bars": {"datetime": values}}


def close_as(values: pa.Array) -> dict:
    return {"contracts_bars": {"close": values}}


DECIMALS = [decimal.Decimal(str(close)) for close in CLOSES]
TAKEN = {
    **{f"codes of {kind}": name_as(codes(kind, pa.array(["ESM24"]))) for kind in (pa.int8(), pa.uint8(), pa.uint32())},
    "codes of large text": name_as(codes(pa.uint16(), pa.array(["ESM24"], pa.large_string()))),
    "large_string": name_as(pa.array(NAMES, pa.large_string())),
    "string_view": name_as(pa.array(NAMES, pa.string_view())),
    "bytes": name_as(pa.array(NAMES, pa.binary())),
    "bytes of a fixed size": name_as(pa.array([b"ESM24"] * 5, pa.binary(5))),
    "date64": time_as(pa.array(DAYS, pa.date64())),
    "coded dates": time_as(pa.array(DAYS).dictionary_encode()),
    **{f"midnights in {unit}": time_as(STAMPS.cast(pa.timestamp(unit))) for unit in ("s", "ms", "us", "ns")},
    "midnights in UTC": time_as(STAMPS.cast(pa.timestamp("us", tz="UTC"))),
    "midnights in Chicago": time_as(pc.assume_timezone(STAMPS, "America/Chicago")),
    "text dates": time_as(pa.array(list(map(str, DAYS)))),
    "decimal128": close_as(pa.array(DECIMALS, pa.decimal128(18, 6))),
    "decimal256": close_as(pa.array(DECIMALS, pa.decimal256(40, 6))),
    "coded numbers": close_as(pa.array(CLOSES).dictionary_encode()),
    "text numbers": close_as(pa.array(list(map(str, CLOSES)))),
    "float32": close_as(pa.array(CLOSES, pa.float32())),
    "year as text": {"contracts": {"year": ["2024"], "monthint": ["06"]}},
    "year as uint64": {"contracts": {"year": pa.array([2024], pa.uint64())}},
    "expiration at a midnight in Chicago": {
        "contracts": {
            "expirationdate": pc.assume_timezone(pa.array([dt.datetime(2024, 6, 21)]), "America/Chicago"),
        }
    },
    "an optional column without values": {"contracts_bars": {"volume": pa.nulls(5), "open": [float("nan")] * 5}},
    "text without values as floats": {"instruments": {"description": [float("nan")]}},
    "names in other case, with spaces": {
        "contracts_bars": {"Volume ": [None] * 5, " HIGH": [None] * 5},
    },
}


@pytest.mark.parametrize("name", TAKEN)
def test_parquet_that_is_taken(name, tmp_path):
    import_pack(written(tmp_path / "pack", tables(**TAKEN[name])))
    assert stored_bars() == DATED


@pytest.mark.parametrize(
    "values",
    [
        pa.array(CLOCK, pa.timestamp("ms")),
        pc.assume_timezone(pa.array(CLOCK, pa.timestamp("ns")), "America/Chicago"),
        pc.assume_timezone(pa.array(CLOCK, pa.timestamp("us")), "-06:00"),
        pa.array([f"{time.isoformat()}.000-0600" for time in CLOCK]),
    ],
)
def test_times_of_every_unit_and_zone(values, tmp_path):
    import_pack(written(tmp_path / "pack", tables(**time_as(values))))
    assert stored_bars() == TIMED


def test_a_contract_that_has_other_times_has_no_dates(tmp_path):
    stamps = pa.array([dt.datetime(2024, 3, 4), *CLOCK[1:]], pa.timestamp("us", tz="UTC"))
    import_pack(written(tmp_path / "pack", tables(**time_as(stamps))))
    assert stored_bars()[0] == (dt.date(2024, 3, 3), dt.datetime(2024, 3, 4, tzinfo=dt.UTC), 5000.25)


def test_float16(tmp_path):
    import_pack(written(tmp_path / "pack", tables(**close_as(pa.array(map(np.float16, range(1, 6)), pa.float16())))))
    assert [close for *_, close in stored_bars()] == [1, 2, 3, 4, 5]


def test_terms_as_lists_and_times(tmp_path):
    terms = {
        "rollover_months": pa.array([[3, 6, 9, 12]], pa.list_(pa.int64())),
        "option_codes": [["^EW$", "^$"]],
        "decision_time": [dt.time(13, 30)],
    }
    import_pack(written(tmp_path / "pack", tables(instruments=terms)))
    product = Product.objects.get()
    assert product.rollover_months == [3, 6, 9, 12]
    assert product.option_codes == ["^EW$", "^$"]
    assert product.decision_time == dt.time(13, 30)


def test_columns_that_only_arrow_has():
    """Run ends, and extension types: text in another coat is taken; a truth value or an id is no number and no name."""
    names = pa.RunEndEncodedArray.from_arrays(pa.array([5], pa.int32()), pa.array(["ESM24"]))
    import_tables(tables(**name_as(names)), source="test")
    assert stored_bars() == DATED
    for change, column in (
        (close_as(pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1] * 5, pa.int8()))), "close"),
        (name_as(pa.array([b"0123456789abcdef"] * 5, pa.uuid())), "contractname"),
    ):
        with pytest.raises(PackErrors, match=f"contracts_bars, {column}: the column has the type extension<arrow"):
            import_tables(tables(**change), source="test")


HOLDS_TIMES = "which does not hold dates, or dates with time"
NAMED = {
    "whole numbers for dates": (
        time_as(pa.array([20240304] * 5)),
        f"datetime: the column has the type int64, {HOLDS_TIMES}",
    ),
    "times without dates": (
        time_as(pa.array([dt.time(1)] * 5)),
        f"datetime: the column has the type time64[us], {HOLDS_TIMES}",
    ),
    "an unknown time zone": (
        time_as(pa.array([0] * 5).cast(pa.timestamp("us", tz="Nowhere/Land"))),
        "datetime: the column has the type timestamp[us, tz=Nowhere/Land], a time zone that is not known",
    ),
    "a nanosecond": (
        time_as(
            pa.array([1_709_585_100 * 10**9 + 1, *[1_709_585_100 * 10**9 + n * 10**9 for n in range(1, 5)]]).cast(
                pa.timestamp("ns")
            )
        ),
        "row 1, datetime = '2024-03-04T20:45:00.000000001': is neither a date nor a date with time in whole seconds",
    ),
    "a time after the year 9999": (
        time_as(pa.array([86_400, 0, -86_400, 172_800, 2**50]).cast(pa.timestamp("s"))),
        "row 5, datetime = '1125899906842624000 as timestamp[ms]': is neither a date",
    ),
    "truth values": (
        close_as(pa.array([True] * 5)),
        "close: the column has the type bool, which does not hold numbers",
    ),
    "durations": (close_as(pa.array([1] * 5, pa.duration("s"))), "close: the column has the type duration[s]"),
    "structs": (close_as(pa.array([{"value": 1.0}] * 5)), "close: the column has the type struct<value: double>"),
    "maps": (
        close_as(pa.array([[("a", 1.0)]] * 5, pa.map_(pa.string(), pa.float64()))),
        "close: the column has the type map",
    ),
    "lists": (name_as(pa.array([["ESM24"]] * 5)), "contractname: the column has the type list<element: string>"),
    "infinity": (close_as(pa.array([float("inf"), *CLOSES[1:]])), "row 1, close = inf: is not a number"),
    "nan where a value is needed": (
        close_as(pa.array([float("nan"), *CLOSES[1:]])),
        "row 1, close = nan: a value is missing",
    ),
    "a null code": (
        name_as(pa.array([*NAMES[1:], None]).dictionary_encode()),
        "row 5, contractname: a value is missing",
    ),
    "bytes that are not UTF-8": (
        name_as(pa.array([b"ESM24"] * 4 + [b"\xff\xfe"])),
        r"row 5, contractname = b'\xff\xfe': is not text in UTF-8",
    ),
    "a list whose item has a space": (
        {"instruments": {"option_codes": [["^E W$"]]}},
        "option_codes: the column has the type list<element: string> with an item that is blank, has a space in it",
    ),
    "a year beyond int64": (
        {"contracts": {"year": pa.array([2**64 - 1], pa.uint64())}},
        "year = 18446744073709551615: is no year",
    ),
    "an expiration with a time": (
        {"contracts": {"expirationdate": [dt.datetime(2024, 6, 21, 13, 30)]}},
        "row 1, expirationdate = '2024-06-21T13:30:00': is not a date",
    ),
    "a decision time with an offset": (
        {"instruments": {"decision_time": ["13:30+02:00"]}},
        "decision_time = '13:30+02:00': cannot be read. Write local time as HH:MM",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_parquet_that_is_named(name, tmp_path):
    changes, message = NAMED[name]
    with pytest.raises(PackErrors) as caught:
        import_pack(written(tmp_path / "pack", tables(**changes)))
    (table,) = changes
    assert the_problem(caught).startswith(f"{table}.parquet, ")
    assert message in the_problem(caught)
    assert not Product.objects.exists()


def parquet_bytes(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


BARS = parquet_bytes(tables()["contracts_bars"])
REPEATED = pa.table(
    [pa.array(NAMES), pa.array(DAYS), pa.array(CLOSES), pa.array(CLOSES)],
    names=["contractname", "datetime", "close", "close"],
)
BROKEN_PARQUET = {
    "no rows": (parquet_bytes(tables()["contracts_bars"].slice(0, 0)), "the table has no rows"),
    "a column twice": (parquet_bytes(REPEATED), "close: column close is in the header twice"),
    "the same but for case": (
        parquet_bytes(REPEATED.rename_columns(["contractname", "datetime", "close", "Close"])),
        "close is in the header twice",
    ),
    "cut off": (BARS[: len(BARS) // 2], "cannot be read as parquet"),
    "pages overwritten": (BARS[:20] + b"\xff" * 60 + BARS[80:], "cannot be read as parquet"),
    "footer overwritten": (BARS[:-40] + b"\x07" * 32 + BARS[-8:], "cannot be read as parquet"),
    "something else": (b"PK\x03\x04 a spreadsheet", "cannot be read as parquet"),
}


@pytest.mark.parametrize("name", BROKEN_PARQUET)
def test_broken_parquet(name, tmp_path):
    content, message = BROKEN_PARQUET[name]
    folder = written(tmp_path / "pack", tables())
    (folder / "contracts_bars.parquet").write_bytes(content)
    with pytest.raises(PackErrors) as caught:
        import_pack(folder)
    assert the_problem(caught).startswith("contracts_bars.parquet")
    assert message in the_problem(caught)


def test_a_table_written_as_a_folder(tmp_path):
    folder = written(tmp_path / "pack", tables())
    (folder / "contracts_bars.parquet").rename(tmp_path / "part-0.parquet")
    (folder / "contracts_bars.parquet").mkdir()
    with pytest.raises(
        PackErrors, match=r"contracts_bars.parquet: is a folder, not a file. Write the table as one file"
    ):
        import_pack(folder)


def test_a_file_whose_name_is_nearly_right_is_not_passed_over_in_silence(tmp_path):
    folder = written(tmp_path / "pack", tables())
    (folder / "OPTIONS.CSV").write_text("optionname\n")
    report = import_pack(folder)
    assert report.warning_lines[0].startswith("OPTIONS.CSV: no table of a market pack has this name")


# -- csv ----------------------------------------------------------------------------------------------------------

CSV = {
    "instruments": b"exchangesymbol,description,ticksize,tickvalue\nES,E-mini,0.25,12.5\n",
    "contracts": b"contractname,exchangesymbol,year,monthint,expirationdate\nESM24,ES,2024,6,2024-06-21\n",
}
HEADER = b"contractname,datetime,close\n"
FIRST = HEADER + b"ESM24,2024-03-04,5000.25\n"


def csv_pack(folder, bars: bytes, **other: bytes):
    folder.mkdir()
    for name, content in {**CSV, "contracts_bars": bars, **other}.items():
        (folder / f"{name}.csv").write_bytes(content)
    return folder


CSV_TAKEN = {
    "byte order mark": b"\xef\xbb\xbf" + FIRST,
    "CRLF": FIRST.replace(b"\n", b"\r\n"),
    "CR alone": FIRST.replace(b"\n", b"\r"),
    "blank lines": b"\n\n" + FIRST + b"\n\n",
    "lines of commas": FIRST + b",,\n , ,\n",
    "quotes": b'"contractname","datetime","close"\n"ESM24","2024-03-04","5000.25"\n',
    "scientific": HEADER + b"ESM24,2024-03-04,5.00025E+03\n",
    "names in other case, with spaces": b"ContractName, DateTime ,CLOSE\nESM24,2024-03-04,5000.25\n",
    "no-break space": HEADER + "ESM24,2024-03-04,\xa05000.25\n".encode(),
    "nan where none is needed": b"contractname,datetime,open,volume,close\nESM24,2024-03-04,NaN,NULL,5000.25\n",
    "not UTF-8 in a column that is left out": b"contractname,datetime,close,note\nESM24,2024-03-04,5000.25,Z\xfcrich\n",
    "columns without a name": b",contractname,datetime,close,\n0,ESM24,2024-03-04,5000.25,\n",
}


@pytest.mark.parametrize("name", CSV_TAKEN)
def test_csv_that_is_taken(name, tmp_path):
    import_pack(csv_pack(tmp_path / "pack", CSV_TAKEN[name]))
    assert stored_bars() == DATED[:1]


SAVE = "Save it as CSV UTF-8, separated by commas"
NOT_A_NUMBER = "is not a number. Write it with digits and a decimal point, such as 0.25."
CSV_NAMED = {
    "semicolons": (
        b"contractname;datetime;close\nESM24;2024-03-04;5000,25\n",
        f": the values are separated by semicolons, not by commas. {SAVE}, with decimal points.",
    ),
    "tabs": (
        FIRST.replace(b",", b"\t"),
        f": the values are separated by tabs, not by commas. {SAVE}, with decimal points.",
    ),
    "bars": (
        FIRST.replace(b",", b"|"),
        f": the values are separated by vertical bars, not by commas. {SAVE}, with decimal points.",
    ),
    "semicolons and CR": (
        FIRST.replace(b",", b";").replace(b"\n", b"\r"),
        f": the values are separated by semicolons, not by commas. {SAVE}, with decimal points.",
    ),
    "Excel's first line": (
        b"sep=;\ncontractname;datetime;close\n",
        f", line 1: the first line is 'sep=;', which only Excel reads. Leave it out. {SAVE}.",
    ),
    "UTF-16": (FIRST.decode().encode("utf-16"), f": the file is in UTF-16, not in UTF-8. {SAVE}."),
    "UTF-16 without its mark": (
        FIRST.decode().encode("utf-16-be"),
        f": the header has NUL bytes in it, as UTF-16 has, which is not UTF-8. {SAVE}.",
    ),
    "a workbook": (b"PK\x03\x04" + bytes(99), f": the file is a spreadsheet or a zip archive, not a csv. {SAVE}."),
    "compressed": (gzip.compress(FIRST), ": the file is compressed, which its name does not say. Name it .csv.gz."),
    "a header in Latin-1": (
        "contractname,datetime,clôse\nx,y,1\n".encode("latin-1"),
        f", line 1: the header is not UTF-8. {SAVE}.",
    ),
    "no header": (
        b"ESM24,2024-03-04,5000.25\n",
        ": no column of the table is in the header; the file has ESM24, 2024-03-04, 5000.25. Columns are",
    ),
    "a header alone": (HEADER.rstrip(), ": the table has no rows. Write rows into it, or remove it."),
    "line breaks alone": (b"\n\n", ": the file is empty. Write a header and rows into it, or remove it."),
    "decimal comma, quoted": (HEADER + b'ESM24,2024-03-04,"5000,25"\n', f", line 2, close = '5000,25': {NOT_A_NUMBER}"),
    "decimal comma": (
        HEADER + b"ESM24,2024-03-04,5000,25\n",
        ", line 2: the line has 4 values, the header has 3. Give each row one value a column",
    ),
    "thousands": (HEADER + b'ESM24,2024-03-04,"5,000.25"\n', f", line 2, close = '5,000.25': {NOT_A_NUMBER}"),
    "digits of another script": (
        HEADER + "ESM24,2024-03-04,５０００\n".encode(),
        f", line 2, close = '５０００': {NOT_A_NUMBER}",
    ),
    "N/A where a value is needed": (
        HEADER + b"ESM24,2024-03-04,N/A\n",
        ", line 2, close = 'N/A': a value is missing. Give one in every row.",
    ),
    "NUL": (HEADER + b"ESM24,2024-03-04,50\x0002\n", rf", line 2, close = '50\x0002': {NOT_A_NUMBER}"),
    "a spreadsheet's day number": (
        HEADER + b"ESM24,45355,1\n",
        ", line 2, datetime = '45355': is neither a date nor a date with time",
    ),
    "less than a microsecond": (
        HEADER + b"ESM24,2024-03-04T14:45:00.0000001,1\n",
        ", line 2, datetime = '2024-03-04T14:45:00.0000001': is neither",
    ),
    "a quotation mark that is not closed": (
        FIRST + b'ESM24,2024-03-05,"5001\nESM24,2024-03-06,5002\n',
        ", line 3: a quotation mark is opened and never closed. Close it, or write",
    ),
    "the same at the start of a line": (
        FIRST + b'"ESM24,2024-03-05,5001\nESM24,2024-03-06,5002\n',
        ", line 3: a quotation mark is opened and never closed.",
    ),
    "a column twice": (
        b"contractname,datetime,close,Close\nESM24,2024-03-04,1,2\n",
        ", close: column close is in the header twice. Keep one of them.",
    ),
    "a row without any value, and a note": (
        b"contractname,datetime,close,note\nESM24,2024-03-04,1,\n,,,total\n",
        ", line 3: contractname and datetime and close are missing. Give them, or leave the row out.",
    ),
}


@pytest.mark.parametrize("name", CSV_NAMED)
def test_csv_that_is_named(name, tmp_path):
    content, message = CSV_NAMED[name]
    with pytest.raises(PackErrors) as caught:
        import_pack(csv_pack(tmp_path / "pack", content))
    assert the_problem(caught).startswith(f"contracts_bars.csv{message}")
    assert not Product.objects.exists()


def test_rows_of_a_wrong_width_that_are_not_utf_8(tmp_path, capfd):
    with pytest.raises(PackErrors, match=r"contracts_bars.csv, line 3, note = b'Z.xfc': the value is not UTF-8"):
        import_pack(
            csv_pack(tmp_path / "pack", b"contractname,datetime,close,note\nESM24,2024-03-04,1,\n,Z,3,Z\xfc,9\n")
        )
    assert "Traceback" not in capfd.readouterr().err


def test_a_parquet_column_whose_name_is_not_utf_8(tmp_path):
    folder = written(tmp_path / "pack", tables())
    (folder / "contracts_bars.parquet").write_bytes(BARS.replace(b"close", b"cl\xb9se"))
    with pytest.raises(PackErrors) as caught:
        import_pack(folder)
    assert the_problem(caught).startswith("contracts_bars.parquet: a column's name is not UTF-8.")


def test_latin_1_is_named_by_its_place(tmp_path):
    instruments = b"exchangesymbol,description,ticksize,tickvalue\nES,Z\xfcrich,0.25,12.5\n"
    with pytest.raises(PackErrors) as caught:
        import_pack(csv_pack(tmp_path / "pack", FIRST, instruments=instruments))
    assert the_problem(caught) == (
        rf"instruments.csv, line 2, description = b'Z\xfcrich': the value is not UTF-8; Windows-1252 reads it as "
        f"'Zürich'. {SAVE}."
    )


def test_a_quotation_mark_in_the_last_column_of_text(tmp_path):
    """It would take the rest of the file into the description."""
    instruments = b'exchangesymbol,ticksize,tickvalue,description\nES,0.25,12.5,"E-mini\nNQ,0.25,5,N\n'
    with pytest.raises(PackErrors) as caught:
        import_pack(csv_pack(tmp_path / "pack", FIRST, instruments=instruments))
    assert the_problem(caught).startswith("instruments.csv, line 2: a quotation mark is opened and never closed")


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:30] + b"zzzzzzzz" + data[38:]])
def test_a_damaged_gz(tmp_path, damage):
    folder = csv_pack(tmp_path / "pack", FIRST)
    (folder / "contracts_bars.csv").unlink()
    (folder / "contracts_bars.csv.gz").write_bytes(damage(gzip.compress(FIRST * 50, mtime=0)))
    with pytest.raises(PackErrors) as caught:
        import_pack(folder)
    assert the_problem(caught).startswith("contracts_bars.csv.gz: cannot be read as csv")


# -- one cause, one problem ---------------------------------------------------------------------------------------

OPTIONS = {
    "optionname": ["C1", "P1"],
    "contractname": ["ESM24"] * 2,
    "expirationdate": ["2024-06-21"] * 2,
    "strikeprice": [5000.0] * 2,
    "callorput": ["C", "P"],
}
VOLS = {"optionname": ["C1", "P1"], "date": ["2024-03-04"] * 2, "impliedvol": [0.2] * 2}
ONE_CAUSE = {
    "a bad expiration of a contract": ("contracts", {"expirationdate": ["2024-06-31"]}, "expirationdate"),
    "a contract of no product": ("contracts", {"exchangesymbol": ["XX"]}, "no such product"),
    "a contract without product": ("contracts", {"exchangesymbol": pa.nulls(1, pa.string())}, "a value is missing"),
    "a contract without name": ("contracts", {"contractname": pa.nulls(1, pa.string())}, "a value is missing"),
    "a product whose symbol is refused": ("instruments", {"exchangesymbol": ["E S"]}, "Use letters, digits and dots"),
    "a product whose symbol is no text": ("instruments", {"exchangesymbol": pa.array([b"\xff"])}, "not text in UTF-8"),
    "an unknown time zone": ("instruments", {"timezone": ["Chicago"]}, "timezone"),
    "a tick that is no number": ("instruments", {"ticksize": ["x"]}, "ticksize"),
    "a bad expiration of an option": ("options", {"expirationdate": ["2024-06-31", "2024-06-21"]}, "expirationdate"),
    "an option of no contract": ("options", {"contractname": ["XX", "ESM24"]}, "no such contract"),
    "an option without contract": ("options", {"contractname": [None, "ESM24"]}, "contractname: a value is missing"),
    "an option without strike": ("options", {"strikeprice": [None, 5000.0]}, "strikeprice: a value is missing"),
    "an option without name": ("options", {"optionname": [None, "P1"]}, "optionname: a value is missing"),
    "an option that is neither": ("options", {"callorput": ["call", "P"]}, "is neither C nor P"),
    "a rate of a product that is no text": (
        "riskfreerate",
        {"exchangesymbol": pa.array([b"\xff"])},
        "not text in UTF-8",
    ),
}


@pytest.mark.parametrize("name", ONE_CAUSE)
def test_what_refers_to_a_bad_row_is_no_second_problem(name):
    table, change, message = ONE_CAUSE[name]
    columns = {
        **PACK,
        "contracts_bars": PACK["contracts_bars"] | {"datetime": CLOCK},
        "options": OPTIONS,
        "options_data": VOLS,
        "riskfreerate": {"date": ["2024-03-04"], "rate": [0.01]},
    }
    columns[table] = columns[table] | change
    with pytest.raises(PackErrors) as caught:
        import_tables({name: pa.table(columns) for name, columns in columns.items()}, source="test")
    assert the_problem(caught).startswith(f"{table}, ")
    assert message in the_problem(caught)


# -- any type, any form -------------------------------------------------------------------------------------------

NAME_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    *(pa.dictionary(kind, pa.string()) for kind in (pa.int8(), pa.uint8(), pa.int16(), pa.uint32(), pa.int64())),
]
TIME_TYPES = [pa.date32(), pa.date64(), *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")), pa.string()]
CLOSE_TYPES = [
    pa.float64(),
    pa.decimal128(20, 2),
    pa.decimal256(50, 4),
    pa.string(),
    pa.large_string(),
    pa.dictionary(pa.int32(), pa.float64()),
]
records = st.dictionaries(
    st.dates(dt.date(2024, 1, 1), dt.date(2024, 6, 20)),
    st.integers(1, 10**8).map(lambda n: n / 100),
    min_size=1,
    max_size=12,
)


def as_type(values: list, kind: pa.DataType) -> pa.Array:
    plain = pa.array(values)
    if pa.types.is_dictionary(kind):
        encoded = plain.dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind.index_type), encoded.dictionary)
    if pa.types.is_decimal(kind):
        return pa.array([decimal.Decimal(str(value)) for value in values], kind)
    return (
        pa.array(list(map(str, values)), kind)
        if not pa.types.is_temporal(kind) and kind != pa.float64()
        else plain.cast(kind)
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bars=records,
    name=st.sampled_from(NAME_TYPES),
    time=st.sampled_from(TIME_TYPES),
    close=st.sampled_from(CLOSE_TYPES),
    groups=st.integers(1, 5),
)
def test_the_same_rows_come_out_of_every_type_and_form(bars, name, time, close, groups, tmp_path_factory, settings):
    table = pa.table(
        {
            "contractname": as_type(["ESM24"] * len(bars), name),
            "datetime": as_type(list(bars), time),
            "close": as_type(list(bars.values()), close),
        }
    )
    folder = tmp_path_factory.mktemp("pack")
    text = "".join(f"ESM24,{day},{price}\n" for day, price in bars.items()).encode()
    parquet = written(folder / "parquet", tables())
    pq.write_table(table, parquet / "contracts_bars.parquet", row_group_size=groups)
    for form, pack in (("parquet", parquet), ("csv", csv_pack(folder / "csv", HEADER + text))):
        Product.objects.all().delete()
        settings.MARKET_DATA_URI = str(folder / f"market-{form}")
        import_pack(pack)
        assert stored_bars() == sorted((day, None, price) for day, price in bars.items())
