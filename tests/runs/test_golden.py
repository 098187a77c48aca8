"""The desk's own series, the whole way: a market pack imported, runexo, and what exportexo writes."""

from pathlib import Path

import pandas as pd
import pytest
from django.core.management import call_command

from exo_registry.models import Gap, Product
from tests.engine.packs import POINT_COUNTS, Golden, regime_definitions
from tests.paths import GOLDEN, PACKS

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.golden]

PLAIN = {
    "ContFut": "continuous_future.ContinuousFuture",
    "CollarBW": "collar.BrokenWingCollar",
    "Spread": "vertical_spread.VerticalSpread",
    "BullishCollar": "collar.BullishCollar",
    "BullishCall": "long_call.BullishCall",
}


def exported(name: str, tmp_path: Path, *options: str) -> pd.DataFrame:
    path = tmp_path / f"{name}{'-'.join(options)}.csv"
    call_command("exportexo", name, *options, "-o", str(path), verbosity=0)
    return pd.read_csv(path)


def check(folder: str, name: str, tolerance: float, tmp_path: Path) -> None:
    golden = Golden.read(folder, name)
    points, expected = exported(name, tmp_path), golden.points.reset_index()
    assert points["date"].tolist() == expected["date"].tolist()
    assert (points["exo"] - expected["exo"]).abs().max() <= tolerance
    assert (points[POINT_COUNTS] == expected[POINT_COUNTS]).all(axis=None)
    trades = exported(name, tmp_path, "--trades")
    for column in ("date", "contract", "qty"):
        assert trades[column].tolist() == golden.trades[column].tolist()
    stored = Gap.objects.filter(series__name=name).order_by("date").values_list("date", flat=True)
    assert [date.isoformat() for date in stored] == golden.gaps


@pytest.mark.parametrize(
    ("pack", "folders"),
    [
        ("futures_real", {"futures_real": 1e-6}),
        ("spx_2018", {"spx_2018": 0.50}),
        ("es_modelled", {"es_modelled": 2.0, "es_modelled_regime": 1e-6}),
    ],
)
def test_series_equal_the_golden_ones(pack, folders, make_definition, tmp_path, capsys):
    call_command("importmarket", str(PACKS / pack), "--activate")
    Product.objects.update(conventions="legacy")  # the rules that the golden series were made by
    for name, algorithm in PLAIN.items():
        if pack != "futures_real" or name == "ContFut":
            make_definition(name, f"algorithms.{algorithm}")
    if "es_modelled_regime" in folders:
        for definition in regime_definitions():
            make_definition(definition["name"], definition["algorithm"], parameters=definition["parameters"])
    call_command("runexo", "-B", "2011-06-01")
    for folder, tolerance in folders.items():
        names = {path.name.partition(".")[0] for path in (GOLDEN / folder).glob("*.trades.csv*")}
        for name in sorted(names):
            check(folder, name, 1e-6 if name.endswith("_ContFut") else tolerance, tmp_path)
