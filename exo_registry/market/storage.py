"""Where the store lies, a folder or a bucket, and the one place where errors of Delta, Arrow and the system are turned
into MarketStoreError."""

import errno
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
from deltalake.exceptions import DeltaError, TableNotFoundError
from django.conf import settings

from exo_registry.failures import NO_ANSWER, NO_RIGHTS, NO_SPACE, MarketDataError, MarketStoreError

# A bucket that does not answer is an error after some ten seconds, not after minutes.
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 3, 20  # seconds
RETRIES, RETRY_TIME = 2, 10  # of one request; seconds for all of them together

# What a message must not carry into a page: colours, arrows and frames of the Rust libraries, and whole documents.
NOISE = re.compile(r"\x1b\[[0-9;]*m|\u21b3|^\s*\d+: <unknown>\s*$", re.MULTILINE)
LONGEST_REASON = 400
# What a bucket answers where waiting does not help.
REFUSED = re.compile(r"\b40[0134]\b|Forbidden|AccessDenied|NoSuchBucket|InvalidAccessKey|SignatureDoesNotMatch")
# A store that did not answer is not asked again for so long: a page that reads of fifty products waits for it once.
PAUSE = 5.0  # seconds

_silent: dict[str, tuple[float, Exception]] = {}  # since when and how, by MARKET_DATA_URI


def is_local() -> bool:
    return "://" not in str(settings.MARKET_DATA_URI)


def table_uri(table: str) -> str:
    return f"{str(settings.MARKET_DATA_URI).rstrip('/')}/{table}"


def options() -> dict[str, str] | None:
    """How long Delta waits for a bucket."""
    if is_local():
        return None
    return {
        "connect_timeout": f"{CONNECT_TIMEOUT}s",
        "timeout": f"{ANSWER_TIMEOUT}s",
        "max_retries": str(RETRIES),
        "retry_timeout": f"{RETRY_TIME}s",
    }


def filesystem(table: str) -> pafs.FileSystem:
    """Arrow's own filesystem: faster than the one that deltalake offers, and safe at the end of the process."""
    uri = table_uri(table)
    if is_local():
        return pafs.SubTreeFileSystem(str(Path(uri).resolve()), pafs.LocalFileSystem())
    scheme, _, path = uri.partition("://")
    if scheme in ("s3", "s3a"):
        return pafs.SubTreeFileSystem(path, _s3())
    other, path = pafs.FileSystem.from_uri(uri)
    return pafs.SubTreeFileSystem(path, other)


def _s3() -> pafs.S3FileSystem:
    """By the same variables as Delta reads, and as patient."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or None
    return pafs.S3FileSystem(
        endpoint_override=endpoint,
        scheme="http" if endpoint and endpoint.startswith("http://") else "https",
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        connect_timeout=CONNECT_TIMEOUT,
        request_timeout=ANSWER_TIMEOUT,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=RETRIES),
    )


@contextmanager
def storage_errors(table: str, symbols: Iterable[str] = (), action: str = "read") -> Iterator[None]:
    """Turn what goes wrong with a table's files into MarketStoreError. action: "read" or "written"."""
    store = str(settings.MARKET_DATA_URI)
    since, silence = _silent.get(store, (0.0, None))
    if silence is not None and time.monotonic() - since < PAUSE:
        raise store_error(silence, table, symbols, action) from silence
    try:
        yield
    except MarketDataError:
        raise
    except (DeltaError, pa.ArrowException, OSError) as error:
        failure = store_error(error, table, symbols, action)
        if failure.transient:
            _silent[store] = (time.monotonic(), error)
        raise failure from error


def store_error(error: Exception, table: str, symbols: Iterable[str] = (), action: str = "read") -> MarketStoreError:
    """The error of a table as a person reads it: what cannot be done, why, and the remedy."""
    number = _number(error)
    missing = isinstance(error, TableNotFoundError) or number == errno.ENOENT
    refused = number in NO_RIGHTS or (not is_local() and REFUSED.search(str(error)) is not None)
    transient = number in NO_ANSWER or not (is_local() or missing or refused)
    if number in NO_SPACE:
        remedy = "free some space on its disk, then try again"
    elif refused and not is_local():
        remedy = "check the bucket's name in MARKET_DATA_URI and the keys in the AWS_… variables, then try again"
    elif refused:
        remedy = "give the user of this process the right to it, then try again"
    elif transient:
        remedy = "check that the storage can be reached (MARKET_DATA_URI and the AWS_… variables), then try again"
    elif missing:
        remedy = "check that the storage is there and that MARKET_DATA_URI is right, or restore it from a backup"
    else:
        remedy = "it is damaged: restore the market data from a backup"
    listed = sorted(symbols)
    whose = f" of {', '.join(listed[:5])}{' and others' if len(listed) > 5 else ''}" if listed else ""
    place = f"the market data{whose} cannot be {action}: table {table} at {table_uri(table)}"
    return MarketStoreError(f"{place}: {_reason(error)}; {remedy}", transient=transient)


def _number(error: Exception) -> int | None:
    """The system's error number, which Delta has in its text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    match = re.search(r"os error (\d+)", str(error))
    return int(match[1]) if match else None


def _reason(error: Exception) -> str:
    text = " ".join(NOISE.sub(" ", str(error)).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
