"""`runexo --watch`: the loop of somebody who writes an algorithm."""

import os
import signal
import time

import pytest
from django.core.management import CommandError, call_command

from exo_registry.definitions import check
from exo_registry.management import author_loop
from exo_registry.models import Definition, Point, Product, Run
from exo_registry.runs import scratch

from .processes import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(desk):
    """What the loop prints after a save."""
    samples, computed = check.Samples(scratch.TWO_YEARS), {}
    definition = Definition.objects.get()
    return lambda: author_loop.report(definition, [], samples, computed)


def amount(text):
    """The number that a text begins with."""
    return float(text.split()[0].rstrip(",").replace(",", "").replace("−", "-"))


def test_a_save_prints_check_statistics_and_what_changed_and_stores_nothing(desk, report):
    lines = report()
    assert lines[1].endswith("Level: check passed")
    assert lines[2] == "ES_Level: 2020-01-06 to 2020-05-22, 100 sessions"
    profit = amount(lines[3].split("profit, USD ")[1])
    assert profit
    assert len(lines) == 4
    assert report()[-1] == "  unchanged"
    desk.edit(3)
    lines = report()
    changed, _, more = lines[-1].partition("profit ")
    assert changed == "  changed: 100 sessions from 2020-01-06 on, "
    assert amount(more) == pytest.approx(2 * profit, abs=2)
    assert more.endswith("trades 0")
    assert (Run.objects.count(), Point.objects.count()) == (0, 0)


def test_the_definitions_own_costs_are_taken(desk, report):
    Product.objects.update(conventions="legacy")  # where nothing is settled, which costs nothing
    free = report()[3]
    Definition.objects.update(cost_future=10.0)
    definition = Definition.objects.get()
    lines = author_loop.report(definition, [], check.Samples(scratch.TWO_YEARS), {})
    assert free.endswith("costs 0")
    trades = int(lines[3].split("trades ")[1].split()[0])
    assert lines[3].endswith(f"costs {10 * trades}")


def test_a_broken_file_is_told_in_a_sentence_and_cured_by_the_next_save(desk, report):
    report()
    desk.save("LEVEL = \n")
    lines = report()
    assert lines[1].endswith("Level: check failed")
    assert len(lines) == 3
    assert "SyntaxError" in lines[2]
    assert "level.py, line 1" in lines[2]
    desk.edit(1)
    assert report()[-1] == "  unchanged"


def test_a_product_without_market_data_is_told(desk, report, make_product):
    make_product("CL")
    assert "CL_Level: there is no market data of CL. Import some with importmarket." in report()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--watch"], "--watch needs -E NAME."),
        (["--watch", "-E", "Level", "--queue"], "--watch stores nothing: leave --queue out."),
        (["--watch", "-E", "Level", "-B", "2020-01-06"], "--watch stores nothing: leave --backfill out."),
        (["--watch", "-E", "Levle"], "There is no EXO definition 'Levle'. Did you mean Level?"),
    ],
)
def test_bad_arguments(desk, arguments, message):
    with pytest.raises(CommandError) as caught:
        call_command("runexo", *arguments)
    assert message in str(caught.value)
    assert caught.value.returncode == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_command_goes_on_until_ctrl_c(desk, start_process):
    def wait_for(count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while process.log.read_text().count("Ctrl-C ends") < count:
            assert process.poll() is None, process.log.read_text()
            assert time.monotonic() < deadline, process.log.read_text()
            time.sleep(0.1)

    packages = {"PYTHONPATH": desk.folder, "EXOWEB_ALGORITHM_PACKAGES": f"algorithms,{desk.name}"}
    process = start_process("runexo", "-E", "Level", "--watch", **packages)
    wait_for(1)
    desk.edit(2)
    wait_for(2)
    os.kill(process.pid, signal.SIGINT)
    said = process.said()
    assert process.returncode == 0
    assert "Traceback" not in said
    assert "  changed: 100 sessions from 2020-01-06 on" in said
