"""What callers send to the API and get from it, as types: requests are parsed by them, the OpenAPI document is made
from them, and tests hold the answers to them.

Numbers are null where there is none, and where they are not finite. Dates are session dates, YYYY-MM-DD; moments are
ISO 8601 with their offset.
"""

import datetime as dt
from typing import Annotated, Any, Literal

import pydantic
from django.utils import timezone
from pydantic import BaseModel, Field

from exo_registry.models import Run, Status
from exo_registry.models.bounds import FIRST_DATE, LARGEST_KEY, LAST_DATE, parse_date
from exo_registry.runs.request import DEFAULT_MODE
from exo_registry.series.assessment import State
from exo_registry.series.causes import Category
from exo_registry.series.position import WHAT_IF_LIMITS

from .endpoint import Query

MOST_SERIES = 500  # of one page of the list
MOST_RUNS = 500

Cell = str | int | float | bool | None  # of a column
Format = Literal["json", "csv", "parquet"]
DataKind = Annotated[
    Literal["quoted", "modelled", "synthetic"],
    Field(description="Of the product's market data: quoted in a market, modelled at least in part, or synthetic."),
]
SeriesName = Annotated[str, Field(pattern=r"^[^/]+$", max_length=100, description="Such as `ES_ContFut`.")]
RunId = Annotated[int, Field(ge=1, le=LARGEST_KEY)]


def _session_date(value: Any) -> dt.date:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a date: write it as YYYY-MM-DD, in quotes")
    return parse_date(value)


def _past(date: dt.date) -> dt.date:
    if date >= timezone.now().date():
        raise ValueError(f"{date} is not in the past: a run computes sessions that have been")
    return date


SessionDate = Annotated[
    dt.date,
    pydantic.BeforeValidator(_session_date),
    Field(description=f"A session date from {FIRST_DATE} to {LAST_DATE}."),
]
PastSession = Annotated[SessionDate, pydantic.AfterValidator(_past)]


def _split(text: Any) -> Any:
    return text.split(",") if isinstance(text, str) else text


Names = Annotated[list[Annotated[str, Field(min_length=1, pattern=r"^[^,]+$")]], pydantic.BeforeValidator(_split)]


class Error(BaseModel):
    """Why a request was refused, or failed."""

    model_config = pydantic.ConfigDict(extra="forbid")
    error: str = Field(description="One sentence or more: the thing, the reason and the remedy.")
    parameter: str | None = Field(None, description="The parameter, or the field of the body, at fault.")
    run: int | None = Field(None, description="The run that computes one of the series already.")
    url: str | None = Field(None, description="The page of that run.")


class Index(BaseModel):
    """Where everything is."""

    version: str = Field(description="Of exoweb.")
    links: dict[str, str] = Field(description="Addresses by what is there.")


# -- series -----------------------------------------------------------------------------------------------------------


class SeriesQuery(Query):
    product: str | None = Field(None, description="Only series of this product, such as `ES`.")
    definition: str | None = Field(None, description="Only series of this EXO definition, such as `ContFut`.")
    limit: int = Field(100, ge=1, le=MOST_SERIES, description="Series of a page.")
    after: str | None = Field(None, description="Only series whose names come after this one: how `next` goes on.")


class StaleCause(BaseModel):
    """An input that is no longer what the series was computed from."""

    category: Literal[*(category.value for category in Category)]
    name: str = Field(description="Which input, such as `legs[0].qty` or `ES_ContFut`.")
    change: str = Field(description="What changed, in plain English.")
    old: Any = Field(description="Null: there was none, or it is not recorded.")
    new: Any
    since: dt.datetime | None = Field(description="When the new one came into force; null: not recorded.")


class SeriesSummary(BaseModel):
    """A series with its newest values, and how it is."""

    name: str
    product: str
    definition: str = Field(description="The name of its EXO definition.")
    direction: str = Field(description="Empty for an algorithm with one direction.")
    currency: str
    data_kind: DataKind
    first_date: dt.date | None
    last_date: dt.date | None
    value: float | None = Field(description="Of the newest point: profit and loss so far, net of costs.")
    previous_value: float | None = Field(description="Of the point before.")
    change: float | None = Field(description="From the point before to the newest one.")
    change_sessions: int | None = Field(
        description="Sessions that it is over: more than one if there are gaps between."
    )
    delta: float | None
    capital: float | None = Field(
        description="Declared on its definition: what returns are on. Null: the notional at the start of each year."
    )
    points: int
    gaps: int
    computed_at: dt.datetime | None
    state: Literal[*(state.value for state in State)]
    why: str = Field(description="Why it is in that state; empty if it is fresh.")
    causes: list[StaleCause] = Field(description="Inputs that are no longer what it was computed from.")
    missing: int = Field(description="Complete sessions after its last one that it lacks.")
    url: str = Field(description="Its points as JSON.")


class SeriesPage(BaseModel):
    """Series by name, a page at a time."""

    series: list[SeriesSummary]
    next: str | None = Field(description="The address of the next page; null on the last one.")


def in_order(to: dt.date | None, before: pydantic.ValidationInfo) -> dt.date | None:
    """Refuses a `to` before the `from` of the same query."""
    start = before.data.get("from_")
    if start and to and start > to:
        raise ValueError(f"{to} is before from={start}: swap them")
    return to


class PointsQuery(Query):
    from_: SessionDate | None = Field(None, alias="from")
    to: SessionDate | None = None
    columns: Names | None = Field(None, description="Names of columns, in the order wanted; without it, all.")

    @pydantic.field_validator("to")
    @classmethod
    def _in_order(cls, to: dt.date | None, before: pydantic.ValidationInfo) -> dt.date | None:
        return in_order(to, before)


class Points(BaseModel):
    """The points of a series: each column is a list, one value a session, oldest first."""

    name: str
    currency: str
    data_kind: DataKind
    points: dict[str, list[Cell]]


class Trades(BaseModel):
    """The trades of a series: each column is a list, one value a trade, oldest first."""

    name: str
    currency: str
    data_kind: DataKind
    trades: dict[str, list[Cell]]


def _part(name: str, description: str) -> Any:
    low, high = WHAT_IF_LIMITS[name]
    return Field(0.0, ge=low, le=high, allow_inf_nan=False, description=description)


class PositionQuery(Query):
    price: float = _part("price", "What if prices were so many points higher.")
    vol: float = _part(
        "vol",
        "What if volatilities were so much higher; 0.01 is one volatility point: 1 % a year, of bachelier 1 point.",
    )
    days: float = _part("days", "What if so many calendar days had passed.")


class Greeks(BaseModel):
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None


class Holding(BaseModel):
    """A contract that is held. Prices are in points, value and profit in the currency."""

    contract: str
    leg: str
    right: Literal["F", "C", "P"]
    qty: float
    future: str
    future_price: float | None
    strike: float | None
    expiry: dt.date
    days: int
    volatility: float | None = Field(description="A fraction a year; of a product with bachelier points a year.")
    stale_days: int
    average_price: float | None
    price: float | None
    value: float | None
    profit: float | None
    greeks: Greeks = Field(description="In points, times the quantity.")
    greeks_currency: Greeks


class Total(BaseModel):
    value: float | None
    profit: float | None
    greeks: Greeks
    greeks_currency: Greeks


class WhatIfParts(BaseModel):
    price: float
    vol: float
    days: float


class PayoffCurves(BaseModel):
    """Profit and loss in the currency over prices of the reference future, ascending."""

    prices: list[float | None]
    at_expiry: list[float | None]
    at_day: list[float | None]


class ProfitExtremes(BaseModel):
    """Highest and lowest profit at expiry, and the lowest price at which each is reached; null: without bound."""

    highest: float | None
    highest_at: float | None
    lowest: float | None
    lowest_at: float | None
    unbounded: list[Literal["highest", "lowest"]]


class Position(BaseModel):
    """What a series holds after its last point, valued at that session; `after`: after the what-if."""

    series: str
    currency: str
    data_kind: DataKind
    date: dt.date
    price: float | None
    days_to_expiry: int | None
    exo: float | None
    realised: float | None
    costs: float | None
    what_if: WhatIfParts
    rows: list[Holding]
    total: Total
    after: Total
    payoff: PayoffCurves
    break_evens: list[float]
    extremes: ProfitExtremes


# -- runs -------------------------------------------------------------------------------------------------------------

RunStatus = Literal[*Status.values]


class RunsQuery(Query):
    status: RunStatus | None = None
    limit: int = Field(100, ge=1, le=MOST_RUNS)


class RunRequest(BaseModel):
    """What a run is asked for. Names that are not given mean all of them; `start` as `runexo -B` takes it."""

    model_config = pydantic.ConfigDict(extra="forbid")
    products: list[str] | None = Field(None, examples=[["ES"]], description="Symbols of products.")
    definitions: list[str] | None = Field(None, description="Names of EXO definitions.")
    series: list[str] | None = Field(None, description="Names of series.")
    start: PastSession | None = Field(None, description="The first session of series that have no points yet.")
    until: PastSession | None = Field(None, description="The last session; without it, the newest complete one.")
    mode: Literal["missing", "stale", "reset"] = DEFAULT_MODE.value
    dry_run: pydantic.StrictBool = Field(False, description="Answer the plan and start nothing.")


class StepCounts(BaseModel):
    total: int
    ended: int
    failed: int


class SessionCounts(BaseModel):
    total: int
    done: int


class RunSummary(BaseModel):
    id: RunId
    url: str = Field(description="Its page.")
    status: RunStatus
    cancelling: bool
    kind: Literal[*Run.Kind.values]
    mode: Literal[*Run.Mode.values]
    source: Literal[*Run.Source.values]
    user: str | None
    start: dt.date | None
    until: dt.date | None
    created: dt.datetime
    started: dt.datetime | None
    finished: dt.datetime | None
    series: StepCounts
    sessions: SessionCounts


class RunStep(BaseModel):
    """One series of a run."""

    series: str
    product: str
    status: RunStatus
    why: str
    sessions: SessionCounts
    gaps: int
    rows_written: int
    attempt: int
    error: str | None


class RunWithSteps(RunSummary):
    steps: list[RunStep]


class RunPage(BaseModel):
    """The latest runs, newest first."""

    runs: list[RunSummary]


class OneRun(BaseModel):
    run: RunWithSteps


class StartedRun(OneRun):
    problems: list[str] = Field(description="What could not be planned, and why.")


class RequeuedRun(OneRun):
    steps: int = Field(description="How many steps wait again.")


class NothingStarted(BaseModel):
    run: None
    message: str
    problems: list[str]


class PlannedItem(BaseModel):
    series: str
    action: str
    sessions: int
    first: dt.date | None
    last: dt.date | None
    why: str


class PlannedRun(BaseModel):
    mode: Literal[*Run.Mode.values]
    series: int
    sessions: int
    problems: list[str]
    items: list[PlannedItem]


class DryRun(BaseModel):
    plan: PlannedRun
