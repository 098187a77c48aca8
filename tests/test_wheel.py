"""The wheel of the algorithms works alone: typed, without Django, without the application."""

import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from algorithms.collar import BullishCollar
from algorithms.engine import Market, run
from tests.engine.packs import Golden
from tests.paths import PACKS, ROOT

# Prints each point's date and profit, then the profit that the statistics say.
PROGRAM = """
import sys
from algorithms.notebook import Market, run

series = run("algorithms.collar.BullishCollar", Market.from_pack(sys.argv[1], "SPX", conventions="legacy"))
for point in series.result.points:
    print(point.date, repr(point.exo))
print("profit", repr(series.statistics.profit))
assert len(series.points) == len(series.result.points)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_it_holds_the_algorithms_with_their_types_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (described,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        needs = Parser().parsestr(archive.read(described).decode()).get_all("Requires-Dist")
    assert {name.partition("/")[0] for name in names} == {"algorithms", described.partition("/")[0]}
    assert "algorithms/py.typed" in names
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "algorithms").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources
    assert not any("django" in need.lower() for need in needs)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The interpreter of an environment that holds the wheel and what it says it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    (distribution,) = metadata.distributions(name="exoweb-algorithms", path=[str(packages)])
    for name in required(distribution):
        link(metadata.distribution(name), packages)
    pip("--python", python, "check")
    return python


def pip(*command: object) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def required(distribution: metadata.Distribution) -> set[str]:
    """What a distribution requires without its extras, directly or not."""
    names, waiting = set(), [distribution]
    while waiting:
        for requirement in map(Requirement, waiting.pop().requires or ()):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name not in names:
                names.add(requirement.name)
                waiting.append(metadata.distribution(requirement.name))
    return names


def link(distribution: metadata.Distribution, packages: Path) -> None:
    """Have a distribution of this environment in another one, without a download or a copy."""
    for top in {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}:
        (packages / top).symlink_to(distribution.locate_file(top))


@pytest.mark.slow
@pytest.mark.golden
def test_it_computes_a_series_from_a_pack_in_an_environment_without_django(installed, tmp_path):
    command = [installed, "-I", "-c", PROGRAM, PACKS / "spx_2018"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    *points, (_, profit) = [line.split() for line in done.stdout.splitlines()]
    expected = run(BullishCollar(), Market.from_pack(PACKS / "spx_2018", "SPX", conventions="legacy"))
    assert points == [[str(point.date), repr(point.exo)] for point in expected.points]
    assert float(profit) == expected.points[-1].exo
    golden = Golden.read("spx_2018", "SPX_BullishCollar").points.exo
    assert [float(exo) for _, exo in points] == pytest.approx(golden.tolist(), abs=0.50)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["django", "exo_registry", "tests"])
def test_what_is_not_required_is_not_there(installed, package):
    done = subprocess.run([installed, "-I", "-c", f"import {package}"], capture_output=True, text=True, timeout=120)
    assert f"No module named '{package}'" in done.stderr
