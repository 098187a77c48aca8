"""Statistics in plain Python, written from the definitions in docs/statistics.md and from nothing else.

One point, one trade and one session at a time; `statistics` answers the fields of a Performance by name.
"""

import datetime as dt
import math
from itertools import pairwise


def notional_by_year(points, trades, prices, point_value):
    """For each year: the notional of its last point before, or of its first point with a position and a price."""

    def notional(date):
        held = {}
        for trade in trades:
            if trade["date"] <= date:
                held[trade["contract"]] = held.get(trade["contract"], 0) + trade["qty"]
        known = [day for day in prices if day <= date]
        size = max((abs(qty) for qty in held.values()), default=0)
        return size * abs(prices[max(known)]) * point_value if known else 0

    dates = [point["date"] for point in points]
    capital = {}
    for year in {date.year for date in dates}:
        before = [date for date in dates if date.year < year][-1:]
        for date in before + [date for date in dates if date.year == year]:
            if notional(date):
                capital[year] = notional(date)
                break
    return capital


def statistics(points, trades, gaps, capital=None, start=None):
    """Points and trades are dicts a row. `capital` is a number, one by year, or None."""
    start = start or dt.date.min
    inside = [point for point in points if point["date"] >= start]
    earlier = [point for point in points if point["date"] < start]
    sessions = sorted({point["date"] for point in points} | set(gaps))
    traded = [trade for trade in trades if trade["date"] >= start]
    answer = {
        "points": len(inside),
        "gaps": sum(gap >= start for gap in gaps),
        "trades": len(traded),
        "contracts_traded": math.fsum(abs(trade["qty"]) for trade in traded),
        "stale_sessions": sum(point["stale_days"] > 0 for point in inside),
        "oldest_bar": max((point["stale_days"] for point in inside), default=0),
    }
    if not inside:
        return answer
    origin = {"date": earlier[-1]["date"], "exo": earlier[-1]["exo"]} if earlier else None
    base = origin["exo"] if origin else 0.0
    first, last = inside[0]["date"], inside[-1]["date"]
    years = (last - (origin or inside[0])["date"]).days / 365.25
    profit = inside[-1]["exo"] - base
    answer |= {
        "first": first,
        "last": last,
        "years": years or None,
        "profit": profit,
        "annual_profit": profit / years if years else None,
        "costs": math.fsum(point["costs"] for point in inside),
        "in_market": sum(point["nfutures_opened"] + point["noptions_opened"] > 0 for point in inside) / len(inside),
    }

    def change(before, after):
        span = sum(before["date"] < session <= after["date"] for session in sessions)
        return after["date"], after["exo"] - before["exo"], span

    changes = [change(*pair) for pair in pairwise(([origin] if origin else []) + inside)]
    answer["changes_over_gaps"] = sum(span > 1 for *_, span in changes)
    gains = [each for each in changes if each[1] > 0]
    losses = [each for each in changes if each[1] < 0]
    answer["hit_rate"] = len(gains) / (len(gains) + len(losses)) if gains or losses else None
    answer["best"] = max(gains, key=lambda each: each[1]) if gains else None
    answer["worst"] = min(losses, key=lambda each: each[1]) if losses else None
    answer["annual_deviation"] = annual_deviation([(amount, span) for _, amount, span in changes])
    answer["max_drawdown"] = largest_fall([base] + [point["exo"] for point in inside])
    answer |= returns(inside, base, changes, traded, years, capital, has_origin=origin is not None)
    return answer


def returns(inside, base, changes, traded, years, capital, *, has_origin):
    """What is on the capital. Where it is not known, ratios are those on a capital of one, and the rest is None."""

    def of(year):
        return capital.get(year) if isinstance(capital, dict) else capital

    levels = [base] + [point["exo"] for point in inside]
    moves = [(point["date"], after - before) for point, (before, after) in zip(inside, pairwise(levels), strict=True)]
    known = all(of(date.year) for date, amount in moves if amount) and capital is not None
    rated = [amount / of(date.year) if known and amount else amount for date, amount in moves]
    summed = [math.fsum(rated[:count]) for count in range(len(rated) + 1)]
    total, fall = summed[-1], largest_fall(summed)
    pairs = [(rate, span) for rate, (*_, span) in zip(rated if has_origin else rated[1:], changes, strict=True)]
    deviation = annual_deviation(pairs)
    mean = math.fsum(rate for rate, _ in pairs) / sum(span for _, span in pairs) if len(pairs) > 1 else None
    downside = math.sqrt(math.fsum(min(x, 0) ** 2 / k for x, k in pairs) / len(pairs)) if len(pairs) > 1 else None
    answer = {
        "sharpe": mean * 252 / deviation if deviation else None,
        "sortino": mean * math.sqrt(252) / downside if downside else None,
        "calmar": total / years / fall if years and fall else None,
    }
    if not known:
        return answer | dict.fromkeys(("total_return", "annual_return", "mean_return", "volatility", "drawdown_return"))
    paid = all(of(trade["date"].year) for trade in traded)
    return answer | {
        "total_return": total,
        "annual_return": total / years if years else None,
        "mean_return": None if mean is None else mean * 252,
        "volatility": deviation,
        "drawdown_return": fall,
        "turnover": math.fsum(abs(trade["value"]) / of(trade["date"].year) for trade in traded) / 2 / years
        if years and paid
        else None,
        "by_year": {
            year: math.fsum(rate for rate, (date, _) in zip(rated, moves, strict=True) if date.year == year)
            for year in {point["date"].year for point in inside}
        },
    }


def annual_deviation(pairs):
    """Of changes over so many sessions each: √252 x √(sum of (x - k mean)² / k, over n - 1)."""
    if len(pairs) < 2:
        return None
    mean = math.fsum(x for x, _ in pairs) / sum(k for _, k in pairs)
    variance = math.fsum((x - k * mean) ** 2 / k for x, k in pairs) / (len(pairs) - 1)
    return math.sqrt(252 * variance)


def largest_fall(levels):
    if len(levels) < 3:
        return None
    return max(max(levels[: at + 1]) - level for at, level in enumerate(levels))
