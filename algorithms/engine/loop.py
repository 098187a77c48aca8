"""The session loop: a strategy's rows from its market, all at once or from where it stopped.

A session, in order: (1) what has expired is settled; (2) if a held contract is near its expiry, the whole position is
closed; (3) the strategy's hook: `open` when flat, else `manage`; (4) the point is recorded. Trades are booked at the
session's prices. A session that lacks data is a gap: no point, no trade but a settlement, and the position carries on.
If only the hook lacks data, it is undone, and the point is recorded with a warning.

Under legacy rules nothing is settled, and whatever lacks data makes the session a gap, the roll undone with the rest.
"""

import datetime as dt
import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from . import failures, values
from .algorithm import Algorithm
from .errors import EngineError, Gap, NothingActive, QuoteMissing
from .feed import Feed
from .history import History
from .market import Market
from .position import Holding, Position
from .rows import Costs, PointRow, Result, State
from .session import Session
from .text import message

P = ParamSpec("P")
R = TypeVar("R")

STATE_VERSION = 2
SESSIONS_BETWEEN_REPORTS = 200
SECONDS_BETWEEN_REPORTS = 0.5
OLDEST = 32_767  # days that `stale_days` counts to
STATE_LIMIT = 1_000_000  # values and characters of a memory


def run(
    algorithm: Algorithm[Any],
    market: Market,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
    state: State | None = None,
    histories: Mapping[str, History] | None = None,
    costs: Costs | None = None,
    on_session: Callable[[int, int], None] | None = None,
) -> Result:
    """Compute a strategy's sessions from `first` to `last`, both included, that are newer than `state`.

    Missing data is never raised: it becomes a gap.

    Args:
        algorithm: With its parameters and direction.
        market: The product's quotes. It may begin late, as long as it has what the state holds.
        first: None: the market's first session.
        last: None: the market's last session.
        state: What an earlier run's Result gave; None starts flat.
        histories: The series that the algorithm needs, by label. With a state, points up to the state's session may
            be left out of those that only signals follow.
        costs: In place of the product's.
        on_session: Called with the sessions done and all of them, every 200 sessions and, between sessions, at least
            every half second. It may raise to stop.

    Raises:
        EngineError: The run cannot start: a series that is read or a contract that is held is not there, or the state
            is of another version.
        AlgorithmError: The algorithm itself failed.
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


class _Runner:
    """One run in progress."""

    def __init__(
        self,
        algorithm: Algorithm[Any],
        market: Market,
        costs: Costs,
        state: State | None,
        histories: Mapping[str, History],
    ):
        self.algorithm, self.market, self.costs = algorithm, market, costs
        self.result = Result()
        self.date: dt.date | None = None  # of the session in progress
        self.total_costs = 0.0
        self.closed = False  # by the roll rule or by expiry, in the session in progress
        self.signal_values: dict[str, object] = {}
        self.session = Session(market, self.signal_values, self._whole(histories))
        self.feeds = self._make_feeds(histories, state)
        if state is not None:
            self._restore(state)
        self.roll_due = bool(state and state["roll_due"])
        self.reopening = bool(state and state["reopening"])
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

    def _make_feeds(self, histories: Mapping[str, History], state: State | None) -> list[Feed]:
        feeds = []
        for name, (label, signal) in self._ask(self.algorithm.signals).items():
            until = None
            if state is not None:
                saved = state["signals"][name]
                until = saved["until"]
                self._ask(signal.load, saved["state"])
            feeds.append(self._ask(Feed, name, signal, self._given(histories, label), until, self.signal_values))
        return feeds

    def _restore(self, state: State) -> None:
        if state.get("version") != STATE_VERSION:
            raise EngineError("the stored state is of another version: compute the series from its start")
        session = self.session
        holdings = {self.market.number(name): Holding(qty, cost, leg) for name, qty, cost, leg in state["holdings"]}
        session.position = Position(holdings, state["realised"])
        session.memory = state["memory"]
        session.last_trade = dt.date.fromisoformat(state["last_trade"]) if state["last_trade"] else None
        self.total_costs = state["costs"]

    def dump(self, date: dt.date) -> State:
        """All that the next session depends on, as JSON-able data."""
        session = self.session
        names = self.market.names
        return {
            "version": STATE_VERSION,
            "session": date.isoformat(),
            "realised": session.position.realised,
            "costs": self.total_costs,
            "roll_due": self.roll_due,
            "reopening": self.reopening,
            "holdings": [[names[c], h.qty, h.cost, h.leg] for c, h in session.position.holdings.items()],
            "memory": self._ask(values.plain, session.memory, "session.memory", STATE_LIMIT),
            "last_trade": session.last_trade.isoformat() if session.last_trade else None,
            "signals": {feed.name: self._ask(feed.dump) for feed in self.feeds},
        }

    def compute(self, begin: int, end: int) -> int:
        """Compute sessions from `begin` to before `end`, or as many as half a second takes; the next one to compute."""
        session, result = self.session, self.result
        deadline = time.monotonic() + SECONDS_BETWEEN_REPORTS
        for index in range(begin, end):
            if index > begin and time.monotonic() > deadline:
                return index
            session.start(index)
            self.date = session.date
            try:
                point = self._session(index)
            except Gap as gap:
                if session.undo():
                    self._position_changed()
                result.gaps.append((session.date, message(gap)))
            else:
                self.total_costs += point.costs
                result.points.append(point)
            if session.trades:
                result.trades.extend(session.trades)
            if session.warnings:
                result.warnings.extend((session.date, message) for message in session.warnings)
        return end

    def _session(self, index: int) -> PointRow:
        """One session. Raises Gap if it lacks data; what was settled before stays."""
        session, market = self.session, self.market
        day, memory = market.day_list[index], session.memory
        self.closed = False
        for feed in self.feeds:
            self._ask(feed.advance, day)
        if not market.has_data[index]:
            raise Gap("no market data")
        if day >= self.settle_day:
            self._settle(day)
        session.rolled = self.reopening
        if day >= self.roll_day or self.roll_due:
            self._roll()
        acted = self._act(memory)
        try:
            point = self._point()
        except Gap:
            session.memory = memory
            raise
        self.reopening = self.reopening and not acted
        return point

    def _act(self, memory: dict[str, object]) -> bool:
        """Call the hook; whether it did what it wanted. If it lacks data it is undone, and the session has a warning.
        Raises Gap where that makes the session a gap."""
        session = self.session
        session.memory = dict(memory)
        try:
            self._ask(self._call_hook, memory)
        except Gap as gap:
            session.undo()
            session.memory = memory
            if self.market.rules.legacy or (isinstance(gap, NothingActive) and not session.trades):
                raise
            hook = "manage" if session.position.holdings else "open"
            session.warn(f"could not {hook}: {message(gap)}")
            return False
        if session.trades:
            self._position_changed()
        return True

    def _settle(self, day: int) -> None:
        """Settle what has expired; what is left is due to be rolled."""
        session, expiries = self.session, self.market.expiries
        for contract in [contract for contract in session.position.holdings if expiries[contract] <= day]:
            session.settle(contract)
        session.book()
        self._position_changed()
        self.roll_due = bool(session.position.holdings)
        self.reopening = self.closed = True

    def _roll(self) -> None:
        """Close the whole position before something held expires."""
        session = self.session
        try:
            session.close("roll")
        except Gap as gap:
            raise gap if self.market.rules.legacy else Gap(f"could not roll: {message(gap)}") from gap
        session.rolled = self.closed = True
        if not self.market.rules.legacy:
            session.book()
            self._position_changed()
            self.roll_due, self.reopening = False, True

    def _ask(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Call what runs the author's code. Whatever that raises, but for a Gap, comes out as an AlgorithmError."""
        try:
            return function(*arguments, **named)
        except Gap:
            raise
        except BaseException as error:
            if failures.came_by_signal(error):
                raise
            raise failures.failure(self.algorithm, self.date, error) from error

    def _call_hook(self, before: dict[str, object]) -> None:
        """Let the strategy act, and check what it put into its memory, which was `before`."""
        algorithm, session = self.algorithm, self.session
        if session.position.holdings:
            algorithm.manage(session)
        else:
            self._require_active()
            algorithm.open(session)
        if not isinstance(session.memory, dict):
            raise EngineError(f"session.memory is a dict, and was replaced by {type(session.memory).__name__}")
        for name, value in session.memory.items():
            if name not in before or before[name] is not value:
                checked = values.plain({name: value}, "session.memory", STATE_LIMIT)
                session.memory[name] = checked[name]

    def _require_active(self) -> None:
        """Raise NothingActive if futures are quoted and the rollover rule may hold none of them."""
        market, session = self.market, self.session
        if market.rules.legacy or market.active(session.index)[0] is not None or not market.any_quoted(session.index):
            return
        rules = market.rules
        raise NothingActive(
            f"no future of {rules.symbol} may be held on {session.date}: none has more than "
            f"{rules.days_before_expiration} days to expiry and a month among {list(rules.rollover_months)}"
        )

    def _position_changed(self) -> None:
        """Work out what holds as long as the position does: who is held, when to roll, what is open."""
        market = self.market
        holdings = self.session.position.holdings
        rule = market.rules.days_before_expiration
        nearest = min((market.expiries[contract] for contract in holdings), default=1 << 40)
        self.roll_day = nearest - rule
        self.settle_day = 1 << 40 if market.rules.legacy else nearest
        self.futures_open, self.options_open = self._count((c, h.qty) for c, h in holdings.items())
        self.held: list[tuple[list[float], list[float], list[int], int, float, float, float, int]] = []
        self.held_until = 0

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
        gross = session.position.realised + open_value
        exo = gross - (self.total_costs + costs)
        if not (math.isfinite(exo) and math.isfinite(delta)):
            raise EngineError(
                f"{market.rules.symbol} on {session.date}: profit and loss or delta is not finite; "
                "the quantities, prices or tick values are too large"
            )
        return PointRow(
            session.date,
            exo,
            delta,
            int(self.closed),
            futures,
            self.futures_open,
            options,
            self.options_open,
            costs,
            min(stale, OLDEST),
            gross,
            session.columns or None,
        )

    def _executed(self) -> tuple[float, float, float]:
        """Quantities of futures and options traded, and the costs: those of what expired are none."""
        futures, options = self._count(self.session.traded)
        costs = futures * self.costs.future + options * self.costs.option
        if self.session.settled:
            settled_futures, settled_options = self._count(self.session.settled)
            futures, options = futures + settled_futures, options + settled_options
        return futures, options, costs
