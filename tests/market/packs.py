"""A small market pack to change and break, and ways to write it and to look at the store."""

import copy
import csv
import gzip
import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exo_registry.models import Product, Revision

Tables = dict[str, list[dict]]

INSTRUMENT = {
    "exchangesymbol": "ES",
    "description": "E-mini S&P 500",
    "exchange": "CME",
    "currency": "USD",
    "ticksize": "0.25",
    "tickvalue": "12.5",
    "optionticksize": "0.25",
    "optiontickvalue": "12.5",
    "optionstrikeincrement": "5.0",
    "timezone": "America/Chicago",
    "decision_time": "14:45",
    "execution_time": "15:00",
    "pricing_model": "black76",
    "calendar": "CMES",
    "rollover_months": "3 6 9 12",
    "days_before_expiration": "2",
    "option_codes": "^EW$ ^$",
}


def small_pack() -> Tables:
    """ES with two futures, a chain of two strikes on each, three days of records."""
    days = ["2020-03-02", "2020-03-03", "2020-03-04"]
    contracts = [("F.ESH20", 2020, 3, "2020-03-20"), ("F.ESH21", 2021, 3, "2021-03-19")]
    options = [
        (f"{right}.{future[2:]}.{strike}", future, expiry, f"{strike}.0", right, "")
        for future, _, _, expiry in contracts
        for strike in (3000, 3050)
        for right in "CP"
    ]
    return {
        "instruments": [dict(INSTRUMENT)],
        "contracts": [
            {
                "contractname": name,
                "exchangesymbol": "ES",
                "year": str(year),
                "monthint": str(month),
                "expirationdate": expiry,
            }
            for name, year, month, expiry in contracts
        ],
        "options": [
            dict(
                zip(
                    ("optionname", "contractname", "expirationdate", "strikeprice", "callorput", "optioncode"),
                    option,
                    strict=True,
                )
            )
            for option in options
        ],
        "contracts_bars": [
            {"contractname": contract[0], "datetime": day, "close": str(3000.25 + at)}
            for contract in contracts
            for at, day in enumerate(days)
        ],
        "contract_settlements": [
            {"contractname": contract[0], "date": day, "settlement": "3001.5"} for contract in contracts for day in days
        ],
        "options_data": [
            {"optionname": option[0], "date": day, "impliedvol": "0.25", "price": "31.75"}
            for option in options
            for day in days
        ],
        "riskfreerate": [{"date": "2020-03-02", "rate": "0.014"}, {"date": "2020-03-03", "rate": "0.0125"}],
    }


def write_pack(folder: Path, tables: Tables, form: str = "csv") -> Path:
    """Write tables, each row a dict of strings; parquet gets numbers and dates where every value is one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        path = folder / f"{name}.{form}"
        if form == "parquet":
            pq.write_table(arrow(rows), path)
            continue
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
        path.write_bytes(gzip.compress(data) if form == "csv.gz" else data)
    return folder


def arrow(rows: list[dict]) -> pa.Table:
    columns = {}
    for name in rows[0]:
        column = pa.array([row[name] or None for row in rows], pa.string())
        for kind in (pa.int64(), pa.float64(), pa.date32()):
            try:
                column = column.cast(kind)
                break
            except pa.ArrowInvalid:
                continue
        columns[name] = column
    return pa.table(columns)


def changed(tables: Tables, table: str, row: int, **values: str) -> Tables:
    """A copy with some values of one row replaced."""
    tables = copy.deepcopy(tables)
    tables[table][row].update(values)
    return tables


def state(folder: Path) -> tuple:
    """All that an import may touch: the store's files, products, revisions."""
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
    return files, list(Product.objects.order_by("pk").values()), list(Revision.objects.order_by("pk").values())
