"""Which future, which chain and which strikes a rule means at a session."""

import datetime as dt
import re
from dataclasses import dataclass

from .quotes import Missing, Quotes

Leg = dict  # right, qty, and for an option one of offset, delta, moneyness: as in a definition's parameters


@dataclass(frozen=True)
class Chain:
    """The options of one future, expiration and family."""

    future: str
    expiration: dt.date
    code: str


def eligible(quotes: Quotes, session: dt.date) -> list[str]:
    """Futures that the rollover rule may hold, the nearest first, as many as the product's limit says."""
    rules = quotes.rules
    allowed = [
        future
        for future in sorted(quotes.tables.futures.values(), key=lambda future: future.expiration)
        if future.month in rules.rollover_months
        and quotes.days_left(future.name, session) > rules.days_before_expiration
    ]
    return [future.name for future in allowed[: rules.futures_limit]]


def some_future_is_quoted(quotes: Quotes, session: dt.date) -> bool:
    """Whether any future has a value, whatever its month: it has none after its effective expiry."""
    return any(quotes.has_value(name, session) for name in quotes.tables.futures)


def active(quotes: Quotes, session: dt.date) -> tuple[str | None, Chain | None]:
    """The active future and the active chain.

    The first eligible future that has a chain, of the first two; if none has, the first one and no chain.
    """
    futures = eligible(quotes, session)
    for future in futures[:2]:
        chain = first_chain(quotes, future, session)
        if chain is not None:
            return future, chain
    return (futures[0] if futures else None), None


def first_chain(quotes: Quotes, future: str, session: dt.date) -> Chain | None:
    """Of a future's chains by expiration and code, the first that has days enough, a code of the rule and a strike."""
    rules = quotes.rules
    chains = {(option.expiration, option.code) for option in quotes.tables.options.values() if option.future == future}
    for expiration, code in sorted(chains):
        chain = Chain(future, expiration, code)
        days = (quotes.effective(expiration) - session).days
        matches = not rules.option_codes or any(re.fullmatch(pattern, code) for pattern in rules.option_codes)
        if days > rules.days_before_expiration and matches and strikes(quotes, chain, session):
            return chain
    return None


def strikes(quotes: Quotes, chain: Chain, session: dt.date) -> list[float]:
    """Strikes that exist, ascending: those whose call or put has a record dated before the session."""
    return sorted(
        {
            option.strike
            for option in quotes.tables.options.values()
            if Chain(option.future, option.expiration, option.code) == chain
            and quotes.is_recorded(option.name, session)
        }
    )


def at_the_money(listed: list[float], price: float) -> int:
    """The place of the strike nearest to a price; at equal distance the lower one."""
    return min(range(len(listed)), key=lambda place: (abs(listed[place] - price), listed[place]))


class Choice:
    """A chain at a session: what its legs stand for.

    Raises:
        Missing: Its future has no value; of its methods: no strike fits.
    """

    def __init__(self, quotes: Quotes, chain: Chain, session: dt.date):
        self.quotes, self.chain, self.session = quotes, chain, session
        self.price = quotes.value(chain.future, session)
        self.listed = strikes(quotes, chain, session)
        self.money = at_the_money(self.listed, self.price)
        self.names = {
            (option.strike, option.right): option.name
            for option in quotes.tables.options.values()
            if Chain(option.future, option.expiration, option.code) == chain
        }
        limit = quotes.rules.strikes_limit
        self.range = range(max(self.money - limit, 0), min(self.money + limit + 1, len(self.listed)))

    def option(self, leg: Leg) -> str:
        """The option that a leg is."""
        if leg.get("offset") is not None:
            place = self.by_offset(leg["offset"])
        elif leg.get("delta") is not None:
            place = self.by_delta(leg["right"], abs(leg["delta"]))
        else:
            place = self.by_moneyness(leg["moneyness"])
        return self.name(leg["right"], place)

    def by_offset(self, offset: int) -> int:
        """So many existing strikes from the money; while a strike is not quoted, the next one away from the money."""
        away = 1 if offset >= 0 else -1
        place = self.money + offset
        while place in self.range:
            if self.is_quoted(place):
                return place
            place += away
        raise Missing(f"no quoted strike {offset} from the money on {self.session}")

    def by_delta(self, right: str, size: float) -> int:
        """From the first strike off the money to the first whose delta has reached a size; else the last quoted one.

        Up to 0.5 the walk leads out of the money and deltas shrink; beyond, into the money and they grow.
        """
        if size == 0.5:
            return self.by_offset(0)
        out = size < 0.5
        upward = out if right == "C" else not out
        places = range(self.money + 1, self.range.stop) if upward else range(self.money - 1, self.range.start - 1, -1)
        quoted = [place for place in places if self.is_quoted(place)]
        for place in quoted:
            delta = abs(self.quotes.delta(self.name(right, place), self.session))
            if delta <= size if out else delta >= size:
                return place
        if not quoted:
            raise Missing(f"no quoted strike for delta {size} on {self.session}")
        return quoted[-1]

    def by_moneyness(self, moneyness: float) -> int:
        """The quoted strike, however far, that is nearest to a multiple of the price; at equal distance the lower."""
        quoted = [place for place in range(len(self.listed)) if self.is_quoted(place)]
        if not quoted:
            raise Missing(f"no quoted strike on {self.session}")
        return quoted[at_the_money([self.listed[place] for place in quoted], moneyness * self.price)]

    def name(self, right: str, place: int) -> str | None:
        """The option of a right at a strike, if it is listed."""
        return self.names.get((self.listed[place], right))

    def is_quoted(self, place: int) -> bool:
        """Whether call and put of a strike are listed and have a value."""
        pair = [self.name(right, place) for right in "CP"]
        return all(name is not None and self.quotes.has_value(name, self.session) for name in pair)
