"""The market of one product: its quotes, and the contracts that its rollover rule looks at.

Read-only after construction.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Any, Self

import numpy as np

from . import patterns
from .chain import Chain, ChainView
from .errors import EngineError
from .quotes import Quotes
from .tables import NO_OPTIONS, NO_RATES, NO_VOLS, Bars, Futures, Options, ProductRules, Rates, Vols


class Market(Quotes):
    """The quotes of one product, its option chains, and which future and chain are the active ones.

    Args:
        rules: The product's terms and rules.
        futures: Its futures.
        bars: Of the futures.
        options: On the futures.
        vols: Of the options.
        rates: Risk-free rates.
        calendar: Days since 1970-01-01 on which its exchange trades, ascending, over all sessions and expirations;
            None: there is no calendar.
    """

    def __init__(
        self,
        rules: ProductRules,
        futures: Futures,
        bars: Bars,
        options: Options = NO_OPTIONS,
        vols: Vols = NO_VOLS,
        rates: Rates = NO_RATES,
        calendar: np.ndarray | None = None,
    ) -> None:
        for pattern in rules.option_codes:
            try:
                patterns.check(pattern)
            except ValueError as error:
                raise EngineError(f"{rules.symbol}: the option code {pattern!r} cannot be used: {error}") from error
        super().__init__(rules, futures, bars, options, vols, rates, calendar)
        self._months: list[int] = futures.month.tolist()
        self._chains = self._group_chains()
        self._views: dict[int, ChainView] = {}
        self._active: dict[int, tuple[int | None, Chain | None]] = {}
        self._codes_matched: dict[str, bool] = {}

    @classmethod
    def from_pack(cls, folder: Path | str, symbol: str, **rules: Any) -> Self:
        """The market of a product in a market pack: a folder of tables as CSV, gzipped CSV or Parquet.

        Args:
            folder: Of the tables that docs/market-pack.md describes.
            symbol: The product's `exchangesymbol`.
            **rules: Rules to use in place of the pack's, by their names in `ProductRules`, such as
                `days_before_expiration=10`.

        Raises:
            PackError: Something cannot be read; it names the file and the column.
            CalendarError: The product's calendar is not known.
        """
        from .pack import read_product  # pyarrow is needed for this alone

        return cls(*read_product(Path(folder), symbol, rules))

    def _group_chains(self) -> dict[int, list[Chain]]:
        """Chains of each future, by expiration and option code. Legacy: by expiration, whatever the codes."""
        options = self._options
        chains: dict[int, list[Chain]] = {}
        if not len(options.future):
            return chains
        code = np.unique(options.code.astype(str), return_inverse=True)[1]
        if self.rules.legacy:
            code = np.zeros_like(code)
        order = np.lexsort((options.strike, code, options.expiry, options.future))
        keys = (options.future[order], options.expiry[order], code[order])
        edges = np.flatnonzero(np.any([np.diff(key) != 0 for key in keys], axis=0)) + 1
        for members in np.split(order, edges):
            chain = Chain(self, members, options)
            chains.setdefault(chain.future, []).append(chain)
        return chains

    # -- rollover rule --------------------------------------------------------------------------------------

    def active(self, session: int) -> tuple[int | None, Chain | None]:
        """The active future's number and the active chain at a session, None for what there is not (docs/rules.md:
        contracts that are looked at).

        Raises:
            Gap: A chain that is looked at mixes option codes.
        """
        pair = self._active.get(session)
        if pair is None:
            pair = self._active[session] = self._find_active(session)
        return pair

    def nearest_futures(self, session: int) -> list[int]:
        """The futures that are looked at, nearest first: the first `futures_limit` of those that the rollover rule may
        hold. Legacy: of those that expire after the session."""
        rules, today = self.rules, self.day_list[session]
        nearest = bisect_right(self.expiries, today, hi=self.futures_count)
        if rules.legacy:
            return list(range(nearest, min(nearest + rules.futures_limit, self.futures_count)))
        futures: list[int] = []
        for future in range(nearest, self.futures_count):
            if len(futures) == rules.futures_limit:
                break
            if self._may_hold(future, today):
                futures.append(future)
        return futures

    def _may_hold(self, future: int, today: int) -> bool:
        rules = self.rules
        return (
            self.expiries[future] - today > rules.days_before_expiration
            and self._months[future] in rules.rollover_months
        )

    def _find_active(self, session: int) -> tuple[int | None, Chain | None]:
        rules, today = self.rules, self.day_list[session]
        eligible = [future for future in self.nearest_futures(session) if self._may_hold(future, today)]
        for future in eligible[:2]:
            for chain in self._chains.get(future, ()):
                if (
                    chain.expiry - today > rules.days_before_expiration
                    and (rules.legacy or chain.exists(today))
                    and self._code_matches(chain)
                ):
                    return future, chain
        return (eligible[0] if eligible else None), None

    def active_chain(self, session: int) -> ChainView | None:
        """The active chain as known at a session, None if there is none.

        Raises:
            Gap: It cannot be looked at: its future has no price, or it mixes option codes.
        """
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
            self._codes_matched[code] = not codes or patterns.matches_any(codes, code)
        return self._codes_matched[code]

    def month(self, future: int) -> int:
        """A future's delivery month, 1 to 12."""
        return self._months[future]

    def chains(self, future: int) -> list[Chain]:
        """All chains of a future, by expiry."""
        return self._chains.get(future, [])
