"""Option chains, and how a strategy finds strikes in one."""

import math
from bisect import bisect_left

import numpy as np

from .errors import ChainTooShort, Gap
from .pricing import LOGARITHMIC
from .quotes import NEVER, Quotes
from .tables import Options

CALL, PUT = "C", "P"


class Chain:
    """The options of one future with one expiration and code: strikes ascending, a call and a put at each.

    Attributes:
        quotes: Of the product.
        future: Number of the future under it.
        expiry: Effective expiry, as days since 1970-01-01.
        codes: Of its options; several only under legacy rules.
        strikes: In points, ascending.
    """

    def __init__(self, quotes: Quotes, members: np.ndarray, options: Options):
        first = members[0]
        self.quotes = quotes
        self.future = int(options.future[first])
        self.expiry = quotes.expiries[quotes.futures_count + int(first)]
        self.codes = sorted({str(code) for code in options.code[members]})
        strikes, slot = np.unique(options.strike[members], return_inverse=True)
        self.strikes: list[float] = strikes.tolist()
        self._span = int(members.min()), int(members.max())
        calls = options.is_call[members]
        self._strikes = strikes
        # Rows of Options by right and strike; -1 where none is listed.
        self._rows = np.full((2, len(strikes)), -1)
        self._rows[np.where(calls, 0, 1), slot] = members
        self._calls: list[int]
        self._puts: list[int]
        self._calls, self._puts = self._rows.tolist()
        records = quotes.first_vols[members]
        self._first = np.full(len(strikes), NEVER)
        np.minimum.at(self._first, slot, records)
        self._earliest = int(self._first.min())
        self._latest = int(self._first.max())

    def exists(self, day: int) -> bool:
        """Whether an option of the chain has a record dated before `day`."""
        return self._earliest < day

    def existing(self, day: int) -> np.ndarray | None:
        """Places of the strikes whose call or put has a record dated before `day`; None: all of them."""
        return None if self._latest < day else np.flatnonzero(self._first < day)

    @property
    def code(self) -> str:
        """The code that all options of the chain share.

        Raises:
            Gap: They have several, which is an error in the data.
        """
        if len(self.codes) > 1:
            name = self.quotes.names[self.future]
            raise Gap(f"the chain of {name} mixes the option codes {', '.join(map(repr, self.codes))}")
        return self.codes[0]

    def at(self, session: int) -> "ChainView":
        """The chain as it was known at a session's decision time."""
        return ChainView(self, session)

    def contract(self, right: str, slot: int) -> int:
        """Number of the option with a right at a strike's position."""
        return self.quotes.futures_count + (self._calls if right == CALL else self._puts)[slot]

    def is_quoted(self, slot: int, day: int) -> bool:
        """Whether the call and the put at a strike both have a volatility dated before `day`, and the model takes
        the strike."""
        if self.strikes[slot] <= 0.0 and self.quotes.rules.pricing_model in LOGARITHMIC:
            return False
        call, put = self._calls[slot], self._puts[slot]
        first = self.quotes.first_vol
        return call >= 0 and put >= 0 and first[call] < day and first[put] < day

    def deltas(self, places: slice | np.ndarray, session: int) -> dict[str, list[float]]:
        """Sizes of the deltas at the strikes in some places: by right, a list with one number a strike, nan without a
        quote."""
        rows, strikes = self._rows[:, places], self._strikes[places]
        deltas = self.quotes.deltas_by_strike(self.future, self.expiry, rows, strikes, session, self._span)
        return dict(zip((CALL, PUT), np.abs(deltas).tolist(), strict=True))


class ChainView:
    """A chain at one session: strikes counted from the money, found by delta, or by their distance in percent.

    Attributes:
        chain: The chain.
        strikes: Those that exist at the session, ascending, in points: their call or put has a record dated before it.
            Legacy: all that were ever listed.
        session: The session's number.
        price: Of the future under it, in points.
        money: Place of the strike at the money among the strikes; `low` and `high` are the places of those looked at.

    Raises:
        QuoteMissing: The future under it has no price at the session.
        ChainTooShort: No strike exists yet.
    """

    def __init__(self, chain: Chain, session: int):
        self.chain, self.session = chain, session
        quotes = chain.quotes
        self._day = quotes.day_list[session]
        self._priced = quotes.has_rate[session]
        self.price = quotes.future_price(chain.future, session)
        self._places = None if quotes.rules.legacy else chain.existing(self._day)
        strikes = chain.strikes if self._places is None else [chain.strikes[place] for place in self._places]
        if not strikes:
            name, date = quotes.names[chain.future], quotes.dates[session]
            raise ChainTooShort(f"no option of {name} has an implied volatility dated before {date}")
        self.strikes: list[float] = strikes
        above = bisect_left(strikes, self.price)
        if above == len(strikes) or (above and self.price - strikes[above - 1] <= strikes[above] - self.price):
            above -= 1
        self.money = above
        limit = quotes.rules.strikes_limit
        self.low, self.high = max(0, above - limit), min(len(strikes) - 1, above + limit)
        self._deltas: dict[str, list[float]] | None = None

    def _place(self, slot: int) -> int:
        """The place of a strike of this view among all strikes of the chain."""
        return slot if self._places is None else int(self._places[slot])

    def is_quoted(self, slot: int) -> bool:
        return self._priced and self.chain.is_quoted(self._place(slot), self._day)

    def contract(self, right: str, slot: int) -> int:
        """Number of the option with a right at one of `strikes`, by its place among them."""
        return self.chain.contract(right, self._place(slot))

    def by_offset(self, right: str, offset: int) -> int:
        """The option `offset` strikes above the money (below if negative), or the next quoted one further away.

        Args:
            right: "C" or "P".
            offset: In strikes; 0 is at the money.

        Returns:
            The contract's number.

        Raises:
            ChainTooShort: No strike is quoted up to the end of what is looked at.
        """
        slot, step = self.money + offset, 1 if offset >= 0 else -1
        while self.low <= slot <= self.high:
            if self.is_quoted(slot):
                return self.contract(right, slot)
            slot += step
        raise ChainTooShort(f"no quoted strike at offset {offset:+d} or beyond: {self._range()}")

    def by_delta(self, delta: float) -> tuple[int, str]:
        """The option whose delta has reached `delta` (a call above zero, a put below), walking away from the money.

        +0.5 and -0.5 are the call and the put at the money. Smaller ones walk out of the money, larger ones into it,
        from one strike off, passing over strikes without quotes.

        Args:
            delta: Between -1 and 1, not 0.

        Returns:
            The contract's number, and a warning, empty if the delta was reached: if none reaches it, the last quoted
            strike stands in.

        Raises:
            ChainTooShort: No strike is quoted.
        """
        right, size = (CALL if delta > 0 else PUT), abs(delta)
        if size == 0.5:
            return self.by_offset(right, 0), ""
        outward = size < 0.5
        up = outward == (right == CALL)
        slots = range(self.money + 1, self.high + 1) if up else range(self.money - 1, self.low - 1, -1)
        if self._deltas is None:
            window = slice(self.low, self.high + 1)
            self._deltas = self.chain.deltas(window if self._places is None else self._places[window], self.session)
        deltas, others, last = self._deltas[right], self._deltas[PUT if right == CALL else CALL], None
        for slot in slots:
            value, other = deltas[slot - self.low], others[slot - self.low]
            if value != value or other != other:  # a strike counts if its call and its put have a quote
                continue
            last = slot
            if (value <= size) if outward else (value >= size):
                return self.contract(right, slot), ""
        if last is None:
            raise ChainTooShort(f"no quoted strike off the money towards delta {delta:+g}: {self._range()}")
        return self.contract(right, last), (
            f"no strike reaches delta {delta:+g}; took {self.strikes[last]:g}, the last quoted: {self._range()}"
        )

    def by_moneyness(self, right: str, moneyness: float) -> tuple[int, str]:
        """The quoted option whose strike is nearest to `moneyness` x the future's price (a tie: the lower strike).

        A percentage names a price, so all strikes are looked at, whatever the product's strikes limit.

        Args:
            right: "C" or "P".
            moneyness: Strike / price of the future: 0.95 is five percent below.

        Returns:
            The contract's number, and a warning, empty unless the price lies outside the quoted strikes.

        Raises:
            ChainTooShort: No strike is quoted.
        """
        strikes, target = self.strikes, self.price * moneyness
        above = bisect_left(strikes, target)
        below = above - 1
        while below >= 0 and not self.is_quoted(below):
            below -= 1
        while above < len(strikes) and not self.is_quoted(above):
            above += 1
        has_below, has_above = below >= 0, above < len(strikes)
        if not has_below and not has_above:
            raise ChainTooShort(f"no quoted strike for moneyness {moneyness:g}: {self._range(0, len(strikes) - 1)}")
        if has_below and has_above:
            slot = below if target - strikes[below] <= strikes[above] - target else above
            return self.contract(right, slot), ""
        slot = below if has_below else above
        if math.isclose(strikes[slot], target):  # 100 x 1.1 is a little more than 110
            return self.contract(right, slot), ""
        return self.contract(right, slot), (
            f"no quoted strike reaches moneyness {moneyness:g} ({target:g}); took {strikes[slot]:g}, the last quoted: "
            f"{self._range(0, len(strikes) - 1)}"
        )

    def _range(self, low: int | None = None, high: int | None = None) -> str:
        low, high = self.low if low is None else low, self.high if high is None else high
        chain = self.chain
        future = chain.quotes.names[chain.future]
        return (
            f"strikes {self.strikes[low]:g} to {self.strikes[high]:g} on {future} at {self.price:g}, "
            f"{chain.quotes.dates[self.session]}"
        )
