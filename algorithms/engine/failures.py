"""What an author's code raised, told with the algorithm, the place in its code, and the session."""

import datetime as dt
import dis
import inspect
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

from .algorithm import Algorithm
from .errors import AlgorithmError, EngineError
from .text import describe, message

ENGINE = __name__.rpartition(".")[0]
FRAMES_KEPT = 20


def failure(algorithm: Algorithm, date: dt.date | None, error: BaseException) -> AlgorithmError:
    """The AlgorithmError for what the algorithm's code raised; `date` is None before the first session."""
    when = f"on {date}" if date else "before its first session"
    reason = message(error) if isinstance(error, EngineError) else describe(error)
    frames = traceback.format_tb(error.__traceback__, limit=-FRAMES_KEPT)
    return AlgorithmError(
        f"{type(algorithm).__name__} failed {when} ({place(type(algorithm), error)}): {reason}",
        trace="".join(frames),
    )


def came_by_signal(error: BaseException) -> bool:
    """Whether a signal raised it (a time limit, Ctrl-C) in the midst of the author's code, and not that code itself.

    A handler written in Python is seen in the traceback. Python's own handler for Ctrl-C is not; but what it raises
    comes between two instructions, while code that raises KeyboardInterrupt stands at a `raise`.
    """
    handlers = {getattr(signal.getsignal(number), "__code__", None) for number in signal.valid_signals()}
    innermost: TracebackType | None = None
    for innermost in _walk(error.__traceback__):
        if innermost.tb_frame.f_code in handlers:
            return True
    if not isinstance(error, KeyboardInterrupt) or innermost is None:
        return False
    instruction = innermost.tb_frame.f_code.co_code[innermost.tb_lasti]
    return dis.opname[instruction] != "RAISE_VARARGS"


def _walk(at: TracebackType | None) -> Iterator[TracebackType]:
    while at is not None:
        yield at
        at = at.tb_next


def place(algorithm: type[Algorithm], error: BaseException) -> str:
    """File and line of the author's code: the innermost frame of the algorithm's own package, or else the outermost
    that is not the engine's; without one, the file of the class."""
    package = algorithm.__module__.partition(".")[0]
    outside = [at for at in _walk(error.__traceback__) if not _in_engine(at.tb_frame)]
    own = [at for at in outside if _module(at.tb_frame).partition(".")[0] == package]
    if chosen := own[-1:] or outside[:1]:
        at = chosen[0]
        return f"{_file(_module(at.tb_frame), at.tb_frame.f_code.co_filename)}, line {at.tb_lineno}"
    try:
        return _file(algorithm.__module__, inspect.getfile(algorithm))
    except (TypeError, OSError):
        return algorithm.__module__


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _in_engine(frame: FrameType) -> bool:
    return f"{_module(frame)}.".startswith(f"{ENGINE}.")


def _file(module: str, path: str) -> str:
    """A module's file as seen from the folder that its package lies in: mydesk/strategies.py."""
    parts = Path(path).parts
    depth = len(module.split(".")) + (parts[-1:] == ("__init__.py",))
    return "/".join(parts[-depth:]) if module in sys.modules and parts else path
