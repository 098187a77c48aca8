"""Writes the market data of products as a pack. Importing what was written changes nothing."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from exo_registry.failures import MarketDataError
from exo_registry.models import Product

from .products import instrument_rows
from .references import plain
from .schema import PACK, STORE
from .store import Snapshot

FORMATS = ("csv", "csv.gz", "parquet")


def export_pack(symbols: Iterable[str], folder: str | Path, *, form: str = "parquet") -> dict[str, int]:
    """Write the tables of some products into a folder (made if need be); returns rows by table.

    form: csv, csv.gz or parquet. Numbers are written so that reading them gives the same ones to the last bit.
    Raises MarketDataError for an unknown product, a folder that has a pack in it, an unknown form, or a product whose
    option codes a pack cannot express.
    """
    if form not in FORMATS:
        raise MarketDataError(f"{form!r} is no form of a pack; use {', '.join(FORMATS)}")
    folder, symbols = Path(folder), list(dict.fromkeys(symbols))
    products = {product.exchangesymbol: product for product in Product.objects.filter(exchangesymbol__in=symbols)}
    if missing := [symbol for symbol in symbols if symbol not in products]:
        raise MarketDataError(f"no such product: {', '.join(missing)}")
    if taken := [path for name in PACK for path in folder.glob(f"{name}.*")]:
        raise MarketDataError(f"{taken[0]} is there already; export into an empty folder")
    snapshot = Snapshot.current()
    tables = {"instruments": _instruments([products[symbol] for symbol in symbols])}
    for name in STORE:
        table = pa.concat_tables([plain(snapshot.read(name, symbol=symbol)) for symbol in symbols])
        if len(table):
            tables[name] = _pack_table(name, table, len(symbols))
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        _write(table, folder / f"{name}.{form}", form)
    return {name: len(table) for name, table in tables.items()}


def _instruments(products: list[Product]) -> pa.Table:
    try:
        return pa.table(instrument_rows(products))
    except ValueError as error:
        raise MarketDataError(str(error)) from error


def _pack_table(name: str, table: pa.Table, products: int) -> pa.Table:
    if name == "contracts_bars":
        table = table.append_column("datetime", _datetimes(table))
    if name == "riskfreerate":
        table = _common_rates(table, products)
    columns = [column for column in PACK[name] if column in table.column_names]
    # A column that is empty throughout is left out, so that reading it back leaves what is there.
    return table.select([c for c in columns if PACK[name][c].required or table[c].null_count < len(table)])


def _datetimes(bars: pa.Table) -> pa.ChunkedArray:
    """Dates, or UTC times; text where a table has both."""
    at = bars["at"].combine_chunks()
    if at.null_count == len(at):
        return bars["date"]
    if not at.null_count:
        return bars["at"].cast(pa.timestamp("s", tz="UTC"))
    return pa.chunked_array([pc.if_else(at.is_null(), bars["date"].combine_chunks().cast(pa.string()), _iso(at))])


def _iso(at: pa.Array) -> pa.Array:
    return pc.strftime(at.cast(pa.timestamp("s", tz="UTC")), format="%Y-%m-%dT%H:%M:%S+00:00")


def _common_rates(table: pa.Table, products: int) -> pa.Table:
    """One set of rates without a product column if all products have the same; else the table as it is."""
    days = table.group_by("date").aggregate([("rate", "min"), ("rate", "max"), ("rate", "count")]).sort_by("date")
    same = pc.and_(pc.equal(days["rate_min"], days["rate_max"]), pc.equal(days["rate_count"], products))
    if not pc.all(same).as_py():
        return table
    return days.select(["date", "rate_min"]).rename_columns(["date", "rate"])


def _write(table: pa.Table, path: Path, form: str) -> None:
    if form == "parquet":
        pq.write_table(table, path, compression="zstd")
        return
    if "datetime" in table.column_names and pa.types.is_timestamp(table["datetime"].type):
        at = table.column_names.index("datetime")
        table = table.set_column(at, "datetime", _iso(table["datetime"].combine_chunks()))
    options = pacsv.WriteOptions(quoting_style="needed")
    if form == "csv":
        pacsv.write_csv(table, path, options)
    else:
        with pa.CompressedOutputStream(str(path), "gzip") as stream:
            pacsv.write_csv(table, stream, options)
