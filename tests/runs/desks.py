"""A package of one strategy whose file a test edits."""

import itertools
from pathlib import Path

from exo_registry.definitions import catalogue
from exo_registry.models import Series

STRATEGY = """
import time
from algorithms.engine import future
from algorithms.fixed_legs import FixedLegs
from .level import LEVEL

class Level(FixedLegs):
    legs = [future(LEVEL)]

    def manage(self, session):
        time.sleep({pause})
        return super().manage(session)
"""
_names = itertools.count()


class Desk:
    """A package of one strategy that holds as many futures as its file `level.py` says."""

    def __init__(self, folder: Path, pause: float) -> None:
        self.name = f"desk_{next(_names)}"
        self.path = f"{self.name}.strategy.Level"
        self.folder, self.root = folder, folder / self.name
        self.levels: dict[str, int] = {}
        self.root.mkdir()
        (self.root / "__init__.py").touch()
        (self.root / "strategy.py").write_text(STRATEGY.format(pause=pause))

    def edit(self, level: int) -> None:
        """Save another level; two-digit levels make files of one size."""
        self.save(f"LEVEL = {level}\n")
        self.levels[catalogue.source_hash(self.path)] = level

    def save(self, text: str) -> None:
        draft = self.root / "draft"
        draft.write_text(text)
        draft.replace(self.root / "level.py")

    def level_of(self, series: Series) -> int:
        """The level in the source that the series' lineage names."""
        return self.levels[series.algorithm_hash]
