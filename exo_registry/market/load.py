"""From the store to the engine: a product's market, its sessions, its newest bar."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from algorithms.engine.market import Market
from algorithms.engine.session_days import session_days
from algorithms.engine.tables import EPOCH, NO_OPTIONS, Bars, Futures, Options, ProductRules, Rates, Vols
from exo_registry.failures import MarketDataError
from exo_registry.models import Product

from .calendars import expected_days
from .records import NOWHEN, local_clock
from .references import plain
from .store import Snapshot
from .upsert import codes_in, numpy_of

BEFORE = dt.timedelta(days=14)  # the session before the first one is within it
DATE_BAR = -1
DAY_BITS = 24
RECENT = dt.timedelta(days=14)  # two sessions are usually within it


def rules(product: Product) -> ProductRules:
    """A product's terms and rules as the engine takes them."""
    return ProductRules(
        symbol=product.exchangesymbol,
        currency=product.currency,
        point_value=product.point_value,
        option_point_value=product.option_point_value,
        decision_time=product.decision_time,
        pricing_model=str(product.pricing_model),
        dividend_yield=product.dividend_yield,
        rollover_months=tuple(product.rollover_months),
        days_before_expiration=product.days_before_expiration,
        option_codes=tuple(product.option_codes),
        futures_limit=product.futures_limit,
        strikes_limit=product.strikes_limit,
        cost_future=product.cost_future,
        cost_option=product.cost_option,
        conventions=str(product.conventions),
        max_bar_age_days=product.max_bar_age_days,
        calendar=product.calendar,
    )


def load_market(product: Product, *, since: dt.date | None = None, also: Iterable[str] = ()) -> Market:
    """The market of a product.

    since: enough to value sessions from this date on, to the same last bit as everything would: contracts that expire
    on it or later, with all their records, and those named in `also` (held past their expiry). The contracts that are
    long gone are not read. Raises MarketDataError if the product has no market data.
    """
    symbol = product.exchangesymbol
    snapshot = Snapshot.of(symbol)
    if not snapshot.symbols:
        raise MarketDataError(f"{symbol} has no market data; load it with: manage.py importmarket FOLDER")
    futures, options = _contracts(snapshot, symbol, since, pa.array(list(also), pa.string()))
    names = futures["contractname"].combine_chunks()
    bars = _bars(snapshot, symbol, futures, product.timezone)
    expirations = [numpy_of(table["expirationdate"]) for table in (futures, options)]
    return Market(
        rules(product),
        _futures(futures),
        bars,
        _options(options, names),
        _vols(snapshot, symbol, options),
        _rates(snapshot, symbol, since),
        _calendar(product, bars.day, *expirations),
    )


def load_futures(product: Product, *, with_options: bool = False) -> Market:
    """The product's futures and their bars alone: no rates, and no options, or options without volatilities.

    Raises MarketDataError without market data.
    """
    symbol = product.exchangesymbol
    snapshot = Snapshot.of(symbol)
    if not snapshot.symbols:
        raise MarketDataError(f"{symbol} has no market data; load it with: manage.py importmarket FOLDER")
    if with_options:
        futures, options = _contracts(snapshot, symbol, None, pa.array([], pa.string()))
        table = _options(options, futures["contractname"].combine_chunks())
    else:
        futures, table = futures_of(snapshot, symbol), NO_OPTIONS
    bars = _bars(snapshot, symbol, futures, product.timezone)
    calendar = _calendar(product, bars.day, numpy_of(futures["expirationdate"]), table.expiry)
    return Market(rules(product), _futures(futures), bars, table, calendar=calendar)


def _calendar(product: Product, *days: np.ndarray) -> np.ndarray | None:
    """The exchange's days over all of `days`, and some before."""
    every = np.concatenate(days)
    if not len(every):
        return None
    first, last = (EPOCH + dt.timedelta(days=int(day)) for day in (every.min(), every.max()))
    return expected_days(product, first - BEFORE, last)


def _futures(futures: pa.Table) -> Futures:
    return Futures(
        _objects(futures["contractname"]),
        futures["year"].to_numpy(),
        futures["monthint"].to_numpy(),
        numpy_of(futures["expirationdate"]),
    )


def _options(options: pa.Table, futures: pa.Array) -> Options:
    """Options as the engine takes them; `futures`: the names of the futures, in their order."""
    return Options(
        _objects(options["optionname"]),
        codes_in(options["contractname"], futures),
        numpy_of(options["expirationdate"]),
        options["strikeprice"].to_numpy(),
        pc.equal(options["callorput"], "C").to_numpy(),
        _objects(options["optioncode"]),
    )


def _objects(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), object)


def _contracts(snapshot: Snapshot, symbol: str, since: dt.date | None, also: pa.Array) -> tuple[pa.Table, pa.Table]:
    """The futures and options to load, each sorted by expiry."""
    futures = futures_of(snapshot, symbol)
    options = plain(snapshot.read("options", symbol=symbol, since=since and since.year))
    if since is not None:
        options = pa.concat_tables([options, *_expired(snapshot, symbol, since, also, futures, options)])
        options = options.filter(_alive(options, since, also, "optionname"))
        also = pa.concat_arrays([also, options["contractname"].unique()])
        futures = futures.filter(_alive(futures, since, also, "contractname"))
    order = ("expirationdate", "contractname", "strikeprice", "callorput", "optionname")
    return futures, options.sort_by([(column, "ascending") for column in order])


def futures_of(snapshot: Snapshot, symbol: str) -> pa.Table:
    columns = ["contractname", "year", "monthint", "expirationdate"]
    futures = plain(snapshot.read("contracts", columns, symbol=symbol))
    return futures.sort_by([("expirationdate", "ascending"), ("contractname", "ascending")])


def _alive(table: pa.Table, since: dt.date, also: pa.Array, key: str) -> pa.ChunkedArray:
    return pc.or_(pc.greater_equal(table["expirationdate"], pa.scalar(since)), pc.is_in(table[key], also))


def _expired(
    snapshot: Snapshot, symbol: str, since: dt.date, also: pa.Array, futures: pa.Table, options: pa.Table
) -> Iterator[pa.Table]:
    """Options of earlier years, year by year backwards until every name in `also` is found."""
    missing = set(also.to_pylist()) - set(futures["contractname"].to_pylist())
    missing -= set(options["optionname"].filter(pc.is_in(options["optionname"], also)).to_pylist())
    years = {partition[1] for _, partition, _ in snapshot.files("options") if partition[1] < since.year}
    for year in sorted(years, reverse=True):
        if not missing:
            return
        options = plain(snapshot.read("options", symbol=symbol, years=[year]))
        earlier = options.filter(pc.is_in(options["optionname"], pa.array(missing, pa.string())))
        missing -= set(earlier["optionname"].to_pylist())
        yield earlier


def _years(table: pa.Table) -> list[int]:
    return pc.year(table["expirationdate"]).unique().to_pylist()


def _bars(snapshot: Snapshot, symbol: str, futures: pa.Table, zone: str) -> Bars:
    columns = ["contractname", "date", "at", "close"]
    bars = snapshot.read("contracts_bars", columns, symbol=symbol, years=_years(futures))
    future = codes_in(bars["contractname"], futures["contractname"].combine_chunks())
    day, second = _clock(bars, zone)
    # What is dated after a contract's expiration is no quote of it, nor makes a session.
    used = (future >= 0) & (day <= numpy_of(futures["expirationdate"])[future]) if len(futures) else future >= 0
    return Bars(future[used], day[used], second[used], numpy_of(bars["close"])[used])


def _clock(bars: pa.Table, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Local day and second of bars; the second of a bar that is a date alone is DATE_BAR."""
    day, at = numpy_of(bars["date"]).copy(), numpy_of(bars["at"])
    second = np.full(len(day), DATE_BAR, np.int32)
    timed = np.flatnonzero(at != NOWHEN)
    if len(timed):
        day[timed], second[timed] = local_clock(at[timed], zone)
    return day, second


def _vols(snapshot: Snapshot, symbol: str, options: pa.Table) -> Vols:
    columns = ["optionname", "date", "impliedvol"]
    vols = snapshot.read("options_data", columns, symbol=symbol, years=_years(options))
    option = codes_in(vols["optionname"], options["optionname"].combine_chunks())
    day, vol = numpy_of(vols["date"]), vols["impliedvol"].to_numpy()
    if len(option) and option.min() < 0:
        used = option >= 0
        option, day, vol = option[used], day[used], vol[used]
    key = (option.astype(np.int64) << DAY_BITS) + day
    if not np.all(key[1:] > key[:-1]):
        order = np.argsort(key)
        option, day, vol = option[order], day[order], vol[order]
    return Vols(option, day, vol)


def _rates(snapshot: Snapshot, symbol: str, since: dt.date | None) -> Rates:
    rates = snapshot.read("riskfreerate", ["date", "rate"], symbol=symbol).sort_by("date")
    day, rate = numpy_of(rates["date"]), rates["rate"].to_numpy()
    if since is not None:
        # Sessions before `since` that the bars reach back to want no rate: from the newest before it on will do.
        first = max(0, int(np.searchsorted(day, (since - EPOCH).days)) - 1)
        day, rate = day[first:], rate[first:]
    return Rates(day, rate)


# -- what the pages and plans ask -----------------------------------------------------------------------------------


def sessions(product: Product, since: dt.date | None = None) -> np.ndarray:
    """The product's sessions, ascending, as datetime64[D], as the engine has them. Empty without data.

    since: only those from this date on; contracts that expired before it are not read.
    """
    symbol = product.exchangesymbol
    bars = _bars_since(Snapshot.of(symbol), symbol, product.timezone, since)
    days = session_days(rules(product), bars, _calendar(product, bars.day)).days.astype("datetime64[D]")
    return days if since is None else days[days >= np.datetime64(since)]


def _bars_since(snapshot: Snapshot, symbol: str, zone: str, since: dt.date | None) -> Bars:
    """All bars from `since` on, and some before: those of the contracts that expire on it or later."""
    futures = futures_of(snapshot, symbol)
    if since is not None:
        futures = futures.slice(int(np.searchsorted(numpy_of(futures["expirationdate"]), (since - EPOCH).days)))
    return _bars(snapshot, symbol, futures, zone)


@dataclass(frozen=True)
class Newest:
    """The newest session, the one before it, and the time of the newest bar (None: that session has a bar that is a
    date alone). None for what there is not."""

    session: dt.date | None = None
    previous: dt.date | None = None
    bar: dt.datetime | None = None


def newest(snapshot: Snapshot, symbol: str, zone: str) -> Newest:
    """The end of a product's sessions, from the few contracts that reach it."""
    dates = [action["max.date"] for _, partition, action in snapshot.files("contracts_bars") if partition[0] == symbol]
    if not dates:
        return Newest()
    for since in (max(dates) - RECENT, None):
        bars = _bars_since(snapshot, symbol, zone, since)
        days = np.unique(bars.day)
        days = days[np.is_busday(days.astype("datetime64[D]"))]
        if since is not None:
            days = days[days >= (since - EPOCH).days]
        if len(days) > 1:
            break
    if not len(days):
        return Newest()
    seconds = bars.second[bars.day == days[-1]]
    last, *before = (EPOCH + dt.timedelta(days=int(day)) for day in days[:-3:-1])
    return Newest(last, before[0] if before else None, _moment(last, seconds, zone))


def _moment(date: dt.date, seconds: np.ndarray, zone: str) -> dt.datetime | None:
    if seconds.min() == DATE_BAR:
        return None
    clock = dt.time(0, tzinfo=zoneinfo.ZoneInfo(zone))
    return dt.datetime.combine(date, clock) + dt.timedelta(seconds=int(seconds.max()))


def last_bar(product: Product) -> dt.datetime | dt.date | None:
    """When the newest bar is: a date, or an aware time on the product's clock; None without bars."""
    symbol = product.exchangesymbol
    snapshot = Snapshot.of(symbol)
    files = [(p[1], action) for _, p, action in snapshot.files("contracts_bars") if p[0] == symbol]
    if not files:
        return None
    newest = max(action["max.date"] for _, action in files)
    years = [year for year, action in files if action["max.date"] == newest]
    bars = snapshot.read("contracts_bars", ["date", "at"], symbol=symbol, years=years)
    at = pc.max(bars["at"].filter(pc.equal(bars["date"], newest))).as_py()
    return newest if at is None else at.astimezone(zoneinfo.ZoneInfo(product.timezone))
