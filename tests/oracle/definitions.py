"""Definitions, as the engine takes them and as the oracle does, with every leg written down once more."""

import datetime as dt
import importlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from algorithms.engine import Algorithm, History, Result, run
from algorithms.engine.market import Market

from .engine import engine_market
from .quotes import Quotes
from .simulator import Outcome, Strategy, simulate
from .strategies import DeltaTarget, FixedLegs, RegimeSpread
from .tables import Tables


def leg(right: str, qty: float, **way: float) -> dict:
    """A leg of a definition: F, or an option by one of offset, delta and moneyness."""
    return {"right": right, "qty": qty} | way


FUTURE = leg("F", 1)


@dataclass(frozen=True)
class Definition:
    """What a series is computed of, besides its market.

    Attributes:
        name: Of the test case.
        strategy: The oracle's.
        algorithm: Path of the engine's, after `algorithms.`.
        parameters: Of the algorithm, as a registry file has them.
        direction: Of the algorithm.
    """

    name: str
    strategy: Strategy
    algorithm: str = "fixed_legs.FixedLegs"
    parameters: dict = field(default_factory=dict)
    direction: str = ""

    def build(self) -> Algorithm:
        module, _, name = self.algorithm.rpartition(".")
        algorithm = getattr(importlib.import_module(f"algorithms.{module}"), name)
        return algorithm(algorithm.Parameters(**self.parameters), self.direction)


CONTFUT = Definition("ContFut", FixedLegs([FUTURE]), "continuous_future.ContinuousFuture")


def preset(name: str, algorithm: str, legs: list[dict], direction: str = "") -> Definition:
    """An algorithm with the legs that its description names, left at its own parameters."""
    return Definition(name, FixedLegs(legs), algorithm, direction=direction)


def fixed(name: str, *legs: dict) -> Definition:
    return Definition(name, FixedLegs(list(legs)), parameters={"legs": list(legs)})


def delta_target(name: str, legs: list[dict], **parameters: object) -> Definition:
    return Definition(
        name,
        DeltaTarget(legs, **parameters),
        "delta_target.DeltaTarget",
        {"legs": legs} | parameters,
    )


def regime_spread(name: str, signal: str, settings: dict, **zones: dict) -> Definition:
    path = {"ichimoku": "regime_spread.IchimokuSpread", "swing": "regime_spread.SwingpointSpread"}[signal]
    return Definition(name, RegimeSpread(signal, settings, zones), path, settings | zones)


def zone(*legs: dict, **band: float) -> dict:
    return {"legs": list(legs), "band": band}


BULLISH = zone(leg("C", 1, delta=0.60), leg("C", -1, delta=0.15), low=0.25, high=0.75)
BEARISH = zone(leg("P", 1, delta=-0.60), leg("P", -1, delta=-0.15), low=-0.75, high=-0.25)
NEUTRAL = zone(leg("P", 1, offset=-2), leg("F", 1), low=0.2, high=0.7, low_after_days=3, high_after_days=0)
ZONES = {"bullish": BULLISH, "bearish": BEARISH, "neutral": NEUTRAL}
WINDOWS = {"conversion": 3, "base": 6, "displacement": 4, "span_b": 9}

PRESETS = [
    CONTFUT,
    preset(
        "BullishCollarBW",
        "collar.BrokenWingCollar",
        [leg("P", 1, offset=-5), FUTURE, leg("C", -1, offset=5), leg("C", 1, offset=9)],
        "bullish",
    ),
    preset(
        "BearishCollarBW",
        "collar.BrokenWingCollar",
        [leg("C", 1, offset=5), leg("F", -1), leg("P", 1, offset=-9), leg("P", -1, offset=-5)],
        "bearish",
    ),
    preset("BullishCollar", "collar.BullishCollar", [FUTURE, leg("C", -1, offset=5), leg("P", 1, offset=-5)]),
    preset("CallSpread", "vertical_spread.VerticalSpread", [leg("C", 1, offset=-2), leg("C", -1, offset=10)], "call"),
    preset("PutSpread", "vertical_spread.VerticalSpread", [leg("P", 1, offset=2), leg("P", -1, offset=-10)], "put"),
    preset("BullishCall", "long_call.BullishCall", [leg("C", 1, offset=0)]),
    preset("BuyWrite", "indexes.BuyWrite", [FUTURE, leg("C", -1, offset=0)]),
    preset("PutWrite", "indexes.PutWrite", [leg("P", -1, offset=0)]),
    preset("Collar95110", "indexes.Collar95110", [FUTURE, leg("P", 1, moneyness=0.95), leg("C", -1, moneyness=1.10)]),
    preset(
        "IronCondor",
        "indexes.IronCondor",
        [leg("P", 1, delta=-0.05), leg("P", -1, delta=-0.20), leg("C", -1, delta=0.20), leg("C", 1, delta=0.05)],
    ),
    preset(
        "IronButterfly",
        "indexes.IronButterfly",
        [leg("P", 1, moneyness=0.95), leg("P", -1, offset=0), leg("C", -1, offset=0), leg("C", 1, moneyness=1.05)],
    ),
]
OTHERS = [
    fixed("ratio", leg("C", 2, offset=1), leg("C", -3, offset=1), leg("P", 1.5, delta=-0.8), leg("F", -2)),
    fixed("straddle", leg("C", -1, delta=0.5), leg("P", -1, delta=-0.5), leg("C", 1, delta=0.97)),
    delta_target("band", [FUTURE, leg("P", 1, offset=-1)], band={"low": 0.4, "high": 0.8}),
    delta_target("waiting band", [leg("C", 1, delta=0.4)], band={"low": 0.3, "high": 0.6, "high_after_days": 3}),
    delta_target("days", [leg("C", -1, delta=0.3), leg("C", 1, delta=0.1)], max_days=3),
    delta_target("next session", [leg("C", 1, offset=0)], max_days=5, band={"low": 0.3}, reopen="next_session"),
    delta_target("next roll", [leg("P", -1, delta=-0.3), FUTURE], max_days=4, reopen="next_roll"),
    delta_target("next roll of a future", [leg("F", -1)], max_days=6, reopen="next_roll"),
    regime_spread("ichimoku", "ichimoku", WINDOWS, **ZONES),
    regime_spread("ichimoku, span a", "ichimoku", WINDOWS | {"spans": "a"}, **ZONES),
    regime_spread(
        "ichimoku, flat when neutral", "ichimoku", {"span_b": 12, "base": 5}, bullish=BULLISH, bearish=BEARISH
    ),
    regime_spread("swing", "swing", {"high_threshold": 2, "low_threshold": 2}, **ZONES),
    regime_spread("swing, neutral alone", "swing", {"low_threshold": 1}, neutral=zone(leg("C", 3, delta=0.05))),
]
DEFINITIONS = PRESETS + OTHERS


@dataclass
class Desk:
    """A market, and what the oracle and the engine make of definitions on it."""

    tables: Tables

    @cached_property
    def quotes(self) -> Quotes:
        return Quotes(self.tables)

    @cached_property
    def market(self) -> Market:
        return engine_market(self.tables)

    @cached_property
    def continuous(self) -> Outcome:
        return simulate(self.quotes, CONTFUT.strategy)

    @cached_property
    def continuous_history(self) -> History:
        points = run(CONTFUT.build(), self.market).points
        return History(
            np.array([point.date for point in points], "datetime64[D]"), np.array([point.gross for point in points])
        )

    def by_oracle(self, definition: Definition) -> Outcome:
        """What the rules say."""
        return simulate(self.quotes, definition.strategy, self.continuous)

    def by_engine(self, definition: Definition) -> Result:
        """What the engine computes."""
        algorithm = definition.build()
        return run(algorithm, self.market, histories=dict.fromkeys(algorithm.needs(), self.continuous_history))


def trades_of(result: Outcome | Result) -> list[tuple[dt.date, str, float, str]]:
    """Trades in their order, without the prices."""
    return [(trade.date, trade.contract, trade.qty, trade.reason) for trade in result.trades]


def gaps_of(result: Outcome | Result) -> list[dt.date]:
    return [date for date, _ in result.gaps]
