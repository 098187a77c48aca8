"""Where the tests find things that are not tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("EXOWEB_SHARED") or ROOT.parent / "shared").resolve()
DATA = SHARED / "data"
GOLDEN = SHARED / "golden"

needs_shared = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"no reference data at {SHARED}; set EXOWEB_SHARED to its folder"
)
