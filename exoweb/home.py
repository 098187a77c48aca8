"""The folder of all local state, readable by its owner only, and the secret key in it."""

import contextlib
import os
import secrets
import stat
import sys
import tempfile
import zlib
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

OTHERS = 0o077  # what group and others may do
SHORTEST_KEY = 50  # characters, as Django's deployment check wants
# Bytes that zlib makes of a key. Random keys of 50 characters, were they digits only, stay above; repetition does not.
LEAST_COMPRESSED = 40
EXAMPLES = ("change-me", "changeme", "django-insecure")  # how keys begin that documentation shows
NEW_KEY = 'python3 -c "import secrets; print(secrets.token_urlsafe(50))"'


def prepare(home: Path) -> None:
    """Make the folder if need be, and keep everything that exoweb writes from now on to its owner.

    Folders and files right below it are tightened too, which closes what lies deeper, so that a home made by an older
    version is private as well. Symbolic links are left alone: what they lead to has an owner of its own.
    Raises ImproperlyConfigured for a home that cannot be made, that belongs to another user, or that is shared.
    """
    os.umask(OTHERS)
    try:
        home.mkdir(parents=True, exist_ok=True)
        status, content = home.stat(), list(home.iterdir())
    except OSError as error:
        raise ImproperlyConfigured(
            f"EXOWEB_HOME={home} cannot be used ({error.strerror}): name a folder that this user may write."
        ) from error
    if status.st_mode & stat.S_ISVTX:
        raise ImproperlyConfigured(
            f"EXOWEB_HOME={home} is a folder that users share: name one that is exoweb's alone, such as {home}/exoweb."
        )
    if status.st_uid != os.geteuid():
        raise ImproperlyConfigured(
            f"EXOWEB_HOME={home} belongs to the user {_user(status.st_uid)} and this process runs as "
            f"{_user(os.geteuid())}: run it as {_user(status.st_uid)}, or give the folder to {_user(os.geteuid())}."
        )
    tighten([home, *content])


def tighten(paths: list[Path]) -> None:
    """Take group and others their rights on those paths that exist; says so once if the file system keeps no modes."""
    open_to_all = [path for path in paths if not _is_private_after_tightening(path)]
    if open_to_all:
        sys.stderr.write(
            f"exoweb: {open_to_all[0]} stays readable by other users of this machine, since its file system or owner "
            "does not let exoweb change modes; move it to a place of exoweb's own, or mount it with umask=077.\n"
        )


def _is_private_after_tightening(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):  # another process may have removed it meanwhile
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or not mode & OTHERS:
            return True
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
        return not path.lstat().st_mode & OTHERS
    return True


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def secret_key(home: Path, given: str | None) -> str:
    """The key that was given, or one made once and kept in the home. Raises ImproperlyConfigured for a weak one."""
    if given:
        _check_key(given, "EXOWEB_SECRET_KEY", f"set one made by: {NEW_KEY}")
        return given
    path = home / "secret_key"
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImproperlyConfigured(f"the secret key in {path} cannot be read or made: {reason}") from error
    _check_key(key, f"the secret key in {path}", "remove the file, and a new key is made")
    return key


def _make_key(path: Path) -> None:
    """Written whole under a name of its own first: of two processes that start at once, one wins the link and neither
    reads half a key."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(50))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    os.unlink(draft)


def _check_key(key: str, name: str, remedy: str) -> None:
    if key.lower().startswith(EXAMPLES):
        weakness = "is the example of the documentation, which everybody knows"
    elif len(key) < SHORTEST_KEY:
        weakness = f"has {len(key)} characters, fewer than {SHORTEST_KEY}"
    elif len(zlib.compress(os.fsencode(key), 9)) < LEAST_COMPRESSED:
        weakness = "repeats itself and is easily guessed"
    else:
        return
    raise ImproperlyConfigured(f"{name} {weakness}: {remedy}")
