"""The tables of a market pack (interchange) and of the store (at rest): columns, types, keys, partitions."""

from dataclasses import dataclass

import pyarrow as pa

DAY = pa.date32()
INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Column:
    """A column of a pack. `kind`: text, number, integer, date or moment (a date, or a date with time)."""

    kind: str
    required: bool = False


def _columns(**kinds: str) -> dict[str, Column]:
    """`name="number!"` is a column that must be there, in every row."""
    return {name: Column(kind.rstrip("!"), kind.endswith("!")) for name, kind in kinds.items()}


# In the order in which tables refer to each other, which is also the order of reports and writes.
PACK: dict[str, dict[str, Column]] = {
    "instruments": _columns(
        exchangesymbol="text!",
        description="text",
        exchange="text",
        currency="text",
        ticksize="number!",
        tickvalue="number!",
        optionticksize="number",
        optiontickvalue="number",
        optionstrikeincrement="number",
        timezone="text",
        decision_time="text",
        execution_time="text",
        pricing_model="text",
        calendar="text",
        rollover_months="text",
        days_before_expiration="integer",
        option_codes="text",
    ),
    "contracts": _columns(
        contractname="text!", exchangesymbol="text!", year="integer!", monthint="integer!", expirationdate="date!"
    ),
    "options": _columns(
        optionname="text!",
        contractname="text!",
        expirationdate="date!",
        strikeprice="number!",
        callorput="text!",
        optioncode="text",
    ),
    "contracts_bars": _columns(
        contractname="text!",
        datetime="moment!",
        open="number",
        high="number",
        low="number",
        close="number!",
        volume="number",
    ),
    "contract_settlements": _columns(contractname="text!", date="date!", settlement="number!"),
    "options_data": _columns(optionname="text!", date="date!", impliedvol="number!", price="number"),
    # Without exchangesymbol, rates are for all products of the pack. Exports name it only where products differ.
    "riskfreerate": _columns(exchangesymbol="text", date="date!", rate="number!"),
}

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
