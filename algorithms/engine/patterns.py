"""Patterns of option codes: regular expressions that match a whole code.

They are matched by RE2, which pyarrow brings: in time linear in the code's length and in a few megabytes, whatever the
pattern. It has no back references and no look-around, and takes at most 1,000 repeats in all.
"""

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

LONGEST = 100
PREFIX = "Invalid regular expression: "


def check(pattern: str) -> None:
    """Check a pattern before it is used.

    Raises:
        ValueError: It cannot be used; the message is the reason.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"it has {len(pattern):,} characters, and at most {LONGEST} are taken")
    if not pattern.isprintable():
        raise ValueError("it has a character that cannot be printed")
    try:
        pc.match_substring_regex(pa.scalar(""), pattern)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix(PREFIX)
        raise ValueError(
            f"it is not a regular expression ({reason}; back references and look-around are not taken)"
        ) from error


@lru_cache(10_000)
def matches_any(patterns: tuple[str, ...], code: str) -> bool:
    """Whether one of the patterns matches the whole code.

    Raises:
        ValueError: One of the patterns cannot be used.
    """
    for pattern in patterns:
        check(pattern)
    whole = (rf"\A(?:{pattern})\z" for pattern in patterns)
    return any(pc.match_substring_regex(pa.scalar(code), pattern).as_py() for pattern in whole)
