"""A series' rows as frames and chart columns."""

import io

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from exo_registry.models import Series
from exo_registry.series import frames

from .conftest import DAYS, START
from .test_work import ICHIMOKU, LEGS

pytestmark = pytest.mark.django_db

EXPORTED = [
    "date",
    "exo",
    "delta",
    "is_rollover",
    "nfutures_executed",
    "nfutures_opened",
    "noptions_executed",
    "noptions_opened",
    "costs",
    "gross",
    "stale_days",
]


@pytest.fixture
def contfut_series(es, contfut, compute) -> Series:
    compute(start=START)
    return Series.objects.get()


def test_points_have_the_columns_that_were_promised(contfut_series):
    frame = frames.points_frame(contfut_series)
    assert list(frame.columns) == EXPORTED
    assert len(frame) == 100
    assert set(frame["is_rollover"]) == {0, 1}
    assert frame["date"][0] == DAYS[0]


def test_some_points_and_some_columns(contfut_series):
    frame = frames.points_frame(contfut_series, DAYS[10], DAYS[19], ["date", "exo"])
    assert list(frame.columns) == ["date", "exo"]
    assert frame["date"].tolist() == DAYS[10:20]
    with pytest.raises(frames.ColumnsError, match="has no column gamma; it has date, exo"):
        frames.points_frame(contfut_series, columns=["gamma"])


def test_the_algorithms_own_columns_come_last(es, contfut, make_definition, compute):
    make_definition("Ichi", ICHIMOKU, parameters={"bullish": LEGS})
    compute(start=START)
    series = Series.objects.get(name="ES_Ichi")
    assert list(frames.points_frame(series).columns) == [*EXPORTED, "regime"]
    columns = frames.chart_columns(series)
    assert len(columns["regime"]) == len(columns["date"]) == 100
    assert columns["regime"][0] is None
    assert {-1, 0, 1} & set(columns["regime"])


def test_a_series_without_points(es, contfut):
    from exo_registry.runs import plan

    plan.make_plan()
    series = Series.objects.get()
    assert list(frames.points_frame(series).columns) == EXPORTED
    assert len(frames.trades_frame(series)) == 0
    assert frames.chart_columns(series)["exo"] == []


def test_chart_columns_take_one_query(contfut_series, django_assert_num_queries):
    with django_assert_num_queries(1):
        columns = frames.chart_columns(contfut_series)
    assert columns["date"][0] == DAYS[0].isoformat()
    assert columns["exo"][-1] == contfut_series.last_exo
    assert set(columns["is_rollover"]) == {0, 1}


def test_export_to_stdout(contfut_series, capsys):
    call_command("exportexo", "ES_ContFut")
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(frame.columns) == EXPORTED
    assert frame["exo"].tolist() == frames.points_frame(contfut_series)["exo"].tolist()


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_export_to_a_file(contfut_series, tmp_path, suffix):
    path = tmp_path / f"trades.{suffix}"
    call_command("exportexo", "ES_ContFut", "--trades", "-o", str(path))
    frame = pd.read_parquet(path) if suffix == "parquet" else pd.read_csv(path)
    assert list(frame.columns) == ["date", "contract", "qty", "price", "value", "leg", "reason"]
    assert frame["value"].tolist() == list(contfut_series.trades.values_list("value", flat=True))
    assert [file.name for file in tmp_path.iterdir() if "trades" in file.name] == [path.name]


def test_what_cannot_be_exported_is_refused(contfut_series, tmp_path):
    with pytest.raises(CommandError, match=r"There is no series 'ES_ConFut'\. Did you mean ES_ContFut\?") as caught:
        call_command("exportexo", "ES_ConFut")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match=r"unknown form of file; end it in \.csv"):
        call_command("exportexo", "ES_ContFut", "-o", str(tmp_path / "x.xlsx"))
    with pytest.raises(CommandError, match="x.csv cannot be written: "):
        call_command("exportexo", "ES_ContFut", "-o", str(tmp_path / "nowhere" / "x.csv"))
