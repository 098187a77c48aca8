"""What there is of a product's market data, for its page."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exo_registry.models import Product

from .load import futures_of
from .references import plain
from .store import Snapshot


def coverage(product: Product) -> dict:
    """Contracts, option expirations and date ranges of a product's data, as plain values:

    contracts: list of {name, year, month, expiry, bars, first, last}, by expiry (first, last: None without bars);
    expirations: list of {expiry, contract, code, calls, puts}, by expiry;
    bars, settlements, vols, rates: {rows, first, last}.
    """
    symbol = product.exchangesymbol
    snapshot = Snapshot.of(symbol)
    return {
        "contracts": _contracts(snapshot, symbol),
        "expirations": _expirations(snapshot, symbol),
        "bars": _span(snapshot, symbol, "contracts_bars"),
        "settlements": _span(snapshot, symbol, "contract_settlements"),
        "vols": _span(snapshot, symbol, "options_data"),
        "rates": _span(snapshot, symbol, "riskfreerate"),
    }


def _contracts(snapshot: Snapshot, symbol: str) -> list[dict]:
    bars = snapshot.read("contracts_bars", ["contractname", "date"], symbol=symbol)
    groups = plain(bars).group_by("contractname").aggregate([("date", "min"), ("date", "max"), ("date", "count")])
    spans = {row["contractname"]: row for row in groups.to_pylist()}
    return [
        {
            "name": row["contractname"],
            "year": row["year"],
            "month": row["monthint"],
            "expiry": row["expirationdate"],
            "bars": span["date_count"] if (span := spans.get(row["contractname"])) else 0,
            "first": span and span["date_min"],
            "last": span and span["date_max"],
        }
        for row in futures_of(snapshot, symbol).to_pylist()
    ]


def _expirations(snapshot: Snapshot, symbol: str) -> list[dict]:
    columns = ["contractname", "expirationdate", "callorput", "optioncode"]
    options = plain(snapshot.read("options", columns, symbol=symbol))
    is_call = pc.equal(options["callorput"], "C").cast(pa.int64())
    counted = options.append_column("call", is_call).group_by(["expirationdate", "contractname", "optioncode"])
    rows = counted.aggregate([("call", "sum"), ("call", "count")])
    return [
        {
            "expiry": row["expirationdate"],
            "contract": row["contractname"],
            "code": row["optioncode"],
            "calls": row["call_sum"],
            "puts": row["call_count"] - row["call_sum"],
        }
        for row in rows.sort_by([("expirationdate", "ascending"), ("contractname", "ascending")]).to_pylist()
    ]


def _span(snapshot: Snapshot, symbol: str, table: str) -> dict[str, int | dt.date | None]:
    """Rows and dates of a table, from the statistics of its files: nothing is read."""
    files = [action for _, partition, action in snapshot.files(table) if partition[0] == symbol]
    return {
        "rows": int(np.sum([action["num_records"] for action in files], dtype=np.int64)),
        "first": min((action["min.date"] for action in files), default=None),
        "last": max((action["max.date"] for action in files), default=None),
    }
