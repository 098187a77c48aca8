"""A series' rows as columns, for pages, the API and exports. Values only: no model instances."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from django.db.models import QuerySet

from algorithms.analysis.results import own_columns
from exo_registry.models import Series

if TYPE_CHECKING:
    import pandas as pd  # else on use: charts and most commands need no frames, and the import is slow

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
    "gross",
    "stale_days",
)
TRADE_COLUMNS = ("date", "contract", "qty", "price", "value", "leg", "reason")
CHART_COLUMNS = ("date", "exo", "delta", "is_rollover", "stale_days")


class ColumnsError(ValueError):
    """Columns were asked for that the series does not have, or one of them twice."""


def points_frame(
    series: Series,
    start: dt.date | None = None,
    end: dt.date | None = None,
    columns: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Points from `start` to `end`, both included, one row a session: the exported columns in their order, then
    the algorithm's own. `columns` chooses some; ColumnsError names what is wrong. The frame's `attrs` have the kind of
    the market data, which Parquet keeps.
    """
    import pandas as pd

    rows = list(_between(series, start, end).values_list(*POINT_COLUMNS, "extra"))
    data: dict[str, Sequence[object]] = dict(zip(POINT_COLUMNS, zip(*rows, strict=True), strict=False)) if rows else {}
    frame = pd.DataFrame({name: _typed(name, data.get(name, ())) for name in POINT_COLUMNS})
    frame.attrs["data_kind"] = series.product.data_kind
    for name, values in own_columns([row[-1] for row in rows]).items():
        frame[name] = values
    if columns is None:
        return frame
    if unknown := [name for name in columns if name not in frame.columns]:
        raise ColumnsError(f"{series} has no column {', '.join(unknown)}; it has {', '.join(frame.columns)}.")
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise ColumnsError(f"{twice[0]} is named twice; keep one.")
    return frame[list(columns)]


def trades_frame(series: Series, start: dt.date | None = None, end: dt.date | None = None) -> "pd.DataFrame":
    """Trades from `start` to `end` in the order in which they were made."""
    import pandas as pd

    trades = series.trades.order_by("date", "number")
    if start is not None:
        trades = trades.filter(date__gte=start)
    if end is not None:
        trades = trades.filter(date__lte=end)
    frame = pd.DataFrame.from_records(list(trades.values_list(*TRADE_COLUMNS)), columns=TRADE_COLUMNS)
    frame.attrs["data_kind"] = series.product.data_kind
    return frame


def write_parquet(frame: "pd.DataFrame", target: Path | IO[bytes]) -> None:
    """Points or trades as Parquet. Dates are timestamps at midnight, which readers take as dates, not as objects."""
    import pandas as pd

    dates = {"date": pd.to_datetime(frame["date"])} if "date" in frame else {}
    frame.assign(**dates).to_parquet(target, index=False)


def chart_columns(series: Series) -> dict[str, list]:
    """What a chart draws, one query: `date` (ISO), `exo`, `delta`, `is_rollover` (0 or 1), `stale_days`, and the
    algorithm's own columns (None where a session has none)."""
    rows = list(series.points.order_by("date").values_list(*CHART_COLUMNS, "extra"))
    if not rows:
        return {name: [] for name in CHART_COLUMNS}
    date, exo, delta, rolled, stale, extra = map(list, zip(*rows, strict=True))
    columns = {
        "date": [day.isoformat() for day in date],
        "exo": exo,
        "delta": delta,
        "is_rollover": [int(value) for value in rolled],
        "stale_days": stale,
    }
    return columns | own_columns(extra)


def _between(series: Series, start: dt.date | None, end: dt.date | None) -> QuerySet:
    points = series.points.order_by("date")
    if start is not None:
        points = points.filter(date__gte=start)
    return points.filter(date__lte=end) if end is not None else points


def _typed(name: str, values: Sequence[object]) -> "pd.Series":
    import pandas as pd

    if name == "date":
        return pd.Series(values, dtype="object")
    if name == "is_rollover":
        return pd.Series([int(value) for value in values], dtype="int64")
    return pd.Series(values, dtype="float64")
