"""The demonstration: a synthetic market, and a starter registry on it. Nothing of it was ever quoted anywhere."""

from .load import DemoError, load, missing, symbols, wanted
from .market import START

__all__ = ["START", "DemoError", "load", "missing", "symbols", "wanted"]
