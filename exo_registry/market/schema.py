"""The tables of a market pack (interchange) and of the store (at rest): columns, types, keys, partitions."""

import pyarrow as pa

from algorithms.engine.pack_schema import HOLDS, PACK, Column

__all__ = ["HOLDS", "PACK", "STORE", "Column", "partition_columns"]

DAY = pa.date32()
INSTANT = pa.timestamp("us", tz="UTC")

# What a source may say of its rows, beside the columns: the name of the record that each came from, and, as JSON, what
# is wrong with fields that no Arrow column can hold: {field: what it holds}.
RECORD, REFUSED = "_record", "_refused"

# At rest. Everything is partitioned by product; what belongs to a contract also by the year in which that contract
# expires, so that valuing a late session never reads the records of contracts that are long gone.
BY_PRODUCT = ["exchangesymbol"]
BY_EXPIRY = ["exchangesymbol", "expiry_year"]


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([("exchangesymbol", pa.string()), *fields])


YEAR = ("expiry_year", pa.int32())
STORE: dict[str, pa.Schema] = {
    "contracts": _schema(
        ("contractname", pa.string()), ("year", pa.int32()), ("monthint", pa.int32()), ("expirationdate", DAY)
    ),
    "options": _schema(
        YEAR,
        ("optionname", pa.string()),
        ("contractname", pa.string()),
        ("expirationdate", DAY),
        ("strikeprice", pa.float64()),
        ("callorput", pa.string()),
        ("optioncode", pa.string()),
    ),
    # `date` is the local session date; `at` is null for a bar that is a date alone.
    "contracts_bars": _schema(
        YEAR,
        ("contractname", pa.string()),
        ("date", DAY),
        ("at", INSTANT),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume")),
    ),
    "contract_settlements": _schema(YEAR, ("contractname", pa.string()), ("date", DAY), ("settlement", pa.float64())),
    "options_data": _schema(
        YEAR, ("optionname", pa.string()), ("date", DAY), ("impliedvol", pa.float64()), ("price", pa.float64())
    ),
    "riskfreerate": _schema(("date", DAY), ("rate", pa.float64())),
}


def partition_columns(table: str) -> list[str]:
    return BY_EXPIRY if "expiry_year" in STORE[table].names else BY_PRODUCT
