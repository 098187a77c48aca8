"""The example notebook runs from top to bottom, and shows what the engine computes."""

import nbformat
import pytest
from nbclient import NotebookClient

from algorithms.notebook import Market, run
from tests.paths import PACKS, ROOT

NOTEBOOK = ROOT / "docs/notebooks/series.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def tables(notebook) -> list[str]:
    """The text of every result that its cells show."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]


def test_it_is_kept_without_results(notebook):
    assert not tables(notebook)
    assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {None}


@pytest.mark.slow
def test_it_runs_and_shows_the_figures_of_the_engine(notebook, tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    shown = tables(notebook)
    collar = run("algorithms.collar.BullishCollar", Market.from_pack(PACKS / "es_modelled", "ES"), first="2015-01-01")
    assert repr(collar) in shown
    (statistics,) = [table for table in shown if "sharpe" in table]
    profit = next(line for line in statistics.splitlines() if line.startswith("profit")).split()
    assert float(profit[1]) == pytest.approx(collar.statistics.profit, rel=1e-5)
    (position,) = [table for table in shown if "theta" in table]
    assert all(contract in position for contract, *_ in collar.result.state["holdings"])
