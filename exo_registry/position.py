"""The current position of a series, ready for a page or the API: rows with Greeks, payoff with what-if."""

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from algorithms.engine import EngineError, Gap, ProductRules, analytics
from algorithms.engine.analytics import NOTHING_CHANGES, Extremes, Payoff, Sensitivities, Snapshot, Valuation, WhatIf

from . import market_store
from .models import Product, Series


class PositionError(Exception):
    """The position cannot be valued; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class CurrentPosition:
    """What a series holds after its last point, valued at that session.

    date: of the last point; later sessions that are gaps have changed nothing. snapshot: the lines held, none when
    flat. now, after: valued as it is, and after `what_if`. payoff: the two curves; break_evens, extremes: at the
    first expiry. realised, costs: of the series so far, in `currency`, as are all amounts.
    """

    series: str
    currency: str
    date: dt.date
    snapshot: Snapshot
    what_if: WhatIf
    now: Valuation
    after: Valuation
    payoff: Payoff
    break_evens: list[float]
    extremes: Extremes
    realised: float
    costs: float

    @property
    def is_flat(self) -> bool:
        return not self.snapshot.lines

    @property
    def exo(self) -> float:
        """Realised and open profit less costs: the last point's value, unless its market data was corrected since."""
        return self.realised + self.now.profit - self.costs

    def as_dict(self) -> dict:
        """The same as JSON-able data; extremes without bound are null, and flagged as `unbounded`."""
        found = self.extremes
        unbounded = [name for name in ("highest", "lowest") if getattr(found, name) is None]
        return {
            "series": self.series,
            "currency": self.currency,
            "date": self.date.isoformat(),
            "price": self.snapshot.price,
            "days_to_expiry": self.snapshot.days_to_expiry,
            "exo": self.exo,
            "realised": self.realised,
            "costs": self.costs,
            "what_if": {"price": self.what_if.price, "vol": self.what_if.vol, "days": self.what_if.days},
            "rows": [_row(line) for line in self.now.lines],
            "total": _total(self.now),
            "after": _total(self.after),
            "payoff": {name: curve.tolist() for name, curve in self.payoff._asdict().items()},
            "break_evens": self.break_evens,
            "extremes": found._asdict() | {"unbounded": unbounded},
        }


def current(series: Series, what_if: WhatIf = NOTHING_CHANGES) -> CurrentPosition | None:
    """The series' position after its last point; None if it was never computed.

    Raises PositionError if the market data no longer has what the position is valued with.
    """
    state, date = series.state, series.last_date
    if state is None or date is None:
        return None
    product = series.product
    holdings = tuple(tuple(row) for row in state["holdings"])
    try:
        snapshot = _snapshot(
            str(settings.MARKET_DATA_URI), _revision(product), product.pk, market_store.rules(product), date, holdings
        )
    except (EngineError, Gap, market_store.MarketDataError) as error:
        reason = f"{series} cannot be valued on {date}: {error}."
        raise PositionError(f"{reason} Import its market data, or compute it again from its start.") from error
    now = analytics.value(snapshot)
    return CurrentPosition(
        series=series.name,
        currency=product.currency,
        date=date,
        snapshot=snapshot,
        what_if=what_if,
        now=now,
        after=now if what_if == NOTHING_CHANGES else analytics.value(snapshot, what_if),
        payoff=analytics.payoff(snapshot, what_if=what_if),
        break_evens=analytics.break_evens(snapshot),
        extremes=analytics.extremes(snapshot),
        realised=state["realised"],
        costs=state["costs"],
    )


def _revision(product: Product) -> int | None:
    return product.revisions.values_list("pk", flat=True).first()


@lru_cache(maxsize=256)
def _snapshot(
    store: str, revision: int | None, product: int, rules: ProductRules, date: dt.date, holdings: tuple
) -> Snapshot:
    """Holdings at a session. Store, revision and rules are part of the key, so that a change of them is seen; a
    what-if moved by hand asks for the same ones again and again."""
    if not holdings:
        return Snapshot(date, rules.pricing_model, ())
    names = [row[0] for row in holdings]
    market = market_store.load_market(Product.objects.get(pk=product), since=date, also=names)
    session = bisect_left(market.dates, date)
    if session == len(market.dates) or market.dates[session] != date:
        raise EngineError("the market data has no such session any more")
    return analytics.read(market, holdings, session)


def _row(value: analytics.LineValue) -> dict:
    line = value.line
    return {
        "contract": line.name,
        "leg": line.leg,
        "right": line.right,
        "qty": line.qty,
        "future": line.future,
        "future_price": line.future_price,
        "strike": line.strike,
        "expiry": line.expiry.isoformat(),
        "days": line.days,
        "volatility": line.vol,
        "stale_days": line.stale_days,
        "average_price": line.cost / (line.qty * line.point_value),
        "price": value.price,
        "value": value.value,
        "profit": value.profit,
        "greeks": _greeks(value.position),
        "greeks_currency": _greeks(value.currency),
    }


def _total(valuation: Valuation) -> dict:
    return {
        "value": valuation.value,
        "profit": valuation.profit,
        "greeks": _greeks(valuation.position),
        "greeks_currency": _greeks(valuation.currency),
    }


def _greeks(greeks: Sensitivities) -> dict:
    return greeks._asdict()
