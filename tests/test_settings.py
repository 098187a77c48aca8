"""Settings from the environment: strict, and free of warnings when set as the README says for production."""

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT


def django(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_production_environment_passes_djangos_deployment_check(tmp_path):
    answer = django(
        "check", "--deploy", "--fail-level=WARNING", EXOWEB_HOME=str(tmp_path), EXOWEB_HTTPS="true",
        EXOWEB_ALLOWED_HOSTS="exo.example.org",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


def test_secret_key_is_made_once_and_is_private(tmp_path):
    for _ in range(2):
        assert django("check", EXOWEB_HOME=str(tmp_path)).returncode == 0
        key = (tmp_path / "secret_key").read_text()
        assert len(key) >= 50
        assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert key == (tmp_path / "secret_key").read_text()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXOWEB_DEBUG", "maybe"),
        ("EXOWEB_HTTPS", "2"),
        ("EXOWEB_WORKERS", "many"),
        ("EXOWEB_WORKERS", "0"),
        ("DATABASE_URL", "mongodb://localhost/exoweb"),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path, variable, value):
    answer = django("check", EXOWEB_HOME=str(tmp_path), **{variable: value})
    assert answer.returncode != 0
    assert variable in answer.stderr.splitlines()[-1]
