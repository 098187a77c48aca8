"""importregistry and exportregistry: what they print, and their exit status."""

import io

import pytest
from django.core.management import CommandError, call_command

from exo_registry.models import Definition, Product

TEXT = """
products: [{exchangesymbol: ES, active: true, ticksize: 0.25, tickvalue: 12.5}]
exos: [{name: ContFut, algorithm: algorithms.continuous_future.ContinuousFuture}]
"""


def run(*args):
    out, errors = io.StringIO(), io.StringIO()
    try:
        call_command(*args, stdout=out, stderr=errors)
    except CommandError as error:
        return error.returncode, out.getvalue(), errors.getvalue() + str(error)
    return 0, out.getvalue(), errors.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "registry.yaml"
    path.write_text(TEXT)
    return path


def test_import_prints_what_changed_and_a_second_time_that_nothing_did(db, file):
    status, out, errors = run("importregistry", str(file))
    assert (status, errors) == (0, "")
    assert out.splitlines() == [
        "product ES: added",
        "definition ContFut: added",
        "series ES_ContFut: added",
        "3 changed, 0 unchanged.",
    ]
    assert run("importregistry", str(file)) == (0, "0 changed, 2 unchanged.\n", "")


def test_many_changes_of_a_kind_are_one_line(db, tmp_path):
    names = [f"Fut{number:02}" for number in range(45)]
    algorithm = "algorithms.continuous_future.ContinuousFuture"
    entries = "".join(f"  - {{name: {name}, algorithm: {algorithm}}}\n" for name in names)
    path = tmp_path / "many.yaml"
    path.write_text(TEXT.split("exos:")[0] + "exos:\n" + entries)
    status, out, _ = run("importregistry", str(path))
    assert status == 0
    assert out.splitlines() == [
        "product ES: added",
        "45 definitions added: Fut00, Fut01, Fut02, … Fut44",
        "45 series added: ES_Fut00, ES_Fut01, ES_Fut02, … ES_Fut44",
        "91 changed, 0 unchanged.",
    ]


def test_import_reads_standard_input(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    assert run("importregistry", "-")[0] == 0
    assert Definition.objects.get().name == "ContFut"


def test_a_refused_file_is_status_1_with_every_problem_on_a_line(db, file):
    file.write_text(TEXT.replace("0.25", "0").replace("ContFut,", "Cont_Fut,"))
    status, out, errors = run("importregistry", str(file))
    assert (status, out) == (1, "")
    assert f"{file}: products[0].ticksize: Must be above zero." in errors
    assert f"{file}: exos[0].name: A name starts with a letter" in errors
    assert "was refused: 2 problems. Nothing was written." in errors
    assert not Product.objects.exists()


@pytest.mark.parametrize(("content", "excerpt"), [(None, "cannot be read: No such"), (b"\xff\xfe", "UTF-8 (byte 0)")])
def test_a_file_that_cannot_be_read_is_status_2(db, tmp_path, content, excerpt):
    path = tmp_path / "other.yaml"
    if content:
        path.write_bytes(content)
    status, _, errors = run("importregistry", str(path))
    assert status == 2
    assert excerpt in errors


def test_export_writes_what_import_reads(db, file, tmp_path):
    run("importregistry", str(file))
    target = tmp_path / "out.yaml"
    status, out, _ = run("exportregistry", "-o", str(target))
    assert (status, out) == (0, f"The registry is in {target}.\n")
    assert run("exportregistry")[1] == target.read_text()
    assert run("importregistry", str(target))[1].startswith("0 changed, 2 ")


def test_export_of_an_empty_registry_is_a_file_too(db, monkeypatch):
    text = run("exportregistry")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert run("importregistry", "-") == (0, "0 changed, 0 unchanged.\n", "")


def test_export_says_when_it_cannot_write(db, tmp_path):
    status, _, errors = run("exportregistry", "-o", str(tmp_path / "no" / "out.yaml"))
    assert status == 1
    assert "cannot be written: No such file or directory." in errors
