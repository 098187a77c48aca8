"""Imports at the same time, in processes of their own: one after the other, none lost."""

import subprocess
import sys

import pytest

from exo_registry.market import coverage, load_market
from exo_registry.models import Product, Revision
from tests.paths import ROOT

from .packs import changed, small_pack, write_pack

SYMBOLS = ["ES", "NQ", "YM"]


def pack_of(symbol: str):
    tables = changed(small_pack(), "instruments", 0, exchangesymbol=symbol)
    for rows in tables.values():
        for row in rows:
            for name in ("contractname", "optionname"):
                if name in row:
                    row[name] = row[name].replace("ES", symbol)
            if "monthint" in row:
                row["exchangesymbol"] = symbol
    return tables


@pytest.mark.django_db(transaction=True)
def test_imports_at_the_same_time(child_env, tmp_path):
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "manage.py"),
                "importmarket",
                str(write_pack(tmp_path / symbol, pack_of(symbol))),
            ],
            env=child_env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for symbol in SYMBOLS
    ]
    output = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], output
    assert Revision.objects.count() == 3
    for product in Product.objects.all():
        assert len(load_market(product).names) == 10
        assert coverage(product)["vols"]["rows"] == 24


@pytest.mark.django_db(transaction=True)
def test_exit_status_and_streams(child_env, tmp_path):
    """1 for a pack with problems, reported on stderr; 2 for a folder that is not there."""
    bad = changed(small_pack(), "contracts_bars", 0, close="-1e10")
    cases = [(write_pack(tmp_path / "bad", bad), 1, "close = '-1e10'"), (tmp_path / "none", 2, "is not a folder")]
    for folder, status, message in cases:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "importmarket", str(folder)],
            env=child_env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (status, "")
        assert message in done.stderr
