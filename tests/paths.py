"""Where the tests find things that are not tests."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKS = ROOT / "tests" / "data" / "packs"
GOLDEN = ROOT / "tests" / "data" / "golden"
