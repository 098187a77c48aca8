"""What a run gives: points, trades, gaps and warnings, and the state that the next run resumes from."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, NamedTuple

State = dict[str, Any]  # what the next session depends on, as JSON-able data


class TradeRow(NamedTuple):
    """A trade as recorded.

    Attributes:
        date: The session.
        number: Its place among the session's trades, from 0.
        contract: Its name.
        qty: Contracts, signed.
        price: In points.
        value: price x qty x point value, in the currency.
        leg: The leg that it is for, such as P[-5].
        reason: Such as open, roll, close or expiry.
    """

    date: dt.date
    number: int
    contract: str
    qty: float
    price: float
    value: float
    leg: str
    reason: str


class PointRow(NamedTuple):
    """A point as recorded.

    Attributes:
        date: The session.
        exo: Profit and loss since the series began, net of costs, in the product's currency: `gross` less all costs.
        gross: The same before costs.
        delta: Of the position, in futures.
        is_rollover: 1 if the roll rule closed the position in the session, or something held expired, else 0.
        nfutures_executed: Sum of absolute quantities of futures traded in the session.
        nfutures_opened: Sum of absolute quantities of futures held after it.
        noptions_executed: As for futures.
        noptions_opened: As for futures.
        costs: Of the session alone, in the currency.
        stale_days: Age in calendar days of the oldest futures bar that a held contract was valued on.
        extra: The algorithm's own columns, None if it recorded none.
    """

    date: dt.date
    exo: float
    delta: float
    is_rollover: int
    nfutures_executed: float
    nfutures_opened: float
    noptions_executed: float
    noptions_opened: float
    costs: float
    stale_days: int
    gross: float
    extra: dict[str, object] | None


@dataclass(frozen=True)
class Costs:
    """Trading costs.

    Attributes:
        future: In the currency, per future and side.
        option: In the currency, per option and side.
    """

    future: float
    option: float


@dataclass
class Result:
    """What a run computed.

    Attributes:
        points: One a session that could be computed, ascending.
        trades: In the order in which they were made.
        gaps: Sessions that lack data: date and reason.
        warnings: Remarks: date and text. A session may have several.
        state: What the next session depends on, as JSON-able data; None if nothing was ever computed.
    """

    points: list[PointRow] = field(default_factory=list)
    trades: list[TradeRow] = field(default_factory=list)
    gaps: list[tuple[dt.date, str]] = field(default_factory=list)
    warnings: list[tuple[dt.date, str]] = field(default_factory=list)
    state: State | None = None
