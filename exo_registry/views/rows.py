"""What a table of series shows in a row; shared by the book and the product page."""

from collections.abc import Iterable
from dataclasses import dataclass

from exo_registry.models import Series
from exo_registry.series.assessment import Assessment, assess


@dataclass(frozen=True)
class SeriesRow:
    series: Series
    assessment: Assessment

    @property
    def state(self) -> str:
        return self.assessment.state

    @property
    def why(self) -> str:
        """Why the series is in its state; empty for a fresh one."""
        return self.assessment.why


def series_rows(series: Iterable[Series]) -> list[SeriesRow]:
    """Rows with their freshness, in the order given and in a fixed number of queries."""
    series = list(series)
    assessments = assess(series)
    return [SeriesRow(row, assessments[row.pk]) for row in series]
