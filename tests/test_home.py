"""The home is its owner's alone, and no secret key that others know or can guess is taken."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from exoweb import home
from tests.paths import ROOT

from .test_settings import django


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_a_command_writes_is_private_whatever_the_umask_was(tmp_path):
    folder = tmp_path / "new" / "home"
    assert django("migrate", "--verbosity=0", EXOWEB_HOME=str(folder)).returncode == 0
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir() if path.is_file()} == {
        "exoweb.sqlite3": 0o600,
        "secret_key": 0o600,
    }


def test_a_home_of_an_older_version_is_tightened(tmp_path):
    for name in ("exoweb.sqlite3", "exoweb.sqlite3-wal", "exoweb.sqlite3-shm", "exoweb.sqlite3-journal", "start.lock"):
        (tmp_path / name).touch(0o644)
    for name in ("logs", "market", "cache", "static"):
        (tmp_path / name).mkdir(0o755)
    (tmp_path / "backup.sh").touch(0o755)
    tmp_path.chmod(0o755)
    home.prepare(tmp_path)
    assert mode(tmp_path) == 0o700
    assert {path.name: mode(path) for path in tmp_path.iterdir() if path.is_dir()} == dict.fromkeys(
        ("logs", "market", "cache", "static"), 0o700
    )
    assert mode(tmp_path / "exoweb.sqlite3-wal") == 0o600
    assert mode(tmp_path / "exoweb.sqlite3") == 0o600
    assert mode(tmp_path / "backup.sh") == 0o700  # the owner's own rights stay


def test_a_database_elsewhere_is_tightened_too(tmp_path):
    database = tmp_path / "desk.sqlite3"
    database.touch(0o644)
    django("check", EXOWEB_HOME=str(tmp_path / "home"), DATABASE_URL=f"sqlite:///{database}")
    assert mode(database) == 0o600


def test_what_a_link_leads_to_is_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "market").symlink_to(elsewhere)
    home.prepare(tmp_path / "home")
    assert mode(elsewhere) == 0o755


def test_every_process_that_has_the_settings_writes_for_its_owner_only(tmp_path):
    """Gunicorn's workers, task workers and commands all read the settings before they write."""
    script = f"import exoweb.wsgi; open({str(tmp_path / 'file')!r}, 'w')"
    environment = {"PATH": os.environ["PATH"], "EXOWEB_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, timeout=120)
    assert mode(tmp_path / "file") == 0o600


def test_a_home_of_somebody_else_is_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 64_999)
    with pytest.raises(ImproperlyConfigured, match=r"EXOWEB_HOME=.* belongs to the user .* runs as 64999: run it as"):
        home.prepare(tmp_path)


def test_a_folder_that_users_share_is_refused(tmp_path):
    tmp_path.chmod(0o1777)
    with pytest.raises(ImproperlyConfigured, match="is a folder that users share"):
        home.prepare(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_a_file_in_the_place_of_the_home_is_one_sentence(tmp_path):
    (tmp_path / "home").touch()
    answer = django("check", EXOWEB_HOME=str(tmp_path / "home"))
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert re.fullmatch(r"EXOWEB_HOME=\S+ cannot be used \(File exists\): name a folder .*", line)


def test_a_file_system_without_modes_is_one_sentence_and_no_failure(tmp_path, monkeypatch, capsys):
    tmp_path.chmod(0o755)
    (tmp_path / "exoweb.sqlite3").touch(0o644)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    home.prepare(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"exoweb: {tmp_path} stays readable by other users")


# The secret key.


def refusal(key: str, **environment: str) -> str:
    answer = django("check", EXOWEB_SECRET_KEY=key, **environment)
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert "secrets.token_urlsafe(50)" in line
    return line


def test_the_keys_that_the_documentation_shows_are_refused(tmp_path):
    texts = [ROOT / "README.md", *(path for path in (ROOT / "docs").rglob("*") if path.is_file())]
    shown = [
        key
        for path in texts
        if path.suffix != ".png"
        for key in re.findall(r"^\s*EXOWEB_SECRET_KEY=(\S+)", path.read_text(), re.MULTILINE)
    ]
    assert shown
    for key in shown:
        assert "is the example of the documentation" in refusal(key, EXOWEB_HOME=str(tmp_path))


@pytest.mark.parametrize(
    ("key", "weakness"),
    [
        ("desk", "has 4 characters, fewer than 50"),
        ("a" * 64, "repeats itself"),
        ("password" * 8, "repeats itself"),
        ("0123456789" * 6, "repeats itself"),
        ("Django-Insecure-8sJ0qk3Pz6x1Wv7Lm4Tn9Rb2Yc5Hd8Gf1Ke", "is the example"),
    ],
)
def test_a_weak_key_is_refused(tmp_path, key, weakness):
    with pytest.raises(ImproperlyConfigured, match=weakness):
        home.secret_key(tmp_path, key)


def test_50_hexadecimal_digits_are_enough_and_49_are_not(tmp_path):
    key = "5f2a9c0e7d81b3464ca8e1f05d92b7836ea40c1fd7295b8e36"
    assert home.secret_key(tmp_path, key) == key
    with pytest.raises(ImproperlyConfigured, match="has 49 characters, fewer than 50"):
        home.secret_key(tmp_path, key[1:])


def test_an_empty_key_file_says_what_to_do(tmp_path):
    (tmp_path / "secret_key").touch()
    with pytest.raises(ImproperlyConfigured, match="remove the file, and a new key is made"):
        home.secret_key(tmp_path, None)


def test_keys_that_exoweb_makes_are_taken(tmp_path):
    for _ in range(200):
        (tmp_path / "secret_key").unlink(missing_ok=True)
        assert len(home.secret_key(tmp_path, None)) >= 50
