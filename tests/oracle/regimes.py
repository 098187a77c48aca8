"""Regime signals, computed anew from all points so far."""

BULLISH, BEARISH, NEUTRAL = "bullish", "bearish", "neutral"


def ichimoku(
    points: list[float], *, conversion: int = 9, base: int = 26, displacement: int = 26, span_b: int = 52, spans="both"
) -> str | None:
    """The regime of the newest point against the cloud that was drawn `displacement` points ago; None: unknown."""
    drawn = points[: max(len(points) - displacement, 0)]
    windows = [conversion, base, span_b] if spans == "both" else [conversion, base]
    if len(drawn) < max(windows):
        return None
    mids = [(max(drawn[-window:]) + min(drawn[-window:])) / 2 for window in windows]
    cloud = [(mids[0] + mids[1]) / 2, *mids[2:]]
    newest = points[-1]
    if all(newest > span for span in cloud):
        return BULLISH
    if all(newest < span for span in cloud):
        return BEARISH
    return NEUTRAL if spans == "both" else None


def swing_points(points: list[float], *, high_threshold: int = 2, low_threshold: int = 2) -> str | None:
    """The regime of the newest point against the last confirmed swing high and low; None: unknown."""
    if not points:
        return None
    high = confirmed_high(points, high_threshold)
    low = -confirmed_high([-point for point in points], low_threshold)
    newest = points[-1]
    if newest > high:
        return BULLISH
    if newest < low:
        return BEARISH
    return NEUTRAL if low < newest < high else None


def confirmed_high(points: list[float], threshold: int) -> float:
    """The last running high that more than `threshold` points did not exceed; before there is one, the first point."""
    level, running, count = points[0], None, 0
    for point in points:
        if running is None or point > running:
            running, count = point, 0
            continue
        count += 1
        if count > threshold:
            level, running = running, None
    return level
