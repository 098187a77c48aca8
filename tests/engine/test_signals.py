"""Signals against plain restatements of their definition, that look at all points anew for every value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.signals import BEARISH, BULLISH, NEUTRAL, Ichimoku, SwingPoints

# Few distinct values, so that ties are common; and any values, as series have them.
few = st.lists(st.integers(-4, 4).map(float), max_size=120)
many = st.lists(st.floats(-1e6, 1e6), max_size=80)
series = st.one_of(few, many)
windows = st.integers(1, 9)


def follow(signal, points) -> list:
    values = []
    for point in points:
        signal.update(point)
        values.append(signal.value)
    return values


def mid(points: list[float], window: int) -> float | None:
    last = points[-window:]
    return (max(last) + min(last)) / 2 if len(last) == window else None


def ichimoku(points: list[float], conversion: int, base: int, displacement: int, span_b: int, spans: str):
    """The regime after the last point: the cloud that applies to it was computed `displacement` points ago."""
    back = points[: max(0, len(points) - displacement)]
    short, long, wide = mid(back, conversion), mid(back, base), mid(back, span_b)
    if short is None or long is None or (spans == "both" and wide is None):
        return None
    a, value = (short + long) / 2, points[-1]
    if spans == "a":
        return BULLISH if value > a else BEARISH if value < a else None
    if value > a and value > wide:
        return BULLISH
    if value < a and value < wide:
        return BEARISH
    return NEUTRAL


@given(series, windows, windows, st.integers(0, 9), windows, st.sampled_from(["both", "a"]))
def test_ichimoku_is_its_definition(points, conversion, base, displacement, span_b, spans):
    signal = Ichimoku(conversion, base, displacement, span_b, spans)
    terms = conversion, base, displacement, span_b, spans
    assert follow(signal, points) == [ichimoku(points[: n + 1], *terms) for n in range(len(points))]


def test_ichimoku_with_the_usual_windows():
    """Unknown for 52 points of span B and 26 of displacement less one, then told at once."""
    regimes = follow(Ichimoku(), [float(n) for n in range(200)])
    assert regimes == [None] * 77 + [BULLISH] * 123
    assert follow(Ichimoku(), [-float(n) for n in range(200)]) == [None] * 77 + [BEARISH] * 123
    assert follow(Ichimoku(), [5.0] * 100) == [None] * 77 + [NEUTRAL] * 23
    assert follow(Ichimoku(spans="a"), [5.0] * 100) == [None] * 100
    assert follow(Ichimoku(spans="a"), [float(n) for n in range(60)]) == [None] * 51 + [BULLISH] * 9


def level(points: list[float], threshold: int) -> float:
    """The confirmed high after the last point: scan from the start, for every point anew.

    From where a search begins, the running high is the largest so far; it is confirmed at the first point that
    has more than `threshold` points since the (first) largest, and the next search begins after that point.
    """
    confirmed, begin = points[0], 0
    while True:
        for end in range(begin, len(points)):
            window = points[begin : end + 1]
            since = len(window) - 1 - window.index(max(window))
            if since > threshold:
                confirmed, begin = max(window), end + 1
                break
        else:
            return confirmed


def swing(points: list[float], high_threshold: int, low_threshold: int):
    high = level(points, high_threshold)
    low = -level([-point for point in points], low_threshold)
    value = points[-1]
    if value > high:
        return BULLISH
    if value < low:
        return BEARISH
    return NEUTRAL if low < value < high else None


@given(series, st.integers(0, 5), st.integers(0, 5))
def test_swing_points_are_their_definition(points, high_threshold, low_threshold):
    regimes = follow(SwingPoints(high_threshold, low_threshold), points)
    assert regimes == [swing(points[: n + 1], high_threshold, low_threshold) for n in range(len(points))]


def test_swing_points_by_hand():
    """With thresholds of 1, the second point that does not go beyond the running extreme confirms it."""
    steps = [
        (10, None),  # both levels are the first point, and it lies on them
        (12, BULLISH),
        (11, BULLISH),  # the second point above 10: the low is 10
        (12, None),  # the second one not above 12: the high is 12, and the point lies on it
        (13, BULLISH),
        (9, BEARISH),
        (12, NEUTRAL),  # the high is 13
        (10, NEUTRAL),  # the low is 9
        (8, BEARISH),
        (9, None),  # on the low; the high is 10, since the search began anew after 13 was confirmed
        (9, NEUTRAL),  # the low is 8
        (20, BULLISH),
    ]
    assert follow(SwingPoints(1, 1), [float(point) for point, _ in steps]) == [regime for _, regime in steps]


@pytest.mark.parametrize(
    "kind", [lambda: Ichimoku(2, 4, 3, 5), lambda: Ichimoku(3, 2, 0, 1, "a"), lambda: SwingPoints(1, 2)]
)
@given(points=series, cut=st.integers(0, 120))
def test_an_interrupted_signal_goes_on_as_if_never_interrupted(kind, points, cut):
    first, second = kind(), kind()
    head = follow(first, points[:cut])
    second.load(json.loads(json.dumps(first.dump())))
    assert second.value == first.value
    assert head + follow(second, points[cut:]) == follow(kind(), points)
    whole = kind()
    follow(whole, points)
    assert json.dumps(second.dump()) == json.dumps(whole.dump()), "nor is its state another one"


@pytest.mark.parametrize("kind", [Ichimoku, lambda: SwingPoints(2, 2)])
def test_what_a_signal_remembers_does_not_grow(kind):
    signal, sizes = kind(), []
    for n in range(2_000):
        signal.update(float(n % 37))
        sizes.append(len(json.dumps(signal.dump())))
    assert max(sizes[1_000:]) <= max(sizes[:1_000]) + 20
