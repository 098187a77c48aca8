"""Small markets for the engine's tests: written down contract by contract, or made at random from a seed.

Rules are legacy unless a test says otherwise; `standard(...)` is a draft under standard ones.

draft = Draft(days_before_expiration=2)
draft.future("FH", "2020-03-20").bars("FH", {"2020-01-06": 100.0, "2020-01-07": 101.0})
draft.chain("FH", "2020-02-21", [95, 100, 105], vol=0.2)
market = draft.market()
"""

import datetime as dt
from collections.abc import Iterable, Mapping

import numpy as np
from hypothesis import strategies as st

from algorithms.engine import Algorithm, History, Result, run
from algorithms.engine.market import Market
from algorithms.engine.tables import Bars, Futures, Options, ProductRules, Rates, Vols, day_number

LONG_AGO = "2000-01-03"
RULES = {
    "conventions": "legacy",
    "symbol": "XX",
    "point_value": 50.0,
    "option_point_value": 100.0,
    "decision_time": dt.time(14, 45),
    "pricing_model": "black76",
    "rollover_months": tuple(range(1, 13)),
    "days_before_expiration": 2,
}


def day(text: str | dt.date) -> dt.date:
    return dt.date.fromisoformat(text) if isinstance(text, str) else text


def weekdays(first: str | dt.date, count: int) -> list[dt.date]:
    """`count` weekdays from `first` on."""
    days, date = [], day(first)
    while len(days) < count:
        if date.weekday() < 5:
            days.append(date)
        date += dt.timedelta(days=1)
    return days


class Draft:
    """A market being written down. Rules are a plain product's unless given; a rate of zero is known from long ago."""

    def __init__(self, rate: float | None = 0.0, **rules: object):
        self.rules = ProductRules(**(RULES | rules))
        self._calendar: list[dt.date] | None = None
        self._futures: dict[str, tuple[dt.date, int]] = {}
        self._bars: list[tuple[str, dt.date, int, float]] = []
        self._options: dict[str, tuple[str, dt.date, float, bool, str]] = {}
        self._vols: list[tuple[str, dt.date, float]] = []
        self._rates: list[tuple[dt.date, float]] = [] if rate is None else [(day(LONG_AGO), rate)]

    def trading_days(self, first: str | dt.date, last: str | dt.date, *closed: str) -> "Draft":
        """An exchange's calendar: the weekdays from `first` to `last` that are not closed."""
        days = weekdays(first, (day(last) - day(first)).days + 1)
        self._calendar = [date for date in days if date <= day(last) and str(date) not in closed]
        return self

    def future(self, name: str, expiry: str | dt.date, month: int | None = None) -> "Draft":
        self._futures[name] = (day(expiry), day(expiry).month if month is None else month)
        return self

    def bar(self, future: str, when: str | dt.date, close: float, time: str | None = None) -> "Draft":
        """A bar: of a date, or of a local time (HH:MM or HH:MM:SS) on it."""
        clock = dt.time.fromisoformat(time) if time else None
        second = -1 if clock is None else clock.hour * 3600 + clock.minute * 60 + clock.second
        self._bars.append((future, day(when), second, close))
        return self

    def bars(self, future: str, closes: Mapping[str | dt.date, float]) -> "Draft":
        for when, close in closes.items():
            self.bar(future, when, close)
        return self

    def option(
        self, name: str, future: str, expiry, strike: float, right: str, *, vol: float | None = None, code: str = ""
    ) -> "Draft":
        self._options[name] = (future, day(expiry), float(strike), right == "C", code)
        return self if vol is None else self.vol(name, LONG_AGO, vol)

    def chain(
        self, future: str, expiry, strikes: Iterable[float], *, vol: float | None = 0.2, code: str = ""
    ) -> "Draft":
        """A call and a put, named C.FUTURE.STRIKE and P.FUTURE.STRIKE (with the code after C and P), at each strike."""
        for strike in strikes:
            for right in "CP":
                self.option(f"{right}{code}.{future}.{strike:g}", future, expiry, strike, right, vol=vol, code=code)
        return self

    def vol(self, option: str, when: str | dt.date, vol: float) -> "Draft":
        self._vols.append((option, day(when), vol))
        return self

    def unquote(self, *options: str) -> "Draft":
        """Take all volatilities of some options away."""
        self._vols = [row for row in self._vols if row[0] not in options]
        return self

    def rate(self, when: str | dt.date, rate: float) -> "Draft":
        self._rates.append((day(when), rate))
        return self

    def market(self) -> Market:
        ranked = sorted(self._futures, key=lambda name: self._futures[name][0])
        number = {name: at for at, name in enumerate(ranked)}
        expiries = [self._futures[name][0] for name in ranked]
        futures = Futures(
            np.array(ranked, object),
            np.array([date.year for date in expiries], np.int32),
            np.array([self._futures[name][1] for name in ranked], np.int32),
            _days(expiries),
        )
        bars = Bars(
            np.array([number[row[0]] for row in self._bars], np.int32),
            _days(row[1] for row in self._bars),
            np.array([row[2] for row in self._bars], np.int32),
            np.array([row[3] for row in self._bars], np.float64),
        )
        terms = list(self._options.values())
        options = Options(
            np.array(list(self._options), object),
            np.array([number[term[0]] for term in terms], np.int32),
            _days(term[1] for term in terms),
            np.array([term[2] for term in terms], np.float64),
            np.array([term[3] for term in terms], bool),
            np.array([term[4] for term in terms], object),
        )
        row = {name: at for at, name in enumerate(self._options)}
        vols = sorted((row[name], day_number(date), vol) for name, date, vol in self._vols)
        rates = sorted((day_number(date), rate) for date, rate in self._rates)
        return Market(
            self.rules,
            futures,
            bars,
            options,
            Vols(
                np.array([v[0] for v in vols], np.int32),
                np.array([v[1] for v in vols], np.int32),
                np.array([v[2] for v in vols], np.float64),
            ),
            Rates(np.array([r[0] for r in rates], np.int32), np.array([r[1] for r in rates], np.float64)),
            None if self._calendar is None else _days(self._calendar).astype(np.int64),
        )


def standard(**rules: object) -> Draft:
    """A draft under standard conventions."""
    return Draft(**({"conventions": "standard"} | rules))


def _days(dates: Iterable[dt.date]) -> np.ndarray:
    return np.array([day_number(date) for date in dates], np.int32)


def random_market(
    seed: int,
    *,
    sessions: int = 45,
    model: str = "black76",
    holes: float = 0.05,
    strikes: int = 6,
    calendar: bool = False,
    **rules: object,
) -> Market:
    """A market made from a seed: monthly futures with one or two chains each, random walk prices.

    `holes` is the share of quotes left out: bars (an old one counts, or none), options never quoted or quoted late,
    whole sessions, and intraday bars before and after the decision time among the dated ones. `calendar`: there is one,
    which expects all weekdays but some.
    """
    rng = np.random.default_rng(seed)
    draft = Draft(rate=None, pricing_model=model, **({"cost_future": 2.5, "cost_option": 1.25} | rules))
    dates = weekdays("2020-01-02", sessions)
    expiries = [date for date in weekdays("2020-01-10", sessions + 60) if date.weekday() == 4 and 15 <= date.day <= 21]
    spot = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.015, sessions)))
    for date in [dates[0] - dt.timedelta(days=3), *dates]:
        if rng.random() < 0.2 or date < dates[0]:
            draft.rate(date, round(float(rng.uniform(-0.002, 0.05)), 4))
    if calendar:
        holidays = [str(date) for date in weekdays("2020-01-02", 400) if date.toordinal() % 17 == seed % 17]
        draft.trading_days("2019-12-02", "2021-06-30", *holidays)
    closed = set(rng.random(sessions).argsort()[: int(holes * sessions)].tolist())
    for at, expiry in enumerate(expiries):
        name = f"F{at}"
        draft.future(name, expiry)
        for index, date in enumerate(dates):
            if index in closed or date > expiry or rng.random() < holes:
                continue
            close = round(float(spot[index] * (1 + 0.002 * at)), 2)
            if rng.random() < 0.2:
                draft.bar(name, date, close, "14:30").bar(name, date, close * 1.07, "15:30")
            else:
                draft.bar(name, date, close)
        for code in ("", "W") if rng.random() < 0.5 else ("",):
            _random_chain(draft, rng, name, expiry - dt.timedelta(days=7 * len(code)), dates, holes, strikes, code)
    return draft.market()


def _random_chain(draft: Draft, rng, name: str, expiry: dt.date, dates, holes: float, strikes: int, code: str) -> None:
    unit = 100.0 if draft.rules.pricing_model == "bachelier" else 1.0  # points, where prices are about 100
    for strike in range(100 - 3 * strikes, 101 + 3 * strikes, 3):
        for right in "CP":
            option = f"{right}{code}.{name}.{strike}"
            draft.option(option, name, expiry, strike, right, code=code)
            if rng.random() < holes:
                continue
            begin = int(rng.integers(0, 20)) if rng.random() < 2 * holes else 0
            for date in [dates[0] - dt.timedelta(days=2), *dates][begin:]:
                if date <= expiry and rng.random() < 0.5:
                    draft.vol(option, date, round(unit * float(rng.uniform(0.1, 0.5)), 4))


def random_markets(**fixed: object) -> st.SearchStrategy[Market]:
    """Random markets; `fixed` pins arguments of `random_market`."""
    drawn = {
        "seed": st.integers(0, 2**32 - 1),
        "sessions": st.integers(2, 60),
        "model": st.sampled_from(["black76", "black_scholes", "bachelier"]),
        "holes": st.sampled_from([0.0, 0.02, 0.1, 0.3]),
        "days_before_expiration": st.integers(0, 6),
        "option_codes": st.sampled_from([(), ("^$",), ("W",), ("^$", "^W$")]),
        "rollover_months": st.sampled_from([tuple(range(1, 13)), (3, 6, 9, 12), (1, 2, 4, 5)]),
        "futures_limit": st.integers(1, 4),
        "strikes_limit": st.sampled_from([3, 20]),
        "strikes": st.sampled_from([6, 11]),
        "conventions": st.sampled_from(["standard", "legacy"]),
        "calendar": st.booleans(),
        "max_bar_age_days": st.sampled_from([0, 3]),
    }
    pinned = {name: st.just(value) for name, value in fixed.items()}
    return st.builds(random_market, **(drawn | pinned))


def history(result: Result) -> History:
    """The points of a series, as those that read it get them (legacy ones get `exo`)."""
    return History(
        np.array([point.date for point in result.points], "datetime64[D]"),
        np.array([point.gross for point in result.points], np.float64),
    )


class Script(Algorithm):
    """Does at each date what a test wrote down for it: a function of the session, called when flat and when not."""

    def __init__(self, steps: Mapping[str | dt.date, object] | None = None, *, columns: tuple[str, ...] = ()):
        super().__init__()
        self.steps = {day(date): step for date, step in (steps or {}).items()}
        self.columns = columns

    def open(self, session) -> None:
        step = self.steps.get(session.date)
        if step is not None:
            step(session)

    manage = open


def buy(name: str, qty: float = 1.0, **kwargs: object):
    """A step that trades one contract by its name."""
    return lambda session: session.trade(session.market.number(name), qty, **kwargs)


def play(market: Market, steps: Mapping[str | dt.date, object] | None = None, **kwargs: object) -> Result:
    return run(Script(steps), market, **kwargs)
