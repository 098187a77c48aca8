"""The machinery under the strategies: numpy in, numpy out, no Django.

What an algorithm's author needs is named here; the modules have the rest.
"""

from .algorithm import Algorithm, Parameters, Signal
from .errors import AlgorithmError, ChainTooShort, EngineError, Gap, PackError, QuoteMissing
from .history import History
from .legs import Leg, call, future, put
from .loop import run
from .market import Market
from .opening import can_open, open_legs
from .rows import Costs, PointRow, Result, TradeRow
from .session import Session
from .tables import ProductRules

__all__ = [
    "Algorithm",
    "AlgorithmError",
    "ChainTooShort",
    "Costs",
    "EngineError",
    "Gap",
    "History",
    "Leg",
    "Market",
    "PackError",
    "Parameters",
    "PointRow",
    "ProductRules",
    "QuoteMissing",
    "Result",
    "Session",
    "Signal",
    "TradeRow",
    "call",
    "can_open",
    "future",
    "open_legs",
    "put",
    "run",
]
