"""Series computed without exoweb: in a notebook, a script, another project.

docs/algorithms.md has an example.
No strategy imports this package, so that a change of it makes no stored series stale.
"""

from ..engine.market import Market
from .computing import run
from .series import ComputedSeries

__all__ = ["ComputedSeries", "Market", "run"]
