"""What importmarket says beside its report: the next command."""

import pytest
from django.core.management import call_command

from exo_registry.models import Series

from .packs import small_pack, write_pack

pytestmark = pytest.mark.django_db


@pytest.fixture
def imported(tmp_path, capsys):
    """`imported("--activate")`: import the small pack and give what was printed."""
    folder = write_pack(tmp_path, small_pack())

    def imported(*options: str) -> str:
        call_command("importmarket", str(folder), *options)
        return capsys.readouterr().out

    return imported


def test_series_follow_a_product_that_is_activated_and_the_next_command_computes_them(imported, make_definition):
    make_definition("ContFut")
    assert "runexo" not in imported()
    assert not Series.objects.exists()
    assert "Next: manage.py runexo ES -B 2020-03-02\n" in imported("--activate")
    assert Series.objects.get().name == "ES_ContFut"


def test_without_a_definition_it_says_how_to_get_one(imported):
    printed = imported("--activate")
    assert "No EXO definition is on ES: add one in the admin" in printed
    assert "runexo ES -B 2020-03-02" in printed


def test_what_is_computed_already_needs_no_next_command(imported, make_definition):
    make_definition("ContFut")
    imported("--activate")
    Series.objects.update(last_session="2020-03-03")
    assert "runexo" not in imported()


def test_it_warns_where_rules_and_data_do_not_fit(tmp_path, capsys):
    """A future that expires on a Saturday."""
    tables = {name: small_pack()[name] for name in ("instruments", "contracts", "contracts_bars")}
    tables["contracts"][0]["expirationdate"] = "2020-03-07"
    call_command("importmarket", str(write_pack(tmp_path, tables)))
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: 1 contract expires on days that are no sessions of ES, such as F.ESH20: the session before, "
        "2020-03-06, is its effective expiry."
    ]
