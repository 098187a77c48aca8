"""Counts with their nouns, and lists of names that stay short: the one place where words are put into the plural."""

from collections.abc import Sequence

UNCHANGED = frozenset({"series"})  # nouns whose plural is the same


def counted(count: int, singular: str, many: str | None = None) -> str:
    """A count with its noun, which may carry a verb: "1 row", "2,000 rows", "3 series", "2 steps wait".

    one: what follows 1. many: what follows any other count; None: the regular plural of `one`.
    """
    return f"{count:,} {singular if count == 1 else many or plural(singular)}"


def plural(noun: str) -> str:
    """The regular plural of a noun, of the last word where there are several."""
    if noun in UNCHANGED:
        return noun
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def listed(names: Sequence[object], limit: int = 3) -> str:
    """The first `limit` names, and how many more there are: "ES, CL, NG and 4 more"."""
    rest = len(names) - limit
    return ", ".join(map(str, names[:limit])) + (f" and {rest:,} more" if rest > 0 else "")
