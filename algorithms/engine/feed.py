"""The points of a series, handed to the signal that follows it as their sessions come."""

from typing import Any

import numpy as np

from . import values
from .algorithm import Signal
from .history import History

STATE_LIMIT = 1_000_000  # values and characters of a signal's state


class Feed:
    """One signal and the points that it has yet to be given; its value goes into `signal_values`."""

    def __init__(
        self, name: str, signal: Signal, history: History, read_until: str | None, signal_values: dict[str, object]
    ):
        self.name, self.signal, self.signal_values = name, signal, signal_values
        signal_values[name] = signal.value
        self.until = read_until
        begin = 0
        if read_until is not None:
            begin = int(np.searchsorted(history.dates, np.datetime64(read_until), side="right"))
        self.days: list[int] = history.dates[begin:].astype("datetime64[D]").astype(np.int64).tolist()
        self.values: list[float] = history.values[begin:].tolist()
        self.next = 0

    def advance(self, day: int) -> None:
        """Feed the points dated up to `day`."""
        start = self.next
        while self.next < len(self.days) and self.days[self.next] <= day:
            self.signal.update(self.values[self.next])
            self.next += 1
        if self.next > start:
            self.signal_values[self.name] = self.signal.value

    def dump(self) -> dict[str, Any]:
        until = str(np.datetime64(self.days[self.next - 1], "D")) if self.next else self.until
        state = values.plain(self.signal.dump(), f"the state of the signal {self.name}", STATE_LIMIT)
        return {"until": until, "state": state}
