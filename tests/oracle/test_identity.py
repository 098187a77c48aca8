"""gross = cash + marks and exo = gross - costs, in every session of every series of the demonstration.

All of it comes from exports: cash is what the trades paid and got, marks are what is held at the values that the
market gives it (worked out by the oracle), costs are the registry's on every trade that is no settlement.
"""

import csv
import datetime as dt
from collections import Counter
from pathlib import Path

import pandas_market_calendars
import pytest
import yaml
from django.core.management import call_command

from exo_registry import demo
from exo_registry.models import Series

from .quotes import Quotes
from .tables import Rules, Tables

FIRST, LAST = dt.date(2018, 1, 2), dt.date(2018, 9, 28)
CLOSE_ENOUGH = 1e-6  # in the currency

pytestmark = pytest.mark.django_db


@pytest.fixture
def exported(time_machine, tmp_path) -> Path:
    """A folder with the demonstration's market, registry, and the points and trades of each of its series."""
    time_machine.move_to(dt.datetime.combine(LAST + dt.timedelta(days=1), dt.time(12), dt.UTC), tick=False)
    call_command("loaddemo", verbosity=0)
    call_command("runexo", *demo.symbols(), backfill=str(FIRST), verbosity=0)
    for symbol in demo.symbols():
        call_command("exportmarket", symbol, output=tmp_path / symbol, format="csv", verbosity=0)
    call_command("exportregistry", output=tmp_path / "registry.yaml", verbosity=0)
    for series in Series.objects.all():
        call_command("exportexo", series.name, output=tmp_path / f"{series.name}.csv", verbosity=0)
        call_command("exportexo", series.name, output=tmp_path / f"{series.name}.trades.csv", trades=True, verbosity=0)
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text[:10])


def quotes(folder: Path, costs: dict[str, float]) -> Quotes:
    """The oracle's quotes of an exported market whose bars are all dates."""
    (product,) = rows(folder / "instruments.csv")
    worth = float(product["tickvalue"]) / float(product["ticksize"])
    option_worth = float(product["optiontickvalue"]) / float(product["optionticksize"])
    tables = Tables(
        Rules(
            point_value=worth,
            option_point_value=option_worth,
            decision_time=dt.time.fromisoformat(product["decision_time"]),
            pricing_model=product["pricing_model"],
            **costs,
        )
    )
    expected = pandas_market_calendars.get_calendar(product["calendar"]).valid_days(FIRST, LAST.replace(LAST.year + 2))
    tables.calendar = [moment.date() for moment in expected]
    for row in rows(folder / "contracts.csv"):
        tables.future(row["contractname"], day(row["expirationdate"]), int(row["monthint"]))
    for row in rows(folder / "contracts_bars.csv"):
        tables.bar(row["contractname"], day(row["datetime"]), float(row["close"]))
    for row in rows(folder / "options.csv"):
        tables.list_option(
            row["optionname"],
            row["contractname"],
            day(row["expirationdate"]),
            float(row["strikeprice"]),
            row["callorput"],
            row.get("optioncode", ""),
        )
    for row in rows(folder / "options_data.csv"):
        tables.volatility(row["optionname"], day(row["date"]), float(row["impliedvol"]))
    for row in rows(folder / "riskfreerate.csv"):
        tables.rate(day(row["date"]), float(row["rate"]))
    return Quotes(tables)


def worth(quotes: Quotes, contract: str) -> float:
    """Currency of a point."""
    return quotes.rules.point_value if contract in quotes.tables.futures else quotes.rules.option_point_value


def cost(quotes: Quotes, trade: dict[str, str]) -> float:
    """The commission of a trade; a settlement has none."""
    if trade["reason"] == "expiry":
        return 0.0
    rules = quotes.rules
    return abs(float(trade["qty"])) * (
        rules.cost_future if trade["contract"] in quotes.tables.futures else rules.cost_option
    )


def largest_difference(quotes: Quotes, points: list[dict[str, str]], trades: list[dict[str, str]]) -> float:
    """Of the exported gross to cash + marks, and of exo to that less costs, over all points."""
    held: Counter[str] = Counter()
    cash = costs = largest = 0.0
    left = list(trades)
    for point in points:
        while left and left[0]["date"] <= point["date"]:
            trade = left.pop(0)
            qty, price = float(trade["qty"]), float(trade["price"])
            assert float(trade["value"]) == pytest.approx(qty * price * worth(quotes, trade["contract"]))
            held[trade["contract"]] += qty
            cash -= qty * price * worth(quotes, trade["contract"])
            costs += cost(quotes, trade)
        session = day(point["date"])
        marks = sum(
            qty * quotes.value(contract, session) * worth(quotes, contract) for contract, qty in held.items() if qty
        )
        gross = cash + marks
        largest = max(largest, abs(float(point["gross"]) - gross), abs(float(point["exo"]) - (gross - costs)))
    assert not left
    return largest


def test_exo_is_cash_and_marks_less_costs_in_every_session_of_every_series(exported):
    registry = yaml.safe_load((exported / "registry.yaml").read_text())
    costs = {
        product["exchangesymbol"]: {name: product[name] for name in ("cost_future", "cost_option")}
        for product in registry["products"]
    }
    markets = {symbol: quotes(exported / symbol, costs[symbol]) for symbol in demo.symbols()}
    differences = {}
    for series in Series.objects.select_related("product"):
        points, trades = rows(exported / f"{series.name}.csv"), rows(exported / f"{series.name}.trades.csv")
        assert len(points) > 100, series.name
        assert trades, series.name
        differences[series.name] = largest_difference(markets[series.product.exchangesymbol], points, trades)
    assert len(differences) == 8 * len(demo.symbols())
    assert {name: size for name, size in differences.items() if size > CLOSE_ENOUGH} == {}
