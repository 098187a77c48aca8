"""A series' rows as columns, for pages, the API and exports. Values only: no model instances."""

import datetime as dt
import itertools
from collections.abc import Sequence

import pandas as pd
from django.db.models import QuerySet

from .models import Series

POINT_COLUMNS = (
    "date",
    "exo",
    "delta",
    "is_rollover",
    "nfutures_executed",
    "nfutures_opened",
    "noptions_executed",
    "noptions_opened",
    "costs",
)
TRADE_COLUMNS = ("date", "contract", "qty", "price", "value", "leg", "reason")
CHART_COLUMNS = ("date", "exo", "delta", "is_rollover", "stale_days")


class UnknownColumns(ValueError):
    """Columns were asked for that the series does not have."""


def points_frame(
    series: Series,
    start: dt.date | None = None,
    end: dt.date | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Points from `start` to `end`, both included, one row a session: the exported columns in their order, then
    the algorithm's own. `columns` chooses some; UnknownColumns names those that there are not.
    """
    rows = list(_between(series, start, end).values_list(*POINT_COLUMNS, "extra"))
    data: dict[str, Sequence[object]] = dict(zip(POINT_COLUMNS, zip(*rows, strict=True), strict=False)) if rows else {}
    frame = pd.DataFrame({name: _typed(name, data.get(name, ())) for name in POINT_COLUMNS})
    for name, values in _own_columns([row[-1] for row in rows]).items():
        frame[name] = values
    if columns is None:
        return frame
    if unknown := [name for name in columns if name not in frame.columns]:
        raise UnknownColumns(f"{series} has no column {', '.join(unknown)}; it has {', '.join(frame.columns)}.")
    return frame[list(columns)]


def trades_frame(series: Series, start: dt.date | None = None, end: dt.date | None = None) -> pd.DataFrame:
    """Trades from `start` to `end` in the order in which they were made."""
    trades = series.trades.order_by("date", "number")
    if start is not None:
        trades = trades.filter(date__gte=start)
    if end is not None:
        trades = trades.filter(date__lte=end)
    return pd.DataFrame.from_records(list(trades.values_list(*TRADE_COLUMNS)), columns=TRADE_COLUMNS)


def chart_columns(series: Series) -> dict[str, list]:
    """What a chart draws, one query: `date` (ISO), `exo`, `delta`, `is_rollover` (0 or 1), `stale_days`, and the
    algorithm's own columns (None where a session has none)."""
    rows = list(series.points.order_by("date").values_list(*CHART_COLUMNS, "extra"))
    if not rows:
        return {name: [] for name in CHART_COLUMNS}
    date, exo, delta, rolled, stale, extra = map(list, zip(*rows, strict=True))
    columns = {
        "date": [one.isoformat() for one in date],
        "exo": exo,
        "delta": delta,
        "is_rollover": [int(one) for one in rolled],
        "stale_days": stale,
    }
    return columns | _own_columns(extra)


def _between(series: Series, start: dt.date | None, end: dt.date | None) -> QuerySet:
    points = series.points.order_by("date")
    if start is not None:
        points = points.filter(date__gte=start)
    return points.filter(date__lte=end) if end is not None else points


def _typed(name: str, values: Sequence[object]) -> pd.Series:
    if name == "date":
        return pd.Series(values, dtype="object")
    if name == "is_rollover":
        return pd.Series([int(value) for value in values], dtype="int64")
    return pd.Series(values, dtype="float64")


def _own_columns(extra: list[dict | None]) -> dict[str, list]:
    """The algorithm's own columns, in the order in which they first appear."""
    names = dict.fromkeys(itertools.chain.from_iterable(one for one in extra if one))
    return {name: [one.get(name) if one else None for one in extra] for name in names}
