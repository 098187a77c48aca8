"""Where a product's rules and its market data do not fit: contracts that end before they are rolled, and days that are
no sessions."""

import datetime as dt

import numpy as np

from .market import Market
from .session_days import decision_second, weekday
from .tables import EPOCH
from .text import counted_days

MOST_DAYS = 60  # before expiration that are tried
NEAR = 1_800  # seconds about the decision time
TOLERATED = 0.05  # of the rolls: a contract whose data is torn says nothing of the rule


def advice(market: Market) -> list[str]:
    """What a desk should know before it computes the market under standard conventions, a sentence or two each.

    Args:
        market: The product's; its options are not looked at beyond their expirations.

    Returns:
        None under legacy conventions, where none of it matters.
    """
    if market.rules.legacy or not market.dates:
        return []
    return [text for text in (_rolls(market), _expirations(market), _unexpected(market)) if text]


def late_rolls(market: Market, days_before: int) -> list[tuple[int, int]]:
    """The rolls of a rule that would come after the contract's last bar.

    Args:
        market: The product's.
        days_before: Calendar days before the effective expiry at which contracts are rolled.

    Returns:
        Number of the future, and days from its last bar to its roll, of each that comes too late.
    """
    return [(future, days) for future, days in _from_last_bar(market, days_before) if days > 0]


def _from_last_bar(market: Market, days_before: int) -> list[tuple[int, int]]:
    """Days from the last bar to the roll of each future that the rule may hold and that the data have until then."""
    rolls = []
    for future, last in enumerate(_last_bars(market).tolist()):
        place = int(np.searchsorted(market.days, market.expiries[future] - days_before))
        if last >= 0 and place < len(market.days) and market.month(future) in market.rules.rollover_months:
            rolls.append((future, market.day_list[place] - last))
    return rolls


def _last_bars(market: Market) -> np.ndarray:
    """Day of each future's last bar; -1 without one."""
    bars = market.tables()[1]
    last = np.full(market.futures_count, -1, np.int64)
    np.maximum.at(last, bars.future, bars.day)
    return last


def _rolls(market: Market) -> str:
    rules = market.rules
    total = len(_from_last_bar(market, rules.days_before_expiration))
    late = late_rolls(market, rules.days_before_expiration)
    if len(late) <= TOLERATED * total:
        return ""
    future, days = late[-1]
    text = (
        f"{market.names[future]} has no bar in the {counted_days(days)} before its roll; so it is with {len(late)} of "
        f"{total} rolls of {rules.symbol}, which then wait for the expiry"
    )
    for more in range(rules.days_before_expiration + 1, MOST_DAYS + 1):
        if len(late_rolls(market, more)) <= TOLERATED * len(_from_last_bar(market, more)):
            return f"{text}: raise days_before_expiration from {rules.days_before_expiration} to {more}."
    return f"{text}. No days_before_expiration up to {MOST_DAYS} would serve: its bars have gaps."


def _expirations(market: Market) -> str:
    futures, _, options, *_ = market.tables()
    expirations = np.concatenate([futures.expiry, options.expiry])
    moved = np.flatnonzero(expirations > np.array(market.expiries)).tolist()
    if not moved:
        return ""
    name, expiry = market.names[moved[-1]], market.expiries[moved[-1]]
    count = "1 contract expires" if len(moved) == 1 else f"{len(moved):,} contracts expire"
    return (
        f"{count} on days that are no sessions of {market.rules.symbol}, such as {name}: "
        f"the session before, {_date(expiry)}, is its effective expiry."
    )


def _unexpected(market: Market) -> str:
    _, bars, *_, calendar = market.tables()
    if calendar is None:
        return ""
    near = (np.abs(bars.second - decision_second(market.rules)) <= NEAR) | (bars.second < 0)
    days = np.unique(bars.day[near])
    days = days[(weekday(days) < 5) & ~np.isin(days, calendar)]
    if not len(days):
        return ""
    count = "a day" if len(days) == 1 else f"{len(days):,} days"
    rules = market.rules
    return (
        f"{rules.symbol} has bars at its decision time on {count} that the calendar {rules.calendar} does not expect, "
        f"such as {_date(int(days[-1]))}: they make no session. Correct the calendar if the exchange was open."
    )


def _date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=day)
