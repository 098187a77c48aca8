"""The session loop: a strategy's rows from its market, all at once or from where it stopped.

A session, in order: (1) if a held contract is near its expiry, the whole position is closed; (2) the strategy's
hook: `open` when flat, else `manage`; (3) the point is recorded. Trades are booked at the session's prices.
A session that lacks data is a gap: no point, no trade, the position of the day before carries on.
"""

import datetime as dt
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .algorithm import Algorithm
from .errors import AlgorithmError, EngineError, Gap, QuoteMissing
from .history import History
from .market import Market
from .position import Holding, Position
from .session import Session, TradeRow

STATE_VERSION = 1
SESSIONS_BETWEEN_REPORTS = 200
SECONDS_BETWEEN_REPORTS = 0.5


class PointRow(NamedTuple):
    """A point as recorded. Executed and opened are sums of absolute quantities; `costs` are the session's own.

    stale_days: age in days of the oldest futures bar that a held contract was valued on.
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
    extra: dict | None


@dataclass(frozen=True)
class Costs:
    """Trading costs, in the currency per contract and side."""

    future: float
    option: float


@dataclass
class Result:
    """What a run made: rows to store, gaps and warnings as (date, words), and the state to go on from."""

    points: list[PointRow] = field(default_factory=list)
    trades: list[TradeRow] = field(default_factory=list)
    gaps: list[tuple[dt.date, str]] = field(default_factory=list)
    warnings: list[tuple[dt.date, str]] = field(default_factory=list)
    state: dict | None = None


def run(
    algorithm: Algorithm,
    market: Market,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
    state: dict | None = None,
    histories: Mapping[str, History] | None = None,
    costs: Costs | None = None,
    on_session: Callable[[int, int], None] | None = None,
) -> Result:
    """Compute a strategy's sessions from `first` to `last`, both included, that are newer than `state`.

    `state` is what an earlier run's Result gave; None starts flat. `histories` holds the series that the algorithm
    needs, by label; with a state, points up to the state's session may be left out of those that only signals
    follow. `costs` take the place of the product's. `on_session(done, total)` is called every 200 sessions and,
    between sessions, at least every half second; it may raise to stop. Raises EngineError if the run cannot start
    and AlgorithmError if the algorithm itself fails; missing data is never raised, it becomes a gap.
    """
    rules = market.rules
    costs = costs or Costs(rules.cost_future, rules.cost_option)
    runner = _Runner(algorithm, market, costs, state, histories or {})
    low = 0 if first is None else bisect_left(market.dates, first)
    if state is not None:
        low = max(low, bisect_right(market.dates, dt.date.fromisoformat(state["session"])))
    high = len(market.dates) if last is None else bisect_right(market.dates, last)
    reached = low
    while reached < high:
        reached = runner.compute(reached, min(reached + SESSIONS_BETWEEN_REPORTS, high))
        if on_session is not None:
            on_session(reached - low, high - low)
    runner.result.state = runner.dump(market.dates[high - 1]) if high > low else state
    return runner.result


class _Feed:
    """One signal and the points that it has yet to be given."""

    def __init__(self, name: str, signal, history: History, read_until: str | None):
        self.name, self.signal = name, signal
        self.until = read_until
        begin = 0
        if read_until is not None:
            begin = int(np.searchsorted(history.dates, np.datetime64(read_until), side="right"))
        self.days: list[int] = history.dates[begin:].astype("datetime64[D]").astype(np.int64).tolist()
        self.values: list[float] = history.values[begin:].tolist()
        self.next = 0

    def advance(self, day: int) -> bool:
        """Feed the points dated up to `day`; True if there were any."""
        start = self.next
        while self.next < len(self.days) and self.days[self.next] <= day:
            self.signal.update(self.values[self.next])
            self.next += 1
        return self.next > start

    def dump(self) -> dict:
        until = str(np.datetime64(self.days[self.next - 1], "D")) if self.next else self.until
        return {"until": until, "state": self.signal.dump()}


class _Runner:
    """One run in progress."""

    def __init__(
        self,
        algorithm: Algorithm,
        market: Market,
        costs: Costs,
        state: dict | None,
        histories: Mapping[str, History],
    ):
        self.algorithm, self.market, self.costs = algorithm, market, costs
        self.result = Result()
        self.total_costs = 0.0
        self.signal_values: dict[str, object] = {}
        self.session = Session(market, self.signal_values, self._whole(histories))
        self.feeds = self._make_feeds(histories, state)
        if state is not None:
            self._restore(state)
        self._position_changed()

    def _whole(self, histories: Mapping[str, History]) -> dict[str, History]:
        """What the algorithm reads of other series beyond its signals."""
        return {label: self._given(histories, label) for label in self.algorithm.reads}

    def _given(self, histories: Mapping[str, History], label: str) -> History:
        if label not in histories:
            raise EngineError(
                f"{type(self.algorithm).__name__} reads {self.market.rules.symbol}_{label}, which was not given: "
                "compute that series first"
            )
        return histories[label]

    def _make_feeds(self, histories: Mapping[str, History], state: dict | None) -> list[_Feed]:
        feeds = []
        for name, (label, signal) in self.algorithm.signals().items():
            until = None
            if state is not None:
                saved = state["signals"][name]
                until = saved["until"]
                signal.load(saved["state"])
            feeds.append(_Feed(name, signal, self._given(histories, label), until))
            self.signal_values[name] = signal.value
        return feeds

    def _restore(self, state: dict) -> None:
        if state.get("version") != STATE_VERSION:
            raise EngineError("the stored state is of another version: compute the series from its start")
        session = self.session
        holdings = {self.market.number(name): Holding(qty, cost, leg) for name, qty, cost, leg in state["holdings"]}
        session.position = Position(holdings, state["realised"])
        session.memory = state["memory"]
        session.last_trade = dt.date.fromisoformat(state["last_trade"]) if state["last_trade"] else None
        self.total_costs = state["costs"]

    def dump(self, date: dt.date) -> dict:
        """All that the next session depends on, as JSON-able data."""
        session = self.session
        names = self.market.names
        return {
            "version": STATE_VERSION,
            "session": date.isoformat(),
            "realised": session.position.realised,
            "costs": self.total_costs,
            "holdings": [[names[c], h.qty, h.cost, h.leg] for c, h in session.position.holdings.items()],
            "memory": session.memory,
            "last_trade": session.last_trade.isoformat() if session.last_trade else None,
            "signals": {feed.name: feed.dump() for feed in self.feeds},
        }

    def compute(self, begin: int, end: int) -> int:
        """Compute sessions from `begin` to before `end`, or as many as half a second takes; the next one to compute."""
        session, days, result = self.session, self.market.day_list, self.result
        deadline = time.monotonic() + SECONDS_BETWEEN_REPORTS
        for index in range(begin, end):
            if index > begin and time.monotonic() > deadline:
                return index
            session.start(index)
            for feed in self.feeds:
                if feed.advance(days[index]):
                    self.signal_values[feed.name] = feed.signal.value
            memory = session.memory
            session.memory = dict(memory)
            try:
                if days[index] >= self.roll_day:
                    session.close("roll")
                    session.rolled = True
                self._call_hook()
                if session.trades:
                    self._position_changed()
                point = self._point()
            except Gap as gap:
                session.undo()
                session.memory = memory
                self._position_changed()
                result.gaps.append((session.date, str(gap)))
                continue
            self.total_costs += point.costs
            result.points.append(point)
            if session.trades:
                result.trades.extend(session.trades)
            if session.warnings:
                result.warnings.extend((session.date, words) for words in session.warnings)
        return end

    def _call_hook(self) -> None:
        algorithm, session = self.algorithm, self.session
        try:
            (algorithm.manage if session.position.holdings else algorithm.open)(session)
        except (Gap, EngineError):
            raise
        except Exception as error:
            raise AlgorithmError(f"{type(algorithm).__name__} failed on {session.date}: {error!r}") from error

    def _position_changed(self) -> None:
        """Work out what holds as long as the position does: who is held, when to roll, what is open."""
        market = self.market
        holdings = self.session.position.holdings
        rule = market.rules.days_before_expiration
        self.roll_day = min((market.expiries[contract] for contract in holdings), default=1 << 40) - rule
        self.futures_open, self.options_open = self._count((c, h.qty) for c, h in holdings.items())
        self.held, self.held_until = [], 0

    def _hold(self, index: int) -> None:
        """Line up the values of what is held, for the sessions from `index` on that all of them cover."""
        market = self.market
        tracks = [(c, h, market.track(c, index)) for c, h in self.session.position.holdings.items()]
        self.held = [
            (track.prices, track.deltas, track.ages, track.start, h.qty, h.cost, market.point_value(c), c)
            for c, h, track in tracks
        ]
        self.held_until = min((track.stop for _, _, track in tracks), default=1 << 40)

    def _count(self, quantities: Iterable[tuple[int, float]]) -> tuple[float, float]:
        """Sums of absolute quantities of futures and of options."""
        futures = options = 0.0
        for contract, qty in quantities:
            if self.market.is_future(contract):
                futures += abs(qty)
            else:
                options += abs(qty)
        return futures, options

    def _point(self) -> PointRow:
        session, market = self.session, self.market
        index = session.index
        futures, options, costs = self._executed() if session.trades else (0.0, 0.0, 0.0)
        if index >= self.held_until:
            self._hold(index)
        open_value, delta, stale = 0.0, 0.0, 0
        for prices, deltas, ages, start, qty, cost, point_value, contract in self.held:
            at = index - start
            price = prices[at]
            if price != price:
                raise QuoteMissing(market.why_no_quote(contract, index))
            open_value += price * qty * point_value - cost
            delta += deltas[at] * qty
            if ages[at] > stale:
                stale = ages[at]
        return PointRow(
            session.date,
            session.position.realised + open_value - (self.total_costs + costs),
            delta,
            int(session.rolled),
            futures,
            self.futures_open,
            options,
            self.options_open,
            costs,
            stale,
            session.columns or None,
        )

    def _executed(self) -> tuple[float, float, float]:
        futures, options = self._count(self.session.traded)
        return futures, options, futures * self.costs.future + options * self.costs.option
