"""What fails around exoweb rather than in it, in one sentence with the remedy: the database, the disk, the storage of
market data, Redis, the configuration. Commands, pages, the API and workers all say it in these words.

Importing this needs no settings, since it also tells what is wrong with them.
"""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError, connection

FAILED = 1
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_RIGHTS = {errno.EACCES, errno.EPERM, errno.EROFS}
NO_ANSWER = {
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH,
}  # fmt: skip
# The start of SQLite's name of an error, and what to do about it. None of them leaves anything half-written.
SQLITE = {
    "SQLITE_FULL": "its disk is full: free some space, then try again",
    "SQLITE_BUSY": "another process keeps it locked: end that process, or wait for it, then try again",
    "SQLITE_LOCKED": "another process keeps it locked: end that process, or wait for it, then try again",
    "SQLITE_READONLY": "it cannot be written: give the user of this process the right to it and to its folder",
    "SQLITE_PERM": "it cannot be written: give the user of this process the right to it and to its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: check that its folder exists and that the user of this process may write "
    "to it",
    "SQLITE_CORRUPT": "the file is damaged: stop exoweb and restore it from a backup (docs/deploy.md)",
    "SQLITE_NOTADB": "the file is damaged: stop exoweb and restore it from a backup (docs/deploy.md)",
    "SQLITE_IOERR": "its disk fails, or is full: check the disk and its free space, then try again",
}
NOT_MIGRATED = "it has not the tables of this version of exoweb: run manage.py migrate"
UNDEFINED = ("42P01", "42703")  # a table, a column


class MarketDataError(ValueError):
    """Market data that is asked for but not there, or a store that cannot be used; says what to do."""


class MarketStoreError(MarketDataError):
    """The store cannot be read or written; names table, product, reason and remedy. transient: it may well work again
    by itself, such as when a bucket does not answer."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def explain(error: BaseException) -> str | None:
    """What went wrong and what to do, as one sentence; None for an error that is exoweb's own, or an algorithm's."""
    if isinstance(error, MarketStoreError):
        return _sentence(str(error))
    if isinstance(error, DatabaseError | InterfaceError):
        reason = _database_reason(error)
        return reason and f"The database {_database_name()} cannot be used: {reason}."
    if isinstance(error, ImproperlyConfigured):
        return _sentence(str(error))
    if type(error).__module__.partition(".")[0] == "redis" and isinstance(error, Exception):
        return f"Redis does not answer ({_first_line(error)}): start it, or correct REDIS_URL."
    return _file_reason(error) if isinstance(error, OSError) else None


def _database_reason(error: Exception) -> str | None:
    cause = error.__cause__
    if name := getattr(cause, "sqlite_errorname", None):
        if "no such table" in str(error) or "no such column" in str(error):
            return NOT_MIGRATED
        return next((reason for start, reason in SQLITE.items() if name.startswith(start)), None)
    if getattr(cause, "sqlstate", None) in UNDEFINED:
        return NOT_MIGRATED
    if isinstance(error, OperationalError | InterfaceError):
        return f"{_first_line(error)}; check that its server runs and that DATABASE_URL is right, then try again"
    return None


def _database_name() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(database["NAME"])
    return f"{database['NAME']} at {database['HOST'] or 'localhost'}:{database['PORT'] or 5432}"


def _file_reason(error: OSError) -> str | None:
    """None for an error number that a fault of the program may give, too."""
    if error.errno in NO_SPACE:
        remedy = "free some space on its disk, then try again"
    elif error.errno in NO_RIGHTS:
        remedy = "give the user of this process the right to it, or set EXOWEB_HOME to a folder that it may write to"
    elif error.errno in NO_ANSWER:
        remedy = "check that its disk or network folder works, then try again"
    else:
        return None
    place = error.filename or error.filename2 or "A file or the output"
    return f"{place} cannot be used: {error.strerror}; {remedy}."


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


@contextmanager
def explained() -> Iterator[None]:
    """Around a command: what `explain` knows is printed without a traceback (but with --traceback), exit status 1."""
    try:
        yield
        sys.stdout.flush()  # a full disk under a redirected output shows only now
    except BrokenPipeError:  # whoever read the output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        reason = explain(error)
        if reason is None or "--traceback" in sys.argv:
            raise
        if isinstance(error, OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it again at exit
        sys.stderr.write(f"{reason}\n")
        sys.exit(FAILED)
