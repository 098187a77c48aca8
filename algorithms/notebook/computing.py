"""One series computed at once, with the series that it reads."""

import datetime as dt
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from ..continuous_future import ContinuousFuture
from ..engine import Algorithm, Costs, EngineError, Market, Parameters
from ..engine.lookahead import Factory, compute
from .series import ComputedSeries

# Which algorithm: its class, or the dotted path of one, as in a definition.
Choice = type[Algorithm[Any]] | str
READS: Mapping[str, Choice] = {"ContFut": ContinuousFuture}


def run(
    algorithm: Choice,
    market: Market,
    parameters: Parameters | Mapping[str, Any] | None = None,
    *,
    direction: str = "",
    first: dt.date | str | None = None,
    last: dt.date | str | None = None,
    reads: Mapping[str, Choice] = READS,
    costs: Costs | None = None,
    capital: float | None = None,
) -> ComputedSeries:
    """Compute a series from a flat position on, by the same session loop as exoweb.

    Args:
        algorithm: Its class, or the dotted path of one, such as "algorithms.collar.BullishCollar".
        market: The product's quotes, such as `Market.from_pack(folder, symbol)`.
        parameters: As a definition has them; what is left out has its default.
        direction: One of the algorithm's `directions`; needed if it has several.
        first: The first session to compute, as a date or ISO text; None: the market's first.
        last: The last session to compute; None: the market's last.
        reads: The algorithms of the series that it reads, by label. They are computed first, on the same sessions
            and with their default parameters. Signals of regime spreads follow "ContFut", which is given unless
            `reads` is.
        costs: In the currency per contract and side, in place of the product's.
        capital: What the statistics are on, in the currency; None: the notional at the start of each year.

    Returns:
        The rows, and what is made of them. Sessions that lack data are its `gaps`, never zeros.

    Raises:
        ValueError: The path leads to no algorithm, the direction or a date is none, or the parameters do not fit
            (pydantic's ValidationError, which is one, names the field).
        EngineError: The market has no session, or a series that is read is not among `reads`.
        AlgorithmError: The algorithm's code failed; it names file, line and session.
    """
    if not market.dates:
        raise EngineError(f"{market.rules.symbol} has no session: there is no bar of a future on a weekday")
    factory = _factory(algorithm, parameters, direction)
    result = compute(
        factory,
        market,
        _date(last) or market.dates[-1],
        reads={label: _factory(choice) for label, choice in reads.items()},
        first=_date(first),
        costs=costs,
    )
    return ComputedSeries(algorithm=factory(market, {}), market=market, result=result, capital=capital)


def _factory(choice: Choice, parameters: Parameters | Mapping[str, Any] | None = None, direction: str = "") -> Factory:
    """What makes the algorithm. It is made once here, so that what does not fit is refused at once."""
    kind = _load(choice) if isinstance(choice, str) else choice
    if kind is Algorithm or inspect.isabstract(kind):
        raise ValueError(f"{kind.__name__} is a base to build on and computes nothing itself: name a class built on it")
    if not isinstance(parameters, Parameters):
        parameters = kind.Parameters.model_validate(parameters or {})
    made = kind(parameters, direction)
    return lambda _market, _histories: made


def _load(path: str) -> type[Algorithm[Any]]:
    module_name, _, name = path.rpartition(".")
    try:
        algorithm = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be imported: {error}. Name a class by its module, a dot and its name"
        ) from error
    if not (inspect.isclass(algorithm) and issubclass(algorithm, Algorithm)):
        raise ValueError(f"{path} is no algorithm: name a class that extends algorithms.engine.Algorithm")
    return algorithm


def _date(date: dt.date | str | None) -> dt.date | None:
    return dt.date.fromisoformat(date) if isinstance(date, str) else date
