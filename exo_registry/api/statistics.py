"""The types of a series' statistics: what its page shows, with every digit."""

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from algorithms.analysis.statistics import DEFINITIONS, CapitalBasis
from exo_registry.models.bounds import CAPITAL

from .endpoint import Query
from .schemas import DataKind, SessionDate, in_order


class StatisticsQuery(Query):
    from_: SessionDate | None = Field(None, alias="from", description="Sessions from this date on.")
    to: SessionDate | None = Field(None, description="Sessions up to this date.")
    capital: float | None = Field(
        None, ge=CAPITAL.low, le=CAPITAL.high, description="In the currency, in place of the series' own."
    )

    @field_validator("to")
    @classmethod
    def _in_order(cls, to: dt.date | None, before: ValidationInfo) -> dt.date | None:
        return in_order(to, before)


class ChangeBetweenPoints(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    date: dt.date = Field(description="Of the later point.")
    change: float
    sessions: int = Field(description="That the change is over: more than one if there are gaps between the points.")


class YearOfStatistics(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    year: int
    months: list[float | None] = Field(description="Twelve changes of exo; null without a point.")
    total: float
    capital: float | None
    total_return: float | None


def _defined(name: str) -> Any:
    return Field(description=DEFINITIONS[name])


class SeriesStatistics(BaseModel):
    """Money is in the currency; returns, volatility, rates and shares are fractions; null: it cannot be computed."""

    model_config = ConfigDict(from_attributes=True)
    points: int = Field(description="Sessions with a value.")
    gaps: int = Field(description="Sessions without one.")
    changes_over_gaps: int = Field(description="Changes that are over more than one session.")
    stale_sessions: int = _defined("stale_sessions")
    oldest_bar: int = _defined("oldest_bar")
    first: dt.date | None = Field(description="Session of the first point.")
    last: dt.date | None = Field(description="Session of the last point.")
    years: float | None = Field(description="Calendar days / 365.25.")
    capital: float | None = _defined("capital")
    capital_basis: CapitalBasis = Field(description="Unknown: a year with a change has none.")
    profit: float | None = _defined("profit")
    total_return: float | None = _defined("total_return")
    annual_profit: float | None = _defined("annual_profit")
    annual_return: float | None = _defined("annual_return")
    mean_return: float | None = _defined("mean_return")
    annual_deviation: float | None = _defined("annual_deviation")
    volatility: float | None = _defined("volatility")
    sharpe: float | None = _defined("sharpe")
    sortino: float | None = _defined("sortino")
    max_drawdown: float | None = _defined("max_drawdown")
    drawdown_return: float | None = _defined("drawdown_return")
    peak: dt.date | None = _defined("peak")
    trough: dt.date | None = _defined("trough")
    recovery: dt.date | None = _defined("recovery")
    calmar: float | None = _defined("calmar")
    hit_rate: float | None = _defined("hit_rate")
    best: ChangeBetweenPoints | None = _defined("best")
    worst: ChangeBetweenPoints | None = _defined("worst")
    months: list[YearOfStatistics] = _defined("months")
    trades: int = _defined("trades")
    contracts_traded: float = _defined("contracts_traded")
    turnover: float | None = _defined("turnover")
    average_holding: float | None = _defined("average_holding")
    in_market: float | None = _defined("in_market")
    costs: float | None = _defined("costs")


class Statistics(BaseModel):
    """The statistics of a series, whole or since a date."""

    series: str
    currency: str
    data_kind: DataKind
    statistics: SeriesStatistics
