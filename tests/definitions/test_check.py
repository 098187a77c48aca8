"""What a check of definitions finds: nothing in what ships, and each fault by name."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from exo_registry.definitions import check, sync_series
from exo_registry.market import import_pack
from exo_registry.models import Definition, Product
from tests.paths import PACKS
from tests.runs.markets import import_bars, weekdays

from .conftest import COLLAR, CONTFUT

FAULTY = "tests.definitions.faulty_samples.faulty"
SWING = "algorithms.regime_spread.SwingpointSpread"
LONG_OR_SHORT = {
    "bullish": {"legs": [{"right": "F", "qty": 1}]},
    "bearish": {"legs": [{"right": "F", "qty": -1}]},
}


@pytest.fixture
def market(es, tmp_path) -> Product:
    """ES with 150 sessions of monthly futures."""
    import_bars(tmp_path / "pack", "ES", weekdays("2020-01-06", 150))
    return es


@pytest.fixture
def faulty(settings):
    settings.ALGORITHM_PACKAGES = ["algorithms", "tests.definitions.faulty_samples"]


def checkexo(*names: str, **options) -> tuple[int, str, str]:
    """Exit status, output and errors of the command."""
    out, err = StringIO(), StringIO()
    try:
        call_command("checkexo", *names, stdout=out, stderr=err, **options)
    except SystemExit as stop:
        return stop.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_it_is_silent_when_all_is_well(market, define):
    define("ContFut", CONTFUT)
    define("Swing", SWING, parameters=LONG_OR_SHORT)
    define("CollarBW", COLLAR, market)
    assert checkexo() == (0, "", "")
    assert checkexo("Swing", quick=True) == (0, "", "")


@pytest.mark.parametrize(
    ("algorithm", "excerpt"),
    [
        ("Peeking", "not known on"),
        ("PeekingAtTheRoll", "not known on"),
        ("Forgetful", "resumed from the stored state"),
        (
            "Failing",
            "Failing failed on 2020-01-06 (tests/definitions/faulty_samples/faulty.py, line 48): ZeroDivisionError",
        ),
        ("NeverPossible", "none of the last 150 sessions of ES from 2020-01-06 can be computed"),
        (
            "BadSignal",
            "BadSignal failed before its first session (tests/definitions/faulty_samples/faulty.py): Att",
        ),
    ],
)
@pytest.mark.parametrize("quick", [True, False])
def test_a_fault_is_named(market, define, faulty, algorithm, excerpt, quick):
    define("ContFut", CONTFUT)
    definition = define("Wrong", f"{FAULTY}.{algorithm}")
    status, out, err = checkexo(quick=quick)
    assert (status, out) == (1, "")
    assert excerpt in err
    assert err.startswith("Wrong: ")
    assert check.check_definition(definition, quick=quick) == [err.strip().removeprefix("Wrong: ")]


def test_each_direction_is_checked_and_named(market, define, faulty):
    definition = define("Both", f"{FAULTY}.FailingShort")
    assert [problem.partition(" on ES")[0] for problem in check.check_definition(definition)] == ["ShortBoth:"]


def test_what_does_not_load_or_validate_is_named_without_a_run(market, define):
    define("ContFut", CONTFUT)
    Definition.objects.create(name="Gone", algorithm="algorithms.gone.Gone")
    Definition.objects.create(name="Odd", algorithm=SWING, parameters={"high_treshold": 2})
    status, _, err = checkexo()
    assert status == 1
    assert "Gone: algorithms.gone.Gone: there is no module algorithms.gone" in err
    assert "Odd: high_treshold" in err
    assert "ContFut" not in err.partition("Available")[0]


def test_a_series_that_is_read_must_be_there(market, define):
    definition = define("Swing", SWING, parameters=LONG_OR_SHORT)
    assert "reads the series ContFut of ES, which no enabled definition makes" in check.check_definition(definition)[0]


def test_without_data_or_products_nothing_is_claimed(make_product, define):
    definition = define("ContFut", CONTFUT)
    assert check.check_definition(definition) == [
        "It has no product and no product is active, so it was not run. Activate one, or name its products."
    ]
    make_product("ES")
    assert check.check_definition(definition) == [
        "There is no market data of ES, so it was not run. Load some with: manage.py importmarket FOLDER"
    ]


def test_a_product_on_which_it_trades_is_found(market, make_product, define, faulty, tmp_path):
    """CL comes first by name and has no session in which the rule allows a future."""
    cl = make_product("CL", rollover_months=[12])
    import_bars(tmp_path / "cl", "CL", weekdays("2020-01-06", 150))
    Product.objects.filter(pk=cl.pk).update(rollover_months=[12])
    define("ContFut", CONTFUT)
    assert check.check_definition(define("Roll", f"{FAULTY}.PeekingAtTheRoll")) != []


def test_an_unknown_name_is_a_bad_argument(market, define):
    define("ContFut", CONTFUT)
    with pytest.raises(CommandError, match=r"There is no EXO definition 'Contfut'. Did you mean ContFut\?") as error:
        call_command("checkexo", "Contfut")
    assert error.value.returncode == 2


def test_a_definition_that_is_switched_off_is_checked_by_name_only(market, define, faulty):
    define("Wrong", f"{FAULTY}.Failing", enabled=False)
    assert checkexo() == (0, "", "")
    assert checkexo("Wrong")[0] == 1


def test_nothing_is_written(market, define, faulty):
    define("Wrong", f"{FAULTY}.Peeking")
    before = list(Definition.objects.values())
    checkexo()
    assert list(Definition.objects.values()) == before
    assert not market.series.exclude(last_session=None).exists()


def test_strategies_with_options_on_real_quotes(db, define):
    import_pack(PACKS / "spx_2018", activate=True)
    define("ContFut", CONTFUT)
    define("CollarBW", COLLAR)
    define("Condor", "algorithms.indexes.IronCondor")
    sync_series()
    assert checkexo() == (0, "", "")
