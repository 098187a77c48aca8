"""The desk's own series, the whole way: a market pack imported, runexo, and what exportexo writes."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from django.core.management import call_command

from exo_registry.models import Gap
from tests.paths import DATA, GOLDEN, needs_shared

pytestmark = [pytest.mark.django_db, pytest.mark.slow, needs_shared]

PLAIN = {
    "ContFut": "continuous_future.ContinuousFuture",
    "CollarBW": "collar.BrokenWingCollar",
    "Spread": "vertical_spread.VerticalSpread",
    "BullishCollar": "collar.BullishCollar",
    "BullishCall": "long_call.BullishCall",
}
COUNTS = ["is_rollover", "nfutures_executed", "nfutures_opened", "noptions_executed", "noptions_opened"]


def regime_definitions() -> list[dict]:
    """The definitions that the golden regime series were made with, as their README gives them."""
    text = (GOLDEN / "README.md").read_text()
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])


def exported(name: str, tmp_path: Path, *options: str) -> pd.DataFrame:
    path = tmp_path / f"{name}{'-'.join(options)}.csv"
    call_command("exportexo", name, *options, "-o", str(path), verbosity=0)
    return pd.read_csv(path)


def golden(folder: str, name: str, kind: str = "") -> pd.DataFrame | None:
    for suffix in ("csv", "csv.gz"):
        path = GOLDEN / folder / f"{name}{kind}.{suffix}"
        if path.exists():
            return pd.read_csv(path).rename(columns={"usdvalue": "value", "quantity": "qty"})
    return None


def check(folder: str, name: str, tolerance: float, tmp_path: Path) -> None:
    points, expected = exported(name, tmp_path), golden(folder, name)
    assert points["date"].tolist() == expected["date"].tolist()
    assert (points["exo"] - expected["exo"]).abs().max() <= tolerance
    assert (points[COUNTS] == expected[COUNTS]).all(axis=None)
    trades, expected = exported(name, tmp_path, "--trades"), golden(folder, name, ".trades")
    for column in ("date", "contract", "qty"):
        assert trades[column].tolist() == expected[column].tolist()
    gaps = golden(folder, name, ".errors")
    if gaps is None:
        gaps = golden(folder, name, ".gaps")
    stored = Gap.objects.filter(series__name=name).order_by("date").values_list("date", flat=True)
    assert [date.isoformat() for date in stored] == ([] if gaps is None else gaps["date"].tolist())


@pytest.mark.parametrize(
    ("pack", "folders"),
    [
        ("futures_real", {"futures_real": 1e-6}),
        ("spx_2018", {"spx_2018": 0.50}),
        ("es_modelled", {"es_modelled": 2.0, "es_modelled_regime": 1e-6}),
    ],
)
def test_series_equal_the_golden_ones(pack, folders, make_definition, tmp_path, capsys):
    call_command("importmarket", str(DATA / pack), "--activate")
    for name, algorithm in PLAIN.items():
        if pack != "futures_real" or name == "ContFut":
            make_definition(name, f"algorithms.{algorithm}")
    if "es_modelled_regime" in folders:
        for one in regime_definitions():
            make_definition(one["name"], one["algorithm"], parameters=one["parameters"])
    call_command("runexo", "-B", "2011-06-01")
    for folder, tolerance in folders.items():
        names = {path.name.partition(".")[0] for path in (GOLDEN / folder).iterdir()}
        for name in sorted(names):
            check(folder, name, 1e-6 if name.endswith("_ContFut") else tolerance, tmp_path)
