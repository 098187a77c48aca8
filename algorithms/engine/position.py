"""A position and its profit and loss, by average cost."""

from typing import NamedTuple


class Holding(NamedTuple):
    """One contract held.

    Attributes:
        qty: Contracts, signed.
        cost: What was paid, price x quantity x point value, signed, in the currency.
        leg: The leg that it was first traded for.
    """

    qty: float
    cost: float
    leg: str = ""


class Position:
    """Holdings by contract, and what was realised.

    Contracts keep the order in which they were first traded. `realised` is in the currency, before costs.
    """

    __slots__ = ("holdings", "realised")

    def __init__(self, holdings: dict[int, Holding] | None = None, realised: float = 0.0):
        self.holdings = holdings if holdings is not None else {}
        self.realised = realised

    def __bool__(self) -> bool:
        return bool(self.holdings)

    def copy(self) -> "Position":
        return Position(dict(self.holdings), self.realised)

    def trade(self, contract: int, qty: float, value: float, leg: str = "") -> None:
        """Book a trade of `qty` (signed, not zero) worth `value` = price x qty x point value.

        Adding to a holding adds up quantity and cost. Reducing one realises average cost x traded quantity
        (signed) - traded value, and shrinks the cost in proportion. A trade through zero closes, then opens.
        """
        held = self.holdings.get(contract)
        if held is None:
            self.holdings[contract] = Holding(qty, value, leg)
        elif (held.qty > 0) == (qty > 0):
            self.holdings[contract] = Holding(held.qty + qty, held.cost + value, held.leg)
        elif abs(qty) < abs(held.qty):
            released = held.cost / held.qty * qty
            self.realised += released - value
            self.holdings[contract] = Holding(held.qty + qty, held.cost + released, held.leg)
        else:
            closing = -held.qty / qty  # the share of the trade that closes the holding
            self.realised += -held.cost - value * closing
            left = qty + held.qty
            del self.holdings[contract]
            if left:
                self.holdings[contract] = Holding(left, value * (1.0 - closing), leg)
