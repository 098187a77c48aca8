"""An author's editor and mypy know the parameters, the session and the result: types go all the way."""

import re
import subprocess
import sys

import pytest

from tests.paths import ROOT

AUTHOR = '''
from algorithms.engine import Algorithm, Leg, Market, Parameters, Session
from algorithms.notebook import run


class Mine(Parameters):
    """What is held."""

    legs: list[Leg]
    months: int = 3


class Holder(Algorithm[Mine]):
    """Holds its legs."""

    def open(self, session: Session) -> None:
        reveal_type(self.parameters.legs)
        reveal_type(self.parameters.months)
        reveal_type(session.find(self.parameters.legs[0]))
        session.trade("ESH26", 1.0)
        self.parameters.lags


class Plain(Algorithm):
    """Has no parameters of its own."""

    def open(self, session: Session) -> None:
        reveal_type(self.parameters)


def profit(market: Market) -> float | None:
    reveal_type(run(Holder, market, Mine(legs=[])).result.points[0].exo)
    run(Session, market)
    return run("desk.Holder", market, {"legs": []}).statistics.profit
'''


@pytest.mark.slow
def test_parameters_session_and_result_are_typed(tmp_path):
    source = tmp_path / "author.py"
    source.write_text(AUTHOR)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", source]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert not done.stderr
    lines = AUTHOR.splitlines()
    said = [(lines[int(at) - 1].strip(), text) for at, text in re.findall(r"author\.py:(\d+): \w+: (.*)", done.stdout)]
    revealed = [text for line, text in said if "reveal_type" in line]
    assert [text.partition('"')[2].rstrip('"') for text in revealed] == [
        "list[algorithms.engine.legs.Leg]",
        "int",
        "int",
        "algorithms.engine.algorithm.Parameters",
        "float",
    ]
    refused = {line: text for line, text in said if "reveal_type" not in line}
    assert set(refused) == {'session.trade("ESH26", 1.0)', "self.parameters.lags", "run(Session, market)"}
    assert 'has no attribute "lags"' in refused["self.parameters.lags"]
