"""Signals: values that follow a series point by point, looking back only.

The contract is `algorithms.engine.Signal`: `update` takes the next point, `value` is what is known after it, and
`dump` and `load` carry the memory over an interruption.
"""

from collections import deque
from typing import Any

BULLISH, BEARISH, NEUTRAL = 1, -1, 0


class Ichimoku:
    """Regime by where a point lies against the Ichimoku cloud.

    mid(w) = (highest + lowest of the last w points) / 2. Span A = (mid(conversion) + mid(base)) / 2, span B =
    mid(span_b), both displaced forward by `displacement` points. Above both spans: bullish; below both: bearish;
    otherwise neutral; before both exist: unknown (None). With `spans` "a" the cloud is span A alone, and a point
    on it is unknown. Source of the indicator: G. Hosoda, "Ichimoku Kinko Hyo" (1969).

    Args:
        conversion: Window of the conversion line, in points.
        base: Window of the base line.
        displacement: By how many points the spans are displaced.
        span_b: Window of span B.
        spans: "both", or "a" for span A alone.

    Attributes:
        value: BULLISH, BEARISH or NEUTRAL after the newest point; None: unknown.
    """

    def __init__(
        self, conversion: int = 9, base: int = 26, displacement: int = 26, span_b: int = 52, spans: str = "both"
    ):
        windows = (conversion, base, span_b) if spans == "both" else (conversion, base)
        self.mids = [_Mid(window) for window in windows]
        self.displacement = displacement
        self.longest = max(windows)
        self.points: list[float] = []
        # Spans computed at past points, the oldest first: the one that applies now was computed `displacement` ago.
        self.clouds: deque[list[float] | None] = deque(maxlen=displacement + 1)
        self.value: int | None = None

    def update(self, value: float) -> None:
        self.points.append(value)
        if len(self.points) > 4 * self.longest:
            del self.points[: -self.longest - 1]
        mids = [mid.update(self.points) for mid in self.mids]
        full = len(self.points) >= self.longest
        self.clouds.append([(mids[0] + mids[1]) / 2, *mids[2:]] if full else None)
        cloud = self.clouds[0] if len(self.clouds) > self.displacement else None
        self.value = None if cloud is None else self._regime(value, cloud)

    def _regime(self, value: float, cloud: list[float]) -> int | None:
        if value > max(cloud):
            return BULLISH
        if value < min(cloud):
            return BEARISH
        return NEUTRAL if len(cloud) > 1 else None

    def dump(self) -> dict[str, Any]:
        points = self.points[-self.longest - 1 :]
        return {"points": points, "clouds": list(self.clouds), "value": self.value}

    def load(self, state: dict[str, Any]) -> None:
        self.points = list(state["points"])
        self.clouds.extend(state["clouds"])
        self.value = state["value"]
        for mid in self.mids:
            mid.restart(self.points)


class _Mid:
    """(Highest + lowest) / 2 of the last `window` points; looks through them only when an extreme drops out."""

    def __init__(self, window: int):
        self.window = window
        self.high = self.low = 0.0

    def restart(self, points: list[float]) -> None:
        if points:
            last = points[-self.window :]
            self.high, self.low = max(last), min(last)

    def update(self, points: list[float]) -> float:
        """The mid after the newest of `points`, which holds one more than the window where there are as many."""
        value, before = points[-1], len(points) - self.window - 1
        leaving = points[before] if before >= 0 else None
        if len(points) == 1:
            self.high = self.low = value
        if value >= self.high:
            self.high = value
        elif leaving == self.high:
            self.high = max(points[-self.window :])
        if value <= self.low:
            self.low = value
        elif leaving == self.low:
            self.low = min(points[-self.window :])
        return (self.high + self.low) / 2


class SwingPoints:
    """Regime by the last confirmed swing high and low.

    A running high is restarted by each point that exceeds it (strictly); every other point adds one to a count.
    When the count passes `high_threshold`, the running high is confirmed as the level, and running high and count
    start anew with the next point. Lows mirror this. Before the first confirmation the level is the first point.
    Above the high level: bullish; else below the low level: bearish; else strictly between them: neutral; else
    unknown (None). One pass, a fixed effort for each point.

    Args:
        high_threshold: Points below a running high after which the next confirms it.
        low_threshold: Points above a running low after which the next confirms it.

    Attributes:
        value: BULLISH, BEARISH or NEUTRAL after the newest point; None: unknown.
    """

    def __init__(self, high_threshold: int = 2, low_threshold: int = 2):
        self.high = _Extreme(high_threshold)
        self.low = _Extreme(low_threshold)
        self.value: int | None = None

    def update(self, value: float) -> None:
        # A low is the high of the points turned upside down.
        high, low = self.high.update(value), -self.low.update(-value)
        if value > high:
            self.value = BULLISH
        elif value < low:
            self.value = BEARISH
        else:
            self.value = NEUTRAL if low < value < high else None

    def dump(self) -> dict[str, Any]:
        return {"high": self.high.dump(), "low": self.low.dump(), "value": self.value}

    def load(self, state: dict[str, Any]) -> None:
        self.high.load(state["high"])
        self.low.load(state["low"])
        self.value = state["value"]


class _Extreme:
    """The last confirmed swing high."""

    def __init__(self, threshold: int):
        self.threshold = threshold
        self.level: float | None = None
        self.running: float | None = None
        self.count = 0

    def update(self, value: float) -> float:
        """Take a point; the level after it."""
        if self.level is None:
            self.level = value
        if self.running is None or value > self.running:
            self.running, self.count = value, 0
        else:
            self.count += 1
            if self.count > self.threshold:
                self.level, self.running, self.count = self.running, None, 0
        return self.level

    def dump(self) -> list[Any]:
        return [self.level, self.running, self.count]

    def load(self, state: list[Any]) -> None:
        self.level, self.running, self.count = state
