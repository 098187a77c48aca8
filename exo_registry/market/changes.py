"""From which date on a change of contract terms may change a value.

A contract that is added or corrected matters from the first session on which the rollover rule could choose it: when
the contract before it comes within `days_before_expiration` of its expiry. So listing next year's contracts leaves the
past alone, and a contract put in between reaches back as far as it must.
"""

from dataclasses import dataclass
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from algorithms.engine import patterns
from exo_registry.models import Product

from .references import Parents

ALWAYS, NEVER = -(10**6), 10**6

Chain = tuple[str, int, str]  # future, expiry of the options, code


@dataclass
class _Terms:
    """A product's contracts at one time: expiry and month by future, and its chains."""

    futures: dict[str, tuple[int, int]]
    chains: set[Chain]

    @classmethod
    def of(cls, contracts: pa.Table, options: pa.Table, symbol: str) -> "_Terms":
        mine = contracts.filter(pc.equal(contracts["exchangesymbol"], symbol))
        expiries = mine["expirationdate"].cast(pa.int32()).to_pylist()
        terms = zip(expiries, mine["monthint"].to_pylist(), strict=True)
        return cls(dict(zip(mine["contractname"].to_pylist(), terms, strict=True)), chains_of(options, symbol))


def chains_of(options: pa.Table, symbol: str) -> set[Chain]:
    mine = options.filter(pc.equal(options["exchangesymbol"], symbol))
    groups = mine.group_by(["contractname", "expirationdate", "optioncode"]).aggregate([])
    expiries = groups["expirationdate"].cast(pa.int32()).to_pylist()
    return set(zip(groups["contractname"].to_pylist(), expiries, groups["optioncode"].to_pylist(), strict=True))


def terms_matter_from(product: Product, contracts: Parents, options: Parents) -> int:
    """First day on which the changed contracts and options could be chosen, before or after; NEVER if none could."""
    symbol = product.exchangesymbol
    # A contract's old terms are found by its name among the rows before.
    changed_futures = _names(contracts, symbol, "contractname")
    changed_options = _names(options, symbol, "optionname")
    if not changed_futures and not changed_options:
        return NEVER
    days = []
    for contract_rows, option_rows in ((contracts.before, options.before), (contracts.table, options.table)):
        terms = _Terms.of(contract_rows, option_rows, symbol)
        touched = option_rows.filter(pc.is_in(option_rows["optionname"], pa.array(changed_options, pa.string())))
        days.append(_first_choice(product, terms, changed_futures, chains_of(touched, symbol)))
    return min(days)


def _names(parents: Parents, symbol: str, key: str) -> list[str]:
    return [
        name
        for table in (parents.added, parents.changed)
        for name in table.filter(pc.equal(table["exchangesymbol"], symbol))[key].to_pylist()
    ]


def _first_choice(product: Product, terms: _Terms, futures: list[str], chains: set[Chain]) -> int:
    held = product.days_before_expiration
    chosen_from = _chain_starts(product, terms)
    days = [chosen_from[chain] for chain in chains if chain in chosen_from]
    for name in futures:
        if name not in terms.futures:
            continue
        expiry = terms.futures[name][0]
        earlier = [
            other for other, month in terms.futures.values() if other < expiry and month in product.rollover_months
        ]
        days.append(max(earlier, default=ALWAYS) - held)
        if chosen_from:
            before = [_last_day(chain, terms) for chain in chosen_from if terms.futures[chain[0]][0] < expiry]
            days.append(max(before, default=ALWAYS) - held)
    return min(days, default=NEVER)


def _chain_starts(product: Product, terms: _Terms) -> dict[Chain, int]:
    """The first day on which each chain that the rollover rule admits could be the active one."""
    admitted = sorted(
        (chain for chain in terms.chains if _admitted(product, terms, chain)),
        key=lambda chain: (terms.futures[chain[0]][0], chain[1]),
    )
    last_days = accumulate((_last_day(chain, terms) for chain in admitted), max, initial=ALWAYS)
    return {chain: day - product.days_before_expiration for chain, day in zip(admitted, last_days, strict=False)}


def _admitted(product: Product, terms: _Terms, chain: Chain) -> bool:
    future, _, code = chain
    if future not in terms.futures or terms.futures[future][1] not in product.rollover_months:
        return False
    return not product.option_codes or patterns.matches_any(tuple(product.option_codes), code)


def _last_day(chain: Chain, terms: _Terms) -> int:
    return min(chain[1], terms.futures[chain[0]][0])
