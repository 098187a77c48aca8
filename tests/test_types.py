"""Types are checked in every module but a few older ones, which become fewer."""

import tomllib

from tests.paths import ROOT

OLDER = 69  # take one off here with each module that leaves the list of pyproject.toml


def older_modules() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    return [name for part in settings["overrides"] if part.get("ignore_errors") for name in part["module"]]


def test_the_list_of_modules_without_checked_types_only_shrinks():
    assert len(older_modules()) <= OLDER


def test_modules_that_were_moved_or_deleted_leave_the_list():
    paths = [ROOT / name.replace(".", "/") for name in older_modules()]
    assert [str(path) for path in paths if not path.with_suffix(".py").exists() and not path.is_dir()] == []
