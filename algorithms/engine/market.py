"""The market of one product: its quotes, and the contracts that its rollover rule looks at.

Read-only after construction.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Self

import numpy as np

from . import patterns
from .chain import Chain, ChainView
from .errors import EngineError
from .quotes import Quotes
from .tables import NO_OPTIONS, NO_RATES, NO_VOLS, Bars, Futures, Options, ProductRules, Rates, Vols


class Market(Quotes):
    """The quotes of one product, its option chains, and which future and chain are the active ones."""

    def __init__(
        self,
        rules: ProductRules,
        futures: Futures,
        bars: Bars,
        options: Options = NO_OPTIONS,
        vols: Vols = NO_VOLS,
        rates: Rates = NO_RATES,
    ) -> None:
        for pattern in rules.option_codes:
            try:
                patterns.check(pattern)
            except ValueError as error:
                raise EngineError(f"{rules.symbol}: the option code {pattern!r} cannot be used: {error}") from error
        super().__init__(rules, futures, bars, options, vols, rates)
        self._months: list[int] = futures.month.tolist()
        self._chains = self._group_chains()
        self._views: dict[int, ChainView] = {}
        self._active: dict[int, tuple[int | None, Chain | None]] = {}
        self._codes_matched: dict[str, bool] = {}

    @classmethod
    def from_pack(cls, folder: Path | str, symbol: str) -> Self:
        """The market of a product in a market pack: a folder of tables as CSV, gzipped CSV or Parquet.

        Args:
            folder: Of the tables that docs/market-pack.md describes.
            symbol: The product's `exchangesymbol`.

        Raises:
            PackError: Something cannot be read; it names the file and the column.
        """
        from .pack import read_product  # pyarrow is needed for this alone

        return cls(*read_product(Path(folder), symbol))

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

    def chains(self, future: int) -> list[Chain]:
        """All chains of a future, by expiry."""
        return self._chains.get(future, [])
