"""The synthetic market: prices, volatilities and rates as tables of a market pack.

Everything is drawn from fixed seeds, a session from the sessions before it, so that the market is the
same on every machine and a later call only adds sessions: no value of an earlier one changes.
"""

import datetime as dt
from functools import lru_cache

import numpy as np
import pandas_market_calendars
import pyarrow as pa

from .products import MONTH_CODES, MONTHLY, PRODUCTS, DemoProduct, month_start

START = dt.date(2018, 1, 2)
CALENDAR = "NYSE"
TIMEZONE = "America/Chicago"
NEAREST = 4  # futures that have a bar on a session
OPTION_LIFE = 50  # days before expiry from which options are quoted
STRIKES = 14  # on each side of where the money has been during an option's life
YEAR = 252

Tables = dict[str, pa.Table]


def last_session(today: dt.date) -> dt.date:
    """The newest session of the demonstration market: the last one before `today`."""
    return pandas_market_calendars.get_calendar(CALENDAR).valid_days(
        today - dt.timedelta(days=14), today - dt.timedelta(days=1), tz=None
    )[-1].date()  # fmt: skip


def tables(until: dt.date) -> Tables:
    """A market pack of all demonstration products, from `START` to `until`."""
    parts = [product_tables(product, until) for product in PRODUCTS]
    pack = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
    return pack | {"riskfreerate": rates(until)}


def product_tables(product: DemoProduct, until: dt.date) -> Tables:
    """Everything of one product but the rates, which all share."""
    path = Path(product, until)
    futures = list_futures(product, path.days)
    bars, closes = price_futures(product, path, futures)
    return {
        "instruments": instrument(product),
        "contracts": contracts(product, futures, closes),
        "contracts_bars": bars,
        **price_options(product, path, futures, closes),
    }


def instrument(product: DemoProduct) -> pa.Table:
    codes = sorted({code for code, _ in product.option_expiries})
    row = {
        "exchangesymbol": product.symbol,
        "description": product.description,
        "exchange": "DEMO",
        "currency": "USD",
        "ticksize": product.ticksize,
        "tickvalue": product.tickvalue,
        "optionticksize": product.ticksize,
        "optiontickvalue": product.tickvalue,
        "optionstrikeincrement": product.strike_increment,
        "timezone": TIMEZONE,
        "decision_time": product.decision_time,
        "execution_time": "15:00",
        "pricing_model": "black76",
        "calendar": CALENDAR,
        "rollover_months": " ".join(map(str, product.months)),
        "days_before_expiration": 2,
        "option_codes": " ".join(f"^{code}$" for code in codes),
        "data_kind": "synthetic",
    }
    return pa.Table.from_pylist([row])


@lru_cache(maxsize=4)
def sessions(until: dt.date) -> np.ndarray:
    """Which weekdays from `START` to `until` are sessions, as booleans."""
    open_days = pandas_market_calendars.get_calendar(CALENDAR).valid_days(START, until, tz=None)
    return np.isin(weekdays(until), np.asarray(open_days, dtype="datetime64[D]"))


def weekdays(until: dt.date) -> np.ndarray:
    days = np.arange(np.datetime64(START), np.datetime64(until) + 1)
    return days[np.is_busday(days)]


class Path:
    """One product's spot price, slope of the term structure and volatility, by session.

    Draws are made for every weekday, holidays too, so that a session's draw depends on its date alone.
    """

    def __init__(self, product: DemoProduct, until: dt.date) -> None:
        days = weekdays(until)
        spot, slope, vol = self._walk(product, len(days))
        is_session = sessions(until)
        self.days = days[is_session]
        self.spot, self.slope, self.vol = spot[is_session], slope[is_session], vol[is_session]

    @staticmethod
    def _walk(product: DemoProduct, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shocks = np.random.default_rng(product.seed).standard_normal((count, 4))
        luck = np.random.default_rng(product.seed + 50_000).random((count, 2))
        spot, slope, vol = np.empty(count), np.empty(count), np.empty(count)
        log_price, log_vol, carry, stress = np.log(product.price), 0.0, product.carry, False
        anchor, step = log_price, 1 / YEAR
        for i in range(count):
            price_shock, own_shock, carry_shock, jump_shock = shocks[i]
            stress = luck[i, 0] < (0.985 if stress else 0.004)
            vol_shock = product.leverage * price_shock + np.sqrt(1 - product.leverage**2) * own_shock
            log_vol += 5.0 * ((0.65 if stress else 0.0) - log_vol) * step + 0.9 * np.sqrt(step) * vol_shock
            sigma = product.vol * np.exp(log_vol)
            log_price += (product.drift + product.pull * (anchor - log_price) - sigma**2 / 2) * step
            log_price += sigma * np.sqrt(step) * price_shock
            if luck[i, 1] < product.jumps * step:
                log_price += product.jump_mean + product.jump_size * jump_shock
                log_vol += 0.25
            carry += 1.5 * (product.carry - carry) * step + product.carry_vol * np.sqrt(step) * carry_shock
            spot[i], slope[i], vol[i] = np.exp(log_price), carry, sigma
        return spot, slope, vol


def list_futures(product: DemoProduct, days: np.ndarray) -> list[tuple[str, int, int, np.datetime64]]:
    """Name, year, month and expiry of each future from the first session to well past the last, by expiry."""
    last_year = days[-1].astype(object).year + 2
    return [
        (
            f"F.{product.symbol}{MONTH_CODES[month - 1]}{year % 100:02d}",
            year,
            month,
            np.datetime64(product.future_expiry(year, month)),
        )
        for year in range(START.year, last_year + 1)
        for month in product.months
        if product.future_expiry(year, month) > START
    ]


def price_futures(product: DemoProduct, path: Path, futures: list) -> tuple[pa.Table, np.ndarray]:
    """Bars of the nearest futures, and all closes as a table of (future, session), NaN where there is no bar."""
    expiries = np.array([expiry for *_, expiry in futures])
    nearest = np.searchsorted(expiries, path.days)  # the first that has not expired before the session
    position = np.arange(len(futures))[:, None]
    quoted = (position >= nearest) & (position < nearest + NEAREST)
    years = (expiries[:, None] - path.days[None, :]).astype(float) / 365
    bend = 0.8  # how fast the term structure flattens, so that far contracts stay near
    raw = path.spot * np.exp(path.slope * (1 - np.exp(-bend * years)) / bend)
    closes = np.where(quoted, np.round(np.round(raw / product.ticksize) * product.ticksize, 6), np.nan)
    # Volatilities count from the day after: the first session has them, and no bars, so that none is without.
    future, session = np.nonzero(quoted & (path.days > path.days[0]))
    bars = pa.table(
        {
            "contractname": pa.array([name for name, *_ in futures]).take(pa.array(future)),
            "datetime": pa.array(path.days[session], pa.date32()),
            "close": closes[future, session],
        }
    )
    return bars, closes


def contracts(product: DemoProduct, futures: list, closes: np.ndarray) -> pa.Table:
    """The futures that have a bar."""
    rows = [
        {
            "contractname": name,
            "exchangesymbol": product.symbol,
            "year": year,
            "monthint": month,
            "expirationdate": expiry.astype(object),
        }
        for (name, year, month, expiry), prices in zip(futures, closes, strict=True)
        if not np.isnan(prices).all()
    ]
    return pa.Table.from_pylist(rows)


def price_options(product: DemoProduct, path: Path, futures: list, closes: np.ndarray) -> Tables:
    """The tables `options` and `options_data`."""
    last = path.days[-1].astype(object)
    expiries = np.array([expiry for *_, expiry in futures])
    listed: list[pa.Table] = []
    records = []
    for year in range(START.year, last.year + 1 + 1):
        for month in MONTHLY:
            for code, expiry_in in product.option_expiries:
                expiry = np.datetime64(expiry_in(year, month))
                future = np.searchsorted(expiries, expiry)
                first, end = np.searchsorted(path.days, [expiry - OPTION_LIFE, expiry + 1])
                if expiry > path.days[0] and first < end and not np.isnan(closes[future, first:end]).any():
                    chain = Chain(product, futures[future][0], expiry, code)
                    records.append(chain.records(path, closes[future], first, end, sum(len(table) for table in listed)))
                    listed.append(chain.listed)
    names = pa.concat_tables(listed)
    option, day, vol = (np.concatenate(columns) for columns in zip(*records, strict=True))
    data = pa.table(
        {
            "optionname": names["optionname"].combine_chunks().take(pa.array(option)),
            "date": pa.array(day, pa.date32()),
            "impliedvol": vol,
        }
    )
    return {"options": names, "options_data": data}


class Chain:
    """The options of one future and expiry."""

    def __init__(self, product: DemoProduct, future: str, expiry: np.datetime64, code: str) -> None:
        self.product, self.future, self.expiry, self.code = product, future, expiry, code
        self.listed: pa.Table | None = None

    def records(self, path: Path, closes: np.ndarray, first: int, end: int, offset: int) -> tuple[np.ndarray, ...]:
        """Option number (from `offset`), date and volatility, for sessions `first` to `end` (not included).

        As on an exchange, strikes are added when the price comes near them and then stay to the end.
        """
        price = closes[first:end]
        money = np.round(price / self.product.strike_increment).astype(int)
        low, high = np.minimum.accumulate(money) - STRIKES, np.maximum.accumulate(money) + STRIKES
        steps = np.arange(max(low[-1], 1), high[-1] + 1)
        strikes = np.round(steps * self.product.strike_increment, 6)
        listed = (steps[:, None] >= low) & (steps[:, None] <= high)
        vols = self._smile(strikes[:, None], price, path.vol[first:end], path.days[first:end])
        strike, session = np.nonzero(listed)
        self.listed = self._list(strikes)
        days, vols = path.days[first:end][session], vols[strike, session]
        number = offset + strike
        return np.r_[number, number + len(strikes)], np.r_[days, days], np.r_[vols, vols]

    def _smile(self, strikes: np.ndarray, price: np.ndarray, vol: np.ndarray, days: np.ndarray) -> np.ndarray:
        product = self.product
        years = np.maximum((self.expiry - days).astype(float), 1.0) / 365
        calm = product.vol * 1.15
        weight = (1 - np.exp(-5 * years)) / (5 * years)
        at_the_money = 1.06 * (calm + (vol - calm) * weight)
        distance = 4 * np.tanh(np.log(strikes / price) / (at_the_money * np.sqrt(years)) / 4)
        return np.round(at_the_money * (1 + product.skew * distance + product.curve * distance**2), 4)

    def _list(self, strikes: np.ndarray) -> pa.Table:
        count = len(strikes)
        day = str(self.expiry).replace("-", "")[2:]
        stem = f"{self.future.removeprefix('F.')}{self.code}.{day}"
        return pa.table(
            {
                "optionname": [f"{right}.{stem}.{strike:g}" for right in "CP" for strike in strikes],
                "contractname": pa.repeat(self.future, 2 * count),
                "expirationdate": pa.array(np.repeat(self.expiry, 2 * count), pa.date32()),
                "strikeprice": np.r_[strikes, strikes],
                "callorput": ["C"] * count + ["P"] * count,
                "optioncode": pa.repeat(self.code, 2 * count),
            }
        )


def rates(until: dt.date) -> pa.Table:
    """The short rate: reviewed on the first of a month, in quarters of a per cent."""
    months: list[dt.date] = []
    while month_start(START.year, START.month, len(months) - 1) <= until:
        months.append(month_start(START.year, START.month, len(months) - 1))
    moves = np.random.default_rng(1100).choice([-0.0025, 0.0, 0.0025], size=len(months), p=[0.17, 0.64, 0.19])
    level, values = 0.0150, []
    for move in moves:
        level = min(max(level + move, 0.0025), 0.055)
        values.append(round(level, 4))
    return pa.table({"date": pa.array(months, pa.date32()), "rate": values})
