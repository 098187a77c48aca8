"""A world with a clock: products in three time zones whose bars arrive early, late, twice or never, on a machine that
is now and then off. It drives the online schedule by a clock of its own and notes what was computed when.

Used by a test (weeks) and by benchmarks/online_simulation.py (years). Everything follows from the seed.
"""

import datetime as dt
import heapq
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pyarrow as pa
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from exo_registry.definitions import sync_series
from exo_registry.market import import_tables
from exo_registry.market.calendars import decision_instant, expected_days
from exo_registry.models import Definition, Event, Feed, Product, Run, Series, Step
from exo_registry.runs import online, plan, worker

DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)
HISTORY = 130  # days of data before the first simulated day


@dataclass(frozen=True)
class Spec:
    symbol: str
    calendar: str
    zone: str
    decision: dt.time
    timed: bool = False  # bars with a time of day; otherwise one bar a session
    options: bool = False


SPECS = (
    Spec("ES", "CMES", "America/Chicago", dt.time(14, 45), timed=True, options=True),
    Spec("ZC", "CMES", "America/Chicago", dt.time(13, 0)),
    Spec("FDAX", "EUREX", "Europe/Berlin", dt.time(17, 0), options=True),
    Spec("FGBL", "EUREX", "Europe/Berlin", dt.time(16, 30), timed=True),
    Spec("NK", "JPX", "Asia/Tokyo", dt.time(15, 0), timed=True),
    Spec("TP", "JPX", "Asia/Tokyo", dt.time(14, 30)),
)
SHORT_ICHIMOKU = {"conversion": 3, "base": 5, "displacement": 5, "span_b": 10}
ZONES = {
    "bullish": {"legs": [{"right": "F", "qty": 1}], "band": {"low": 0.5}},
    "bearish": {"legs": [{"right": "F", "qty": -1}], "band": {"high": -0.5}},
}


def price(day: dt.date, contract: int, at: int = 0) -> float:
    """A price that wanders, differs by day and contract, and is repeatable; in quarter points."""
    number = day.toordinal()
    wave = 60 * math.sin(number / 23) + 25 * math.sin(number / 7)
    return round((1000 + wave + number * 37 % 11 + at * 0.5) * 4) / 4 + contract * 3.0


@dataclass
class Market:
    """What one product trades: its sessions as they really are, and its tables."""

    spec: Spec
    product: Product
    sessions: list[dt.date]  # on which there is trading
    futures: list[tuple[str, int, int, dt.date]]

    def nearest(self, day: dt.date) -> list[tuple[str, int, int, dt.date]]:
        return [future for future in self.futures if future[3] >= day][:2]

    def moment(self, day: dt.date, shift: dt.timedelta = dt.timedelta()) -> dt.datetime:
        """Local decision time of a day, shifted, as UTC."""
        zone = ZoneInfo(self.spec.zone)
        return (dt.datetime.combine(day, self.spec.decision, zone) + shift).astimezone(dt.UTC)

    def bars(self, day: dt.date, shift: dt.timedelta | None = None, change: float = 0.0) -> list[dict]:
        """Bars of a session: of the decision time, or some time away from it."""
        at = None if shift is None else self.moment(day, shift).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        number = 0 if shift is None else shift // MINUTE
        return [
            {"contractname": name, "datetime": at or day.isoformat(), "close": price(day, i, number) + change}
            for i, (name, *_) in enumerate(self.nearest(day))
        ]

    def vols(self, day: dt.date) -> list[dict]:
        if not self.spec.options:
            return []
        return [
            {"optionname": name, "date": day.isoformat(), "impliedvol": 0.2 + (day.toordinal() % 13 + k) / 1000}
            for future in self.nearest(day)
            for k, (name, *_) in enumerate(self.options(future))
        ]

    def options(self, future: tuple[str, int, int, dt.date]) -> list[tuple[str, float, str]]:
        return [
            (f"{right}.{future[0]}.{strike}", float(strike), right) for strike in range(800, 1220, 20) for right in "CP"
        ]

    def terms(self) -> dict[str, list[dict]]:
        symbol = self.spec.symbol
        contracts = [
            {"contractname": n, "exchangesymbol": symbol, "year": y, "monthint": m, "expirationdate": e.isoformat()}
            for n, y, m, e in self.futures
        ]
        options = [
            {
                "optionname": name,
                "contractname": future[0],
                "expirationdate": (future[3] - 3 * DAY).isoformat(),
                "strikeprice": strike,
                "callorput": right,
            }
            for future in (self.futures if self.spec.options else ())
            for name, strike, right in self.options(future)
        ]
        return {"contracts": contracts, "options": options}


def _quarterly(symbol: str, first: dt.date, last: dt.date) -> list[tuple[str, int, int, dt.date]]:
    return [
        (f"{symbol}{year}{month:02}", year, month, dt.date(year, month, 19))
        for year in range(first.year, last.year + 2)
        for month in (3, 6, 9, 12)
        if dt.date(year, month, 19) >= first
    ]


@dataclass
class Tally:
    """What happened, counted."""

    ticks: int = 0
    imports: int = 0
    tasks: int = 0
    twice: int = 0
    sessions: int = 0
    kinds: Counter = field(default_factory=Counter)
    added: Counter = field(default_factory=Counter)  # (series, session): how often it was computed as a new one
    rebuilds: Counter = field(default_factory=Counter)  # series: computed again from the start
    offline: list[tuple[dt.datetime, dt.datetime]] = field(default_factory=list)


class World:
    """Makes the registry and its history, then lives from `first` to `last`."""

    def __init__(self, first: dt.date, last: dt.date, *, seed: int = 1, specs=SPECS, tick_every: dt.timedelta = HOUR):
        self.first, self.last, self.specs, self.tick_every = first, last, specs, tick_every
        self.random = random.Random(seed)
        self.tally = Tally()
        self.markets = {spec.symbol: self._make(spec) for spec in specs}
        self.history: dict[str, list[dict]] = {"contracts_bars": [], "options_data": []}  # all that was ever sent
        self._queue: list[tuple[dt.datetime, int, dict[str, list[dict]]]] = []
        self._number = self._seen = 0

    # -- the registry and what it starts with ------------------------------------------------------------------

    def _make(self, spec: Spec) -> Market:
        product = Product.objects.create(
            exchangesymbol=spec.symbol,
            ticksize=0.25,
            tickvalue=12.5,
            timezone=spec.zone,
            decision_time=spec.decision,
            calendar=spec.calendar,
            cost_future=2.0,
            active=True,
        )
        begin = self.first - HISTORY * DAY
        sessions = expected_days(product, begin, self.last).astype("datetime64[D]").tolist()
        return Market(spec, product, sessions, _quarterly(spec.symbol, begin, self.last))

    def begin(self) -> None:
        """Definitions, history and its backfill."""
        collars = [market.product for market in self.markets.values() if market.spec.options]
        Definition.objects.create(name="ContFut", algorithm="algorithms.continuous_future.ContinuousFuture")
        Definition.objects.create(
            name="AIchi",  # before ContFut, which it reads, in the order of names
            algorithm="algorithms.regime_spread.IchimokuSpread",
            parameters=SHORT_ICHIMOKU | ZONES,
        )
        if collars:
            collar = Definition.objects.create(name="CollarBW", algorithm="algorithms.collar.BrokenWingCollar")
            collar.products.set(collars)
        sync_series()
        for market in self.markets.values():
            old = [day for day in market.sessions if day < self.first]
            market.sessions = [day for day in market.sessions if day >= self.first]
            rows = market.terms()
            rows["contracts_bars"] = [row for day in old for row in self._final_bars(market, day)]
            rows["options_data"] = [row for day in old for row in market.vols(day)]
            rows["riskfreerate"] = [
                {"exchangesymbol": market.spec.symbol, "date": (old[0] - DAY).isoformat(), "rate": 0.03}
            ]
            self._import(rows)
        backfill = plan.start(
            plan.make_plan(start=self.first - HISTORY // 2 * DAY, until=self.first - DAY), source=Run.Source.SHELL
        )
        for market in self.markets.values():
            worker.work(backfill.pk, market.product.pk)
        backfill.refresh_from_db()
        assert backfill.status == "done"
        self.held = {series.pk: self._held(series) for series in Series.objects.all()}

    def _final_bars(self, market: Market, day: dt.date) -> list[dict]:
        if not market.spec.timed:
            return market.bars(day)
        return [row for shift in (-3 * HOUR, -MINUTE, 2 * HOUR) for row in market.bars(day, shift)]

    # -- what will happen -----------------------------------------------------------------------------------------

    def upset(self, *, holidays: int = 1, outages: int = 1, offs: int = 1, corrections: int = 1) -> None:
        """Draw what goes wrong: unknown holidays, feeds that stop, a machine that is off, corrections of old data."""
        chosen = self.random
        span = (self.last - self.first).days
        midnight = dt.datetime.combine(self.first, dt.time(), dt.UTC)
        for _ in range(offs):
            begin = midnight + chosen.randrange(3, max(4, span - 12)) * DAY + chosen.random() * DAY
            self.tally.offline.append((begin, begin + chosen.randrange(1, 11) * DAY))
        outage_days: dict[str, dict[dt.date, dt.datetime]] = {}
        for market in self.markets.values():
            days = outage_days[market.spec.symbol] = {}
            for _ in range(holidays):
                self._mistake_holidays(market)
            for _ in range(outages):
                start = self.first + chosen.randrange(2, max(3, span - 11)) * DAY
                end = start + chosen.randrange(1, 11) * DAY
                back = market.moment(end, 20 * HOUR)
                days |= {day: back for day in market.sessions if start <= day < end}
                self.tally.kinds["outage days"] += sum(start <= day < end for day in market.sessions)
        for market in self.markets.values():
            for day in market.sessions:
                self._arrivals(market, day, outage_days[market.spec.symbol].get(day))
        for market in self.markets.values():
            for _ in range(corrections):
                at = self.first + chosen.randrange(8, max(9, span - 4)) * DAY
                day = max(d for d in market.sessions if d < at - 3 * DAY)
                rows = market.bars(day, -MINUTE if market.spec.timed else None, change=1.25)
                self._send(market.moment(at, 5 * HOUR), {"contracts_bars": rows}, "corrections")
        self.tally.sessions = sum(
            len(self.expected(market)) * market.product.series.count() for market in self.markets.values()
        )

    def expected(self, market: Market) -> set[dt.date]:
        """What every series has in the end: the calendar's sessions, those without trading as gaps."""
        days = expected_days(market.product, self.first, max(market.sessions))
        return set(days.astype("datetime64[D]").tolist())

    def _mistake_holidays(self, market: Market) -> None:
        """A session that the calendar does not expect, and one that it expects and that there is not."""
        weekdays = [self.first + n * DAY for n in range((self.last - self.first).days)]
        closed = [day for day in weekdays if day.weekday() < 5 and day not in market.sessions]
        if closed:
            market.sessions = sorted([*market.sessions, self.random.choice(closed)])
            self.tally.kinds["unexpected sessions"] += 1
        if len(market.sessions) > 6:
            market.sessions.remove(self.random.choice(market.sessions[2:-2]))
            self.tally.kinds["unknown holidays"] += 1

    def _arrivals(self, market: Market, day: dt.date, back: dt.datetime | None) -> None:
        decision = decision_instant(market.product, day)
        half = decision < market.moment(day)
        draw = self.random.random()
        if back is not None:
            delay = back - decision
        elif draw < 0.04:
            delay = self.random.randrange(20, 300) * MINUTE
            self.tally.kinds["late by minutes"] += 1
        elif draw < 0.05:
            delay = self.random.randrange(20, 30) * HOUR
            self.tally.kinds["late by a day"] += 1
        else:
            delay = self.random.randrange(1, 300) * dt.timedelta(seconds=1)
        if half:
            self.tally.kinds["half days"] += 1
        if not market.spec.timed:
            arrival = decision + delay
            self._send(arrival, {"contracts_bars": market.bars(day)}, "bars")
        else:
            arrival = decision + delay
            early = market.moment(day, -3 * HOUR)
            self._send(max(early + MINUTE, arrival if back else early), {"contracts_bars": market.bars(day, -3 * HOUR)})
            # On a half day trading has ended by then, so the last bar is of before the close.
            last = -MINUTE if not half else decision - market.moment(day) - MINUTE
            self._send(arrival, {"contracts_bars": market.bars(day, last)}, "bars")
            if not half:
                self._send(arrival + 2 * HOUR, {"contracts_bars": market.bars(day, 2 * HOUR)})
        if self.random.random() < 0.05:
            last = None if not market.spec.timed else -3 * HOUR
            self._send(arrival + HOUR, {"contracts_bars": market.bars(day, last)}, "duplicate bars")
        if vols := market.vols(day):
            self._send(arrival + 4 * HOUR, {"options_data": vols})

    def _send(self, when: dt.datetime, rows: dict[str, list[dict]], kind: str | None = None) -> None:
        for begin, end in self.tally.offline:
            if begin <= when < end:
                when = end
        self._number += 1
        heapq.heappush(self._queue, (when, self._number, rows))
        if kind:
            self.tally.kinds[kind] += 1

    # -- living through it ------------------------------------------------------------------------------------------

    def live(self) -> None:
        for now, rows in self._moments():
            if rows is not None:
                report = self._import(rows)
                if report is not None:
                    online.enqueue_imported(None, report, now=now)
            else:
                online.tick(now)
                self.tally.ticks += 1
            self._work(now)

    def _moments(self) -> Iterator[tuple[dt.datetime, dict | None]]:
        """Arrivals, each with a tick in the minute after, and regular ticks; nothing while the machine is off."""
        now = dt.datetime.combine(self.first, dt.time(), dt.UTC)
        end = dt.datetime.combine(self.last + DAY, dt.time(), dt.UTC)
        while now < end:
            later = now + self.tick_every
            while self._queue and self._queue[0][0] < later:
                when, _, rows = heapq.heappop(self._queue)
                yield max(when, now), rows
                yield max(when, now) + MINUTE, None
            if not any(begin <= later < end for begin, end in self.tally.offline):
                yield later, None
            now = later
        while self._queue:
            when, _, rows = heapq.heappop(self._queue)
            yield when, rows
            yield when + MINUTE, None

    def _import(self, rows: dict[str, list[dict]]):
        tables = {name: pa.Table.from_pylist(list_) for name, list_ in rows.items() if list_}
        self.tally.imports += 1
        for name in self.history if hasattr(self, "history") else ():
            self.history[name] += rows.get(name, [])
        report = import_tables(tables, source="feed")
        return report if report.changed_anything else None

    def _work(self, now: dt.datetime) -> None:
        """Do what the online cluster would; a task now and then twice."""
        worked = False
        while (queued := OrmQ.objects.order_by("pk").first()) is not None:
            queued.delete()
            task = SignedPackage.loads(queued.payload)
            again = 2 if self.random.random() < 0.1 else 1
            self.tally.twice += again - 1
            for _ in range(again):
                if task["func"] == online.CATCH_UP:
                    online.catch_up(*task["args"], now=now)
                else:
                    assert task["func"] == worker.WORK
                    worker.work(*task["args"])
            self.tally.tasks += 1
            worked = True
        if worked:
            self._note()

    def _note(self) -> None:
        """Which sessions the runs just worked have added."""
        for step in Step.objects.filter(run__kind=Run.Kind.ONLINE, pk__gt=self._seen).order_by("pk"):
            self._seen = step.pk
            assert step.status == "done", (step.series, step.status, step.error, step.reason)
            held = self._held(step.series)
            new = held - self.held[step.series_id]
            assert self.held[step.series_id] <= held
            self.held[step.series_id] = held
            self.tally.added.update((step.series_id, day) for day in new)
            if step.from_start:
                self.tally.rebuilds[step.series_id] += 1
            else:
                assert step.sessions_done == len(new)

    @staticmethod
    def _held(series: Series) -> set[dt.date]:
        """Sessions that a series has, as a point or as a gap."""
        return {*series.points.values_list("date", flat=True), *series.gaps.values_list("date", flat=True)}

    # -- what must hold -----------------------------------------------------------------------------------------------

    def check(self) -> dict[str, int]:
        """Raise AssertionError unless all is as a backfill would have it; returns figures."""
        tally = self.tally
        missing = 0
        for market in self.markets.values():
            for series in market.product.series.all():
                held = self._held(series)
                sessions = self.expected(market)
                missing += len(sessions - held)
                extra = {day for day in held if day >= self.first} ^ sessions
                assert not extra, (series, extra)
                unseen = {day for pk, day in tally.added if pk == series.pk} ^ sessions
                assert not unseen, (series, unseen)
        twice = sum(count > 1 for count in tally.added.values())
        assert (missing, twice) == (0, 0)
        assert sum(tally.added.values()) == tally.sessions
        delays = Counter(Event.objects.filter(kind="delay", level="warning").values_list("message", flat=True))
        assert max(delays.values(), default=1) == 1
        assert not Feed.objects.filter(late_session__lte=self.last).exists()  # later ones are of the world's end
        differing = self._backfill_again()
        assert differing == 0
        return {
            "sessions computed": sum(tally.added.values()),
            "computed twice": twice,
            "missing": missing,
            "rows differing from a backfill": differing,
            "delays told": len(delays),
            "recoveries told": Event.objects.filter(kind="delay", level="info").count(),
            "series rebuilt": sum(tally.rebuilds.values()),
        }

    def _backfill_again(self) -> int:
        """Rows that differ when the whole is computed from the start; the store must hold all that was sent, once."""
        for market in self.markets.values():
            kept = {}
            mine = {name for name, *_ in market.futures}
            for row in self.history["contracts_bars"]:
                if row["contractname"] in mine:
                    kept[row["contractname"], row["datetime"]] = row
            report = import_tables(
                {"contracts_bars": pa.Table.from_pylist(list(kept.values()))}, source="all of it again"
            )
            assert not report.changed_anything
        again = plan.start(plan.make_plan(mode=Run.Mode.RESET), source=Run.Source.SHELL)
        for product in again.steps.values_list("product", flat=True).distinct():
            worker.work(again.pk, product)
        again.refresh_from_db()
        assert again.status == "done"
        return sum(again.steps.values_list("rows_written", flat=True))
