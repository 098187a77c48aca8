"""What may be skipped where."""

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT

SKIPPED = """
import pytest

@pytest.mark.golden
def test_figures():
    pytest.skip("no figures here")
"""


@pytest.mark.parametrize(("ci", "outcome"), [({"CI": "true"}, "1 failed"), ({}, "1 skipped")])
def test_a_skipped_golden_test_fails_in_ci(tmp_path, ci, outcome):
    (tmp_path / "test_it.py").write_text(SKIPPED)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    options = ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={tmp_path}", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ci
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert outcome in done.stdout
    assert "no figures here" in done.stdout
