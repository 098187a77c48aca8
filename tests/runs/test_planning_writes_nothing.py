"""Looking at a plan, on the page, in the shell or over the API, writes nothing to the database."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exo_registry.models import Definition, Run, Series

from .conftest import START

pytestmark = pytest.mark.django_db

WRITES = ("INSERT", "UPDATE", "DELETE", "COPY", "REPLACE", "ALTER", "CREATE", "DROP")


@pytest.fixture
def unsynced(es, contfut) -> None:
    """A definition whose series are not there, as after code that adds a direction, and one to be renamed."""
    Definition.objects.create(name="Later", algorithm="algorithms.continuous_future.ContinuousFuture")
    Definition.objects.filter(pk=contfut.pk).update(name="Renamed")


def preview_on_the_page(client) -> str:
    return client.get(f"/runs/new/?start={START}").text


def dry_run_in_the_shell(client, capsys) -> str:
    call_command("runexo", "-B", str(START), "--dry-run")
    return capsys.readouterr().out


def dry_run_over_the_api(client) -> str:
    return client.post("/api/v1/runs/", {"start": str(START), "dry_run": True}, content_type="application/json").text


@pytest.mark.parametrize("ask", [preview_on_the_page, dry_run_in_the_shell, dry_run_over_the_api])
def test_a_preview_writes_nothing(unsynced, admin_client, capsys, ask):
    more = (capsys,) if ask is dry_run_in_the_shell else ()
    with CaptureQueriesContext(connection) as queries:
        shown = ask(admin_client, *more)
    assert "ES_ContFut" in shown
    statements = [query["sql"] for query in queries]
    assert statements
    assert [sql for sql in statements if sql.lstrip().upper().startswith(WRITES)] == []
    assert list(Series.objects.values_list("name", flat=True)) == ["ES_ContFut"]
    assert not Run.objects.exists()
