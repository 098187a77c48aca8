"""Series with points, made without the engine: the pages only read tables."""

import datetime as dt

from django.utils import timezone

from exo_registry.models import Definition, Gap, Point, Product, Series, Trade

COLLAR = "algorithms.collar.BrokenWingCollar"
FUTURE = "algorithms.continuous_future.ContinuousFuture"


def make_series(
    product: Product, exo: str = "ContFut", *, points: int = 30, gaps: int = 0, algorithm: str = FUTURE
) -> Series:
    """A series of `points` weekdays from 2020-01-01 on: values 100, 101.5, …, a trade on each tenth; then gaps."""
    definition, _ = Definition.objects.get_or_create(name=exo, defaults={"algorithm": algorithm})
    series, _ = Series.objects.get_or_create(
        definition=definition, product=product, direction="", defaults={"name": f"{product}_{exo}"}
    )
    if not points:
        return series
    days = weekdays(points + gaps)
    values = [100 + 1.5 * i for i in range(points)]
    Point.objects.bulk_create(
        Point(
            series=series,
            date=day,
            exo=value,
            delta=0.5,
            is_rollover=i % 10 == 0,
            nfutures_executed=float(i % 10 == 0),
            nfutures_opened=1,
            noptions_executed=0,
            noptions_opened=0,
            costs=0,
            gross=value,
        )
        for i, (day, value) in enumerate(zip(days, values, strict=False))
    )
    Trade.objects.bulk_create(
        Trade(
            series=series, date=day, number=1, contract="F.ESH20", qty=1, price=3000.25, value=150012.5, reason="open"
        )
        for day in days[:points:10]
    )
    Gap.objects.bulk_create(Gap(series=series, date=day, reason="F.ESH20 has no bar") for day in days[points:])
    series.start = series.first_date = days[0]
    series.last_date, series.last_session = days[points - 1], days[-1]
    series.last_exo, series.previous_exo, series.last_delta = values[-1], values[-2], 0.5
    series.change_sessions = 1
    series.points_count, series.gaps_count, series.sparkline = points, gaps, values[-60:]
    series.parameters, series.product_rules, series.market_revision = {}, {}, 1
    series.generation, series.computed_at = 1, timezone.now()
    series.save()
    return series


def weekdays(count: int, first: dt.date = dt.date(2020, 1, 1)) -> list[dt.date]:
    days = (first + dt.timedelta(days=i) for i in range(2 * count + 7))
    return [day for day in days if day.weekday() < 5][:count]
