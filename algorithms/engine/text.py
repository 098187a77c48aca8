"""Text that an author's code made: cut, and without the characters that a database refuses."""

LONGEST = 500


def shorten(text: str, limit: int = LONGEST) -> str:
    """The text with at most `limit` characters of it; NUL and lone surrogates are written as escapes.

    A text that was cut ends with how long it had been.
    """
    cut = text[:limit]
    if not cut.isascii() or "\0" in cut:
        cut = cut.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
    return cut if len(text) <= limit else f"{cut}… (cut, {len(text):,} characters)"


def describe(error: BaseException, limit: int = LONGEST) -> str:
    """An exception's class and text; for a text that cannot be made, why not."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException as inner:  # `__str__` and `__repr__` are the author's code, too
        text = f"(its message cannot be shown: {type(inner).__name__})"
    return shorten(f"{name}: {text}" if text else name, limit)


def message(error: BaseException, limit: int = LONGEST) -> str:
    """An exception's text alone; its class where it has none, or none that can be made."""
    try:
        text = str(error)
    except BaseException:
        return describe(error, limit)
    return shorten(text, limit) or describe(error, limit)


def counted_days(days: int) -> str:
    """A number of days in words: 1 day, 3 days."""
    return f"{days:,} {'day' if days == 1 else 'days'}"
