"""What the contracts of one product are worth at each session, by what was known at its decision time.

Contracts have one numbering: futures first, then options. Values of a contract come as a `Track`, a run of sessions
valued at once and kept, so that all series of a product share the work.
No method here reads a record that was not known at the decision time of the session asked for.
"""

import datetime as dt
from bisect import bisect_left

import numpy as np

from . import pricing
from .errors import EngineError, QuoteMissing
from .session_days import SECONDS_A_DAY, decision_second, effective_expiries, session_days
from .tables import Bars, Futures, Options, ProductRules, Rates, Vols
from .text import counted_days
from .track import OptionTerms, Track

NEVER = np.iinfo(np.int32).max
# Sessions that a contract is valued at a time once it should have been rolled.
PAST_ROLL = 8
# More than any day number: an option and a day make one sortable integer.
DAY_STRIDE = 1 << 20
CALL_ROW_PUT_ROW = np.array([[True], [False]])


class Quotes:
    """Quotes of one product. Read-only after construction.

    Attributes:
        rules: The product's terms and rules.
        dates: The sessions, ascending: the expected ones from the first to the last day with a bar. Legacy: the
            weekdays on which any future has a bar.
        sessions: The same as datetime64[D].
        days: The same as days since 1970-01-01; `day_list` has them as a list.
        has_data: Of each session, whether a future has a bar of that date at or before the decision time.
        names: Of all contracts, by number: futures first, then options.
        expiries: Of all contracts, by number, as days since 1970-01-01: the effective expiry, which is the last
            expected session on or before the expiration date. Legacy: the expiration date.
        futures_count: How many of the contracts are futures.
        rates: The risk-free rate of each session, a decimal fraction a year; nan where none is known.
    """

    def __init__(
        self,
        rules: ProductRules,
        futures: Futures,
        bars: Bars,
        options: Options,
        vols: Vols,
        rates: Rates,
        calendar: np.ndarray | None,
    ) -> None:
        if np.any(np.diff(futures.expiry) < 0):
            raise EngineError(f"{rules.symbol}: futures must come sorted by expiry")
        self.rules = rules
        self._futures, self._bars = futures, bars
        self._options, self._vols, self._rates, self._calendar = options, vols, rates, calendar
        self.futures_count = len(futures.name)
        self.names: list[str] = [*futures.name.tolist(), *options.name.tolist()]
        expirations = np.concatenate([futures.expiry, options.expiry])
        self.expiries: list[int] = effective_expiries(rules, expirations, calendar).tolist()
        self._decision_second = decision_second(rules)
        self._index_sessions(bars)
        self._index_bars(bars)
        self._index_options()
        self._tracks: dict[int, Track] = {}
        self._numbers: dict[str, int] | None = None

    def tables(self) -> tuple[Futures, Bars, Options, Vols, Rates, np.ndarray | None]:
        """What the quotes were made from: `Market(market.rules, *market.tables())` is the same market."""
        return self._futures, self._bars, self._options, self._vols, self._rates, self._calendar

    # -- construction ---------------------------------------------------------------------------------------

    def _index_sessions(self, bars: Bars) -> None:
        days, has_data, self._fresh_after = session_days(self.rules, bars, self._calendar)
        self.days = days
        self.has_data: list[bool] = has_data.tolist()
        self.day_list: list[int] = days.tolist()
        self.sessions = days.astype("datetime64[D]")
        self.dates: list[dt.date] = self.sessions.tolist()

    def _index_bars(self, bars: Bars) -> None:
        decision = self._decision_second
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
        self.first_vols = first
        self.first_vol: list[int] = first.tolist()
        # One sorted key for (option, day) answers "newest record before D" for many options at once.
        self._vol_key = vols.option.astype(np.int64) * DAY_STRIDE + vols.day
        newest = np.searchsorted(self._rates.day, self.days, side="left") - 1
        rate = np.full(len(self.days), np.nan)
        rate[newest >= 0] = self._rates.rate[newest[newest >= 0]]
        self.rates = rate
        self.has_rate: list[bool] = (~np.isnan(rate)).tolist()

    # -- contracts ------------------------------------------------------------------------------------------

    def number(self, name: str) -> int:
        """The number of a contract by name.

        Raises:
            EngineError: The market data has no such contract.
        """
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

    def option_terms(self, contract: int) -> OptionTerms:
        """The terms of an option."""
        row = contract - self.futures_count
        options = self._options
        return OptionTerms(
            future=int(options.future[row]),
            expiry=self.expiries[contract],
            strike=float(options.strike[row]),
            is_call=bool(options.is_call[row]),
        )

    # -- values ---------------------------------------------------------------------------------------------

    def track(self, contract: int, session: int) -> Track:
        """The contract's values over a run of sessions that includes `session`."""
        track = self._tracks.get(contract)
        if track is None or not track.start <= session < track.stop:
            build = self._future_track if contract < self.futures_count else self._option_track
            track = self._tracks[contract] = build(contract, session)
        return track

    def quote(self, contract: int, session: int) -> tuple[float, float]:
        """Price, in points, and delta of a contract at a session.

        Args:
            contract: Its number.
            session: The session's number, its place among `dates`.

        Raises:
            QuoteMissing: It has none; the message says what it lacks.
        """
        track = self.track(contract, session)
        at = session - track.start
        price = track.prices[at]
        if price != price:
            raise QuoteMissing(self.why_no_quote(contract, session))
        return price, track.deltas[at]

    def trade_price(self, contract: int, session: int) -> float:
        """The price, in points, at which a contract can be traded at a session: it rests on a bar of that session.

        Raises:
            QuoteMissing: It has none; the message says what it lacks.
        """
        price, _ = self.quote(contract, session)
        track = self._tracks[contract]
        if not track.fresh[session - track.start]:
            name, date = self.names[self._priced_by(contract)], self.dates[session]
            age = counted_days(track.ages[session - track.start])
            raise QuoteMissing(f"{name} has no bar of the session {date} to trade on: its last one is {age} old")
        return price

    def _priced_by(self, contract: int) -> int:
        """The future whose bars a contract's value rests on."""
        if contract < self.futures_count:
            return contract
        return self._underlyings[contract - self.futures_count]

    def settlement(self, contract: int) -> tuple[float, int]:
        """What a contract is worth when it expires: its payoff on the underlying's last bar at or before the decision
        time of its effective expiry, however old that is.

        Returns:
            The price in points, and the age of the bar in calendar days.

        Raises:
            QuoteMissing: There is no such bar.
        """
        future, expiry = self._priced_by(contract), self.expiries[contract]
        newest = self._newest_bar(future, expiry * SECONDS_A_DAY + self._decision_second)
        if newest is None:
            raise QuoteMissing(f"{self.names[contract]} cannot be settled: {self.names[future]} has no bar")
        price, age = float(self._bar_close[newest]), expiry - int(self._bar_day[newest])
        if contract == future:
            return price, age
        terms = self.option_terms(contract)
        return max(price - terms.strike if terms.is_call else terms.strike - price, 0.0), age

    def _newest_bar(self, future: int, instant: int) -> int | None:
        """Place of a future's last bar at or before a moment; None without one."""
        low, high = self._bar_bounds[future], self._bar_bounds[future + 1]
        bars = int(np.searchsorted(self._bar_instant[low:high], instant, side="right"))
        return low + bars - 1 if bars else None

    def any_quoted(self, session: int) -> bool:
        """Whether some future has a price at a session."""
        return any(
            track.prices[session - track.start] == track.prices[session - track.start]
            for track in (self.track(future, session) for future in range(self.futures_count))
        )

    def why_no_quote(self, contract: int, session: int) -> str:
        """What a contract lacks to be valued at a session, in words."""
        name, date = self.names[contract], self.dates[session]
        if not self.rules.legacy and self.expiries[contract] < self.day_list[session]:
            return f"{name} expired before {date}"
        if contract < self.futures_count:
            return self._why_no_bar(contract, session)
        terms = self.option_terms(contract)
        if self.first_vol[contract - self.futures_count] >= self.day_list[session]:
            return f"{name} has no implied volatility dated before {date}"
        if not self.has_rate[session]:
            return f"{name} cannot be valued on {date}: no risk-free rate dated before it"
        future = terms.future
        track = self.track(future, session)
        price = track.prices[session - track.start]
        for what, value in ((f"{self.names[future]} is at", price), ("its strike is", terms.strike)):
            if value <= 0:
                return (
                    f"{name} cannot be valued on {date}: {what} {value:g}, not above zero, and "
                    f"{self.rules.pricing_model} takes logarithms"
                )
        return f"{name} cannot be valued on {date}: {self.why_no_quote(future, session)}"

    def _why_no_bar(self, future: int, session: int) -> str:
        name, date = self.names[future], self.dates[session]
        newest = self._newest_bar(future, self._decisions[session])
        if newest is None:
            return f"{name} has no bar at or before the decision time of {date}"
        age = self.day_list[session] - int(self._bar_day[newest])
        limit = counted_days(self.rules.max_bar_age_days)
        return f"{name} has no bar on {date} that is at most {limit} old: its last one is {counted_days(age)} old"

    def _future_track(self, future: int, session: int) -> Track:
        """Close and age in days of the last bar at or before each decision time; nan where none counts."""
        stop = self._track_stop(self.expiries[future], session)
        low, high = self._bar_bounds[future], self._bar_bounds[future + 1]
        newest = np.searchsorted(self._bar_instant[low:high], self._decisions[session:stop], side="right") + (low - 1)
        if low == high:
            count = len(newest)
            return Track(session, stop, [np.nan] * count, [1.0] * count, [0] * count, [False] * count)
        days = self.days[session:stop]
        close, age = self._bar_close[newest], days - self._bar_day[newest]
        none = newest < low
        if self.rules.legacy:
            fresh = ~none
        else:
            fresh = ~none & (self._bar_instant[newest] > self._fresh_after[session:stop])
            none |= (age > self.rules.max_bar_age_days) | (days > self.expiries[future])
        close[none], age[none] = np.nan, 0
        return Track(session, stop, close.tolist(), [1.0] * len(close), age.tolist(), fresh.tolist())

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
        model, strikes, left = self.rules.pricing_model, self._options.strike[at], (expiry - days).astype(np.float64)
        value, delta = pricing.price_and_delta(
            model,
            self._options.is_call[at],
            pricing.in_domain(model, np.array(under.prices[window]), strikes, left),
            strikes,
            self._vols_before(at, days, min(rows), max(rows)),
            self.rates[session:stop],
            left,
            self.rules.dividend_yield,
        )
        if not self.rules.legacy and stop > session and days[-1] > expiry:
            value[:, days > expiry] = np.nan
        ages, fresh = under.ages[window], under.fresh[window]
        for row, values, deltas in zip(rows, value.tolist(), delta.tolist(), strict=True):
            self._tracks[row + self.futures_count] = Track(session, stop, values, deltas, ages, fresh)

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
        """The volatility that an option is valued with at a session, as its model has it; nan if it has none."""
        row = contract - self.futures_count
        return float(self._vols_before(np.array([row]), self.day_list[session], row, row)[0])

    def greeks(self, contract: int, session: int) -> pricing.Greeks[float]:
        """Price and sensitivities of a contract at a session; `pricing.Greeks` has the units.

        Raises:
            QuoteMissing: It has no quote.
        """
        price, _ = self.quote(contract, session)
        if self.is_future(contract):
            return pricing.Greeks(price, 1.0, 0.0, 0.0, 0.0)
        terms = self.option_terms(contract)
        greeks = pricing.greeks(
            self.rules.pricing_model,
            terms.is_call,
            self.future_price(terms.future, session),
            terms.strike,
            self.volatility(contract, session),
            self.rates[session],
            terms.expiry - self.day_list[session],
            self.rules.dividend_yield,
        )
        return pricing.Greeks(*map(float, greeks))

    def deltas_by_strike(
        self, future: int, expiry: int, rows: np.ndarray, strikes: np.ndarray, session: int, span: tuple[int, int]
    ) -> np.ndarray:
        """Deltas at a session of options on one future with one expiry.

        Args:
            future: The number of the future under them.
            expiry: As days since 1970-01-01.
            rows: Their rows in Options, shape (2, strikes), calls above puts; -1 where none is listed.
            strikes: In points, shape (strikes,).
            session: The session's number.
            span: A lowest and a highest row that enclose them all.

        Returns:
            Deltas, shape (2, strikes); nan where there is no quote.
        """
        day, model = self.day_list[session], self.rules.pricing_model
        return pricing.delta(
            model,
            CALL_ROW_PUT_ROW,
            pricing.in_domain(model, self.future_price(future, session), strikes, expiry - day),
            strikes,
            self._vols_before(rows, day, *span),
            self.rates[session],
            expiry - day,
            self.rules.dividend_yield,
        )

    def future_price(self, future: int, session: int) -> float:
        """The future's price at a session, in points.

        Raises:
            QuoteMissing: It has none.
        """
        return self.quote(future, session)[0]
