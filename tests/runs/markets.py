"""Small markets written as packs and imported: monthly futures with made-up, repeatable prices."""

import csv
import datetime as dt
import itertools
from pathlib import Path

from exo_registry import market

DAY = dt.timedelta(days=1)


def weekdays(first: str, count: int) -> list[dt.date]:
    """`count` weekdays from `first` on."""
    start = dt.date.fromisoformat(first)
    every = (start + n * DAY for n in itertools.count())
    return list(itertools.islice((day for day in every if day.weekday() < 5), count))


def price(day: dt.date, contract: int) -> float:
    """A price that differs by day and contract, in quarter points."""
    number = day.toordinal()
    return 1000.0 + (number * 37 % 101) * 0.25 + contract * 3.0


def import_bars(folder: Path, symbol: str, days: list[dt.date], *, change: dict[dt.date, float] | None = None) -> None:
    """Import futures of a product with a bar each of `days`; `change` adds to the price of some days."""
    folder.mkdir(parents=True, exist_ok=True)
    first, last = days[0], days[-1]
    months = [
        (year, month)
        for year in range(first.year, last.year + 1)
        for month in range(1, 13)
        if dt.date(year, month, 20) >= first and dt.date(year, month, 1) <= last + 70 * DAY
    ]
    months += [(last.year + 1, month) for month in (1, 2, 3)] if last.month > 9 else []
    futures = [(f"{symbol}{year}{month:02}", year, month, dt.date(year, month, 20)) for year, month in months]
    _write(
        folder / "instruments.csv",
        ["exchangesymbol", "ticksize", "tickvalue", "decision_time"],
        [[symbol, 0.25, 12.5, "14:45"]],
    )
    _write(
        folder / "contracts.csv",
        ["contractname", "exchangesymbol", "year", "monthint", "expirationdate"],
        [[name, symbol, year, month, expiry] for name, year, month, expiry in futures],
    )
    bars = [
        [name, day, price(day, month) + (change or {}).get(day, 0.0)]
        for name, _, month, expiry in futures
        for day in days
        if expiry - 100 * DAY <= day <= expiry
    ]
    _write(folder / "contracts_bars.csv", ["contractname", "datetime", "close"], bars)
    market.import_pack(folder)


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
