"""The current position of a series, ready for a page or the API: rows with Greeks, payoff with what-if."""

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from algorithms.analysis import payoff, valuation
from algorithms.analysis.payoff import Extremes, Payoff
from algorithms.analysis.valuation import NOTHING_CHANGES, Sensitivities, Snapshot, Valuation, WhatIf
from algorithms.engine import EngineError, Gap, ProductRules
from exo_registry import market
from exo_registry.models import Product, Series

# The parts of a what-if with the lowest and highest value that makes sense for any position.
WHAT_IF_LIMITS = {"price": (-1e6, 1e6), "vol": (-1.0, 5.0), "days": (0.0, 3653.0)}


class PositionError(Exception):
    """The position cannot be valued; the message says why, and what to do."""


class WhatIfError(ValueError):
    """A what-if that cannot come true; the message says why. `part` is price, vol or days."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True, kw_only=True)
class CurrentPosition:
    """What a series holds after its last point, valued at that session.

    data_kind: of the product's market data. date: of the last point; later sessions that are gaps have changed nothing.
    snapshot: the lines held, none when flat. now, after: valued as it is, and after `what_if`. payoff: the two curves;
    break_evens, extremes: at the first expiry. realised, costs: of the series so far, in `currency`, as all amounts.
    """

    series: str
    currency: str
    data_kind: str
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
    def vol_points(self) -> float:
        """The what-if's shift in volatility, in volatility points."""
        return round(100.0 * self.what_if.vol, 9)

    @property
    def exo(self) -> float:
        """Realised and open profit less costs: the last point's value, unless its market data was corrected since."""
        return self.realised + self.now.profit - self.costs

    def as_dict(self) -> dict:
        """The same as JSON-able data; extremes without bound are null, and flagged as `unbounded`."""
        bounds = self.extremes
        unbounded = [name for name in ("highest", "lowest") if getattr(bounds, name) is None]
        return {
            "series": self.series,
            "currency": self.currency,
            "data_kind": self.data_kind,
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
            "extremes": bounds._asdict() | {"unbounded": unbounded},
        }


def current(series: Series, what_if: WhatIf = NOTHING_CHANGES) -> CurrentPosition | None:
    """The series' position after its last point; None if it was never computed.

    Raises PositionError if the market data no longer has what the position is valued with, MarketStoreError if it
    cannot be read, and WhatIfError for a price below zero or a day after the last expiry.
    """
    state, date = series.state, series.last_date
    if state is None or date is None:
        return None
    product = series.product
    holdings = tuple(tuple(row) for row in state["holdings"])
    try:
        snapshot = _snapshot(
            str(settings.MARKET_DATA_URI), _revision(product), product.pk, market.rules(product), date, holdings
        )
    except market.MarketStoreError:
        raise
    except (EngineError, Gap, market.MarketDataError) as error:
        reason = f"{series} cannot be valued on {date}: {error}."
        raise PositionError(f"{reason} Import its market data, or compute it again from its start.") from error
    _check_what_if(snapshot, what_if)
    now = valuation.value(snapshot)
    return CurrentPosition(
        series=series.name,
        currency=product.currency,
        data_kind=product.data_kind,
        date=date,
        snapshot=snapshot,
        what_if=what_if,
        now=now,
        after=now if what_if == NOTHING_CHANGES else valuation.value(snapshot, what_if),
        payoff=payoff.payoff(snapshot, what_if=what_if),
        break_evens=payoff.break_evens(snapshot),
        extremes=payoff.extremes(snapshot),
        realised=state["realised"],
        costs=state["costs"],
    )


def _check_what_if(snapshot: Snapshot, what_if: WhatIf) -> None:
    if not snapshot.lines:
        return
    room = snapshot.price - payoff.lowest_price(snapshot)
    if what_if.price < -room:
        name = snapshot.reference.future
        message = f"{what_if.price:+,.10g} would put a price below zero: {name} is at {snapshot.price:,.10g}"
        raise WhatIfError("price", f"{message}; give {-room:,.10g} or more.")
    last = max(snapshot.lines, key=lambda line: line.expiry)
    if what_if.days > max(last.days, 0):
        message = f"{what_if.days:.10g} days is after the last expiry, {last.expiry} of {last.name}"
        raise WhatIfError("days", f"{message}; give 0 to {max(last.days, 0)}.")


def _revision(product: Product) -> int | None:
    return product.revisions.values_list("pk", flat=True).first()


@lru_cache(maxsize=256)
def _snapshot(
    store: str, revision: int | None, product: int, rules: ProductRules, date: dt.date, holdings: tuple
) -> Snapshot:
    """Holdings at a session. Store, revision and rules are part of the key, so that a change of them is seen; a
    what-if moved by hand asks for the same ones again and again."""
    if not holdings:
        return Snapshot(date, rules.pricing_model, (), rules.dividend_yield)
    names = [row[0] for row in holdings]
    loaded = market.load_market(Product.objects.get(pk=product), since=date, also=names)
    session = bisect_left(loaded.dates, date)
    if session == len(loaded.dates) or loaded.dates[session] != date:
        raise EngineError("the market data has no such session any more")
    return valuation.read(loaded, holdings, session)


def _row(value: valuation.LineValue) -> dict:
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
