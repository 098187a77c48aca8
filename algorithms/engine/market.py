"""The market of one product, as columns: what was quoted, and what an algorithm could know at each session.

Read-only after construction. Contracts have one numbering: futures first, then options. Values of a contract
come as a `Track`, a run of sessions valued at once and kept, so that all series of a product share the work.
No method here reads a record that was not known at the decision time of the session asked for.
"""

import datetime as dt
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from . import pricing
from .chain import Chain, ChainView
from .errors import EngineError, QuoteMissing
from .tables import NO_OPTIONS, NO_RATES, NO_VOLS, Bars, Futures, Options, ProductRules, Rates, Vols

SECONDS_A_DAY = 86_400
EPOCH = dt.date(1970, 1, 1)
NEVER = np.iinfo(np.int32).max
# Sessions that a contract is valued at a time once it should have been rolled.
PAST_ROLL = 8
# More than any day number: an option and a day make one sortable integer.
DAY_STRIDE = 1 << 20
CALL_ROW_PUT_ROW = np.array([[True], [False]])


def day_number(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return (date - EPOCH).days


@dataclass(slots=True)
class Track:
    """One contract valued at the sessions [start, stop); nan where it has no quote.

    ages: days between the session and the futures bar that the value rests on.
    """

    start: int
    stop: int
    prices: list[float]
    deltas: list[float]
    ages: list[int]


class Market:
    """Quotes of one product.

    Attributes: `rules`; `dates`, the sessions as datetime.date, ascending: the weekdays on which any future has
    a bar; `sessions`, the same as datetime64[D]; `names` of all contracts by number.
    """

    def __init__(
        self,
        rules: ProductRules,
        futures: Futures,
        bars: Bars,
        options: Options = NO_OPTIONS,
        vols: Vols = NO_VOLS,
        rates: Rates = NO_RATES,
    ):
        if np.any(np.diff(futures.expiry) < 0):
            raise EngineError(f"{rules.symbol}: futures must come sorted by expiry")
        self.rules = rules
        self._futures, self._bars = futures, bars
        self._options, self._vols, self._rates = options, vols, rates
        self.futures_count = len(futures.name)
        self.names: list[str] = [*futures.name.tolist(), *options.name.tolist()]
        self.expiries: list[int] = [*futures.expiry.tolist(), *options.expiry.tolist()]
        self._months: list[int] = futures.month.tolist()
        self._index_sessions(bars)
        self._index_bars(bars)
        self._index_options()
        self._tracks: dict[int, Track] = {}
        self._views: dict[int, ChainView] = {}
        self._active: dict[int, tuple[int | None, Chain | None]] = {}
        self._codes_matched: dict[str, bool] = {}
        self._numbers: dict[str, int] | None = None

    def tables(self) -> tuple[Futures, Bars, Options, Vols, Rates]:
        """What the market was made from: `Market(market.rules, *market.tables())` is the same market."""
        return self._futures, self._bars, self._options, self._vols, self._rates

    # -- construction ---------------------------------------------------------------------------------------

    def _index_sessions(self, bars: Bars) -> None:
        days = np.unique(bars.day)
        days = days[(days + 3) % 7 < 5]  # 1970-01-01 was a Thursday, the fourth weekday
        self.days = days.astype(np.int64)
        self.day_list: list[int] = self.days.tolist()
        self.sessions = self.days.astype("datetime64[D]")
        self.dates: list[dt.date] = self.sessions.tolist()

    def _index_bars(self, bars: Bars) -> None:
        time = self.rules.decision_time
        decision = time.hour * 3600 + time.minute * 60 + time.second
        dated = bars.second < 0
        instant = bars.day.astype(np.int64) * SECONDS_A_DAY + np.where(dated, decision, bars.second)
        order = np.lexsort((dated, instant, bars.future))  # at one instant the session's own bar comes last
        self._bar_instant, self._bar_close = instant[order], bars.close[order]
        self._bar_day = bars.day[order].astype(np.int64)
        self._bar_bounds: list[int] = np.searchsorted(bars.future[order], np.arange(self.futures_count + 1)).tolist()
        self._decisions = self.days * SECONDS_A_DAY + decision

    def _index_options(self) -> None:
        options, vols = self._options, self._vols
        count = len(options.name)
        self._underlyings: list[int] = options.future.tolist()
        self._vol_bounds = np.searchsorted(vols.option, np.arange(count + 1))
        first = np.full(count, NEVER, np.int64)
        quoted = self._vol_bounds[:-1] < self._vol_bounds[1:]
        first[quoted] = vols.day[self._vol_bounds[:-1][quoted]]
        self.first_vol: list[int] = first.tolist()
        # One sorted key for (option, day) answers "newest record before D" for many options at once.
        self._vol_key = vols.option.astype(np.int64) * DAY_STRIDE + vols.day
        newest = np.searchsorted(self._rates.day, self.days, side="left") - 1
        rate = np.full(len(self.days), np.nan)
        rate[newest >= 0] = self._rates.rate[newest[newest >= 0]]
        self.rates = rate
        self.has_rate: list[bool] = (~np.isnan(rate)).tolist()
        self._chains = self._group_chains()

    def _group_chains(self) -> dict[int, list[Chain]]:
        """Chains of each future, by expiry."""
        options = self._options
        order = np.lexsort((options.strike, options.expiry, options.future))
        chains: dict[int, list[Chain]] = {}
        if not len(order):
            return chains
        future, expiry = options.future[order], options.expiry[order]
        edges = np.flatnonzero((np.diff(future) != 0) | (np.diff(expiry) != 0)) + 1
        for members in np.split(order, edges):
            chain = Chain(self, members, options)
            chains.setdefault(chain.future, []).append(chain)
        return chains

    # -- contracts ------------------------------------------------------------------------------------------

    def number(self, name: str) -> int:
        """The number of a contract by name. Raises EngineError if the market data has no such contract."""
        if self._numbers is None:
            self._numbers = {name: number for number, name in enumerate(self.names)}
        try:
            return self._numbers[name]
        except KeyError:
            raise EngineError(
                f"{self.rules.symbol}: contract {name} is held but is not in the market data; import it again, "
                "or compute the series from its start"
            ) from None

    def is_future(self, contract: int) -> bool:
        return contract < self.futures_count

    def point_value(self, contract: int) -> float:
        return self.rules.point_value if contract < self.futures_count else self.rules.option_point_value

    def option_terms(self, contract: int) -> Mapping[str, object]:
        """Underlying future (number), expiry (day), strike and right of an option."""
        row = contract - self.futures_count
        options = self._options
        return {
            "future": int(options.future[row]),
            "expiry": int(options.expiry[row]),
            "strike": float(options.strike[row]),
            "is_call": bool(options.is_call[row]),
        }

    # -- values ---------------------------------------------------------------------------------------------

    def track(self, contract: int, session: int) -> Track:
        """The contract's values over a run of sessions that includes `session`."""
        track = self._tracks.get(contract)
        if track is None or not track.start <= session < track.stop:
            build = self._future_track if contract < self.futures_count else self._option_track
            track = self._tracks[contract] = build(contract, session)
        return track

    def quote(self, contract: int, session: int) -> tuple[float, float]:
        """Price and delta of a contract at a session. Raises QuoteMissing if it has none."""
        track = self.track(contract, session)
        at = session - track.start
        price = track.prices[at]
        if price != price:
            raise QuoteMissing(self.why_no_quote(contract, session))
        return price, track.deltas[at]

    def why_no_quote(self, contract: int, session: int) -> str:
        """What a contract lacks to be valued at a session, in words."""
        name, date = self.names[contract], self.dates[session]
        if contract < self.futures_count:
            return f"{name} has no bar at or before the decision time of {date}"
        terms = self.option_terms(contract)
        if self.first_vol[contract - self.futures_count] >= self.day_list[session]:
            return f"{name} has no implied volatility dated before {date}"
        if not self.has_rate[session]:
            return f"{name} cannot be valued on {date}: no risk-free rate dated before it"
        future = terms["future"]
        track = self.track(future, session)
        price = track.prices[session - track.start]
        if price <= 0:
            return f"{name} cannot be valued on {date}: {self.names[future]} is at {price:g}, not above zero"
        return f"{name} cannot be valued on {date}: {self.why_no_quote(future, session)}"

    def _future_track(self, future: int, session: int) -> Track:
        """Close and age in days of the last bar at or before each decision time; nan where there is none."""
        stop = self._track_stop(self.expiries[future], session)
        low, high = self._bar_bounds[future], self._bar_bounds[future + 1]
        newest = np.searchsorted(self._bar_instant[low:high], self._decisions[session:stop], side="right") + (low - 1)
        close, age = self._bar_close[newest], self.days[session:stop] - self._bar_day[newest]
        close[newest < low], age[newest < low] = np.nan, 0
        return Track(session, stop, close.tolist(), [1.0] * len(close), age.tolist())

    def _track_stop(self, expiry: int, session: int) -> int:
        """Where a track from `session` on ends: with the session that rolls the contract, or a little further if that
        is past: gaps may keep a position beyond it."""
        rolls = bisect_left(self.day_list, expiry - self.rules.days_before_expiration)
        return min(len(self.days), max(rolls + 1, session + PAST_ROLL))

    def _option_track(self, contract: int, session: int) -> Track:
        self.value_together([contract], session)
        return self._tracks[contract]

    def value_together(self, contracts: list[int], session: int) -> None:
        """Value options that will be held from `session` on in one pass: what `track` would do one by one."""
        chains: dict[tuple[int, int], list[int]] = {}
        for contract in contracts:
            if contract >= self.futures_count and not self._is_tracked(contract, session):
                row = contract - self.futures_count
                chains.setdefault((self._underlyings[row], self.expiries[contract]), []).append(row)
        for (future, expiry), rows in chains.items():
            self._track_options(future, expiry, rows, session)

    def _is_tracked(self, contract: int, session: int) -> bool:
        track = self._tracks.get(contract)
        return track is not None and track.start <= session < track.stop

    def _track_options(self, future: int, expiry: int, rows: list[int], session: int) -> None:
        """Value options of one chain (rows of Options) from `session` on."""
        under = self.track(future, session)
        stop = min(self._track_stop(expiry, session), under.stop)
        window = slice(session - under.start, stop - under.start)
        days, at = self.days[session:stop], np.array(rows)[:, None]
        value, delta = pricing.price_and_delta(
            self.rules.pricing_model,
            self._options.is_call[at],
            np.array(under.prices[window]),
            self._options.strike[at],
            self._vols_before(at, days, min(rows), max(rows)),
            self.rates[session:stop],
            expiry - days,
        )
        ages = under.ages[window]
        for row, values, deltas in zip(rows, value.tolist(), delta.tolist(), strict=True):
            self._tracks[row + self.futures_count] = Track(session, stop, values, deltas, ages)

    def _vols_before(self, rows: np.ndarray, days: np.ndarray | int, first: int, last: int) -> np.ndarray:
        """Newest volatility of each option dated strictly before its day; nan where there is none, or for row -1.

        first, last: the lowest and the highest row; looking among their records alone spares far memory.
        """
        low, high = self._vol_bounds[first], self._vol_bounds[last + 1]
        if low == high:
            return np.full(np.broadcast_shapes(rows.shape, np.shape(days)), np.nan)
        at = np.searchsorted(self._vol_key[low:high], rows * DAY_STRIDE + days) + (low - 1)
        return np.where(at >= self._vol_bounds[rows], self._vols.vol[at], np.nan)

    def volatility(self, contract: int, session: int) -> float:
        """The volatility that an option is valued with at a session; nan if it has none."""
        row = contract - self.futures_count
        return float(self._vols_before(np.array([row]), self.day_list[session], row, row)[0])

    def greeks(self, contract: int, session: int) -> pricing.Greeks:
        """Price and sensitivities of a contract at a session. Raises QuoteMissing if it has no quote."""
        price, _ = self.quote(contract, session)
        if self.is_future(contract):
            return pricing.Greeks(price, 1.0, 0.0, 0.0, 0.0)
        terms = self.option_terms(contract)
        found = pricing.greeks(
            self.rules.pricing_model,
            terms["is_call"],
            self.future_price(terms["future"], session),
            terms["strike"],
            self.volatility(contract, session),
            self.rates[session],
            terms["expiry"] - self.day_list[session],
        )
        return pricing.Greeks(*map(float, found))

    def chain_deltas(self, chain: Chain, rows: np.ndarray, strikes: np.ndarray, session: int) -> np.ndarray:
        """Deltas at a session of a chain's calls and puts: two rows of Options' rows; nan where there is no quote."""
        day = self.day_list[session]
        return pricing.delta(
            self.rules.pricing_model,
            CALL_ROW_PUT_ROW,
            self.future_price(chain.future, session),
            strikes,
            self._vols_before(rows, day, chain.first_row, chain.last_row),
            self.rates[session],
            chain.expiry - day,
        )

    def future_price(self, future: int, session: int) -> float:
        """The future's price at a session. Raises QuoteMissing if it has none."""
        return self.quote(future, session)[0]

    # -- rollover rule --------------------------------------------------------------------------------------

    def active(self, session: int) -> tuple[int | None, Chain | None]:
        """The active future and chain at a session (DESIGN: active future and chain)."""
        pair = self._active.get(session)
        if pair is None:
            pair = self._active[session] = self._find_active(session)
        return pair

    def nearest_futures(self, session: int) -> range:
        """Futures that expire after a session, nearest first, as many as are looked at."""
        nearest = bisect_right(self.expiries, self.day_list[session], hi=self.futures_count)
        return range(nearest, min(nearest + self.rules.futures_limit, self.futures_count))

    def _find_active(self, session: int) -> tuple[int | None, Chain | None]:
        rules, today = self.rules, self.day_list[session]
        eligible = [
            future
            for future in self.nearest_futures(session)
            if self.expiries[future] - today > rules.days_before_expiration
            and self._months[future] in rules.rollover_months
        ]
        for future in eligible[:2]:
            for chain in self._chains.get(future, ()):
                if chain.expiry - today > rules.days_before_expiration and self._code_matches(chain):
                    return future, chain
        return (eligible[0] if eligible else None), None

    def active_chain(self, session: int) -> ChainView | None:
        """The active chain as known at a session, None if there is none. Raises a Gap if it cannot be looked at."""
        view = self._views.get(session)
        if view is None:
            chain = self.active(session)[1]
            if chain is None:
                return None
            view = self._views[session] = chain.at(session)
        return view

    def _code_matches(self, chain: Chain) -> bool:
        codes, code = self.rules.option_codes, chain.code
        if code not in self._codes_matched:
            self._codes_matched[code] = not codes or any(re.fullmatch(pattern, code) for pattern in codes)
        return self._codes_matched[code]

    def chains(self, future: int) -> list[Chain]:
        """All chains of a future, by expiry."""
        return self._chains.get(future, [])
