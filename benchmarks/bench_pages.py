"""What pages cost with thousands of series: 40 products x 100 definitions, rows made in bulk, no market data.

    python benchmarks/bench_pages.py [--products 40 --definitions 100]

Requests go through all of Django in this process, without a web server. Each address is asked for once to fill the
caches, then several times, of which the cheapest counts: ms of processor time. `kB` is the answer, `kB sent` what gzip
makes of it.

Bars with 4,000 series: what the book and the API show first under 100 ms and 100 kB, status and metrics under 200 ms.
"""

import datetime as dt
import gzip
import time

import report

ADDRESSES = {
    "book": "/",
    "book, filtered": "/?q=p1+d2",
    "book, by value": "/?sort=-value",
    "book, stale series": "/?q=stale",
    "API: series": "/api/v1/series/",
    "status": "/status/",
    "metrics": "/metrics",
}
SESSION = dt.date(2026, 3, 2)


def main() -> None:
    parser = report.arguments(__doc__)
    parser.add_argument("--products", type=int, default=40, help="Products; each has every definition's series.")
    parser.add_argument("--definitions", type=int, default=100, help="EXO definitions.")
    parser.add_argument("--repeat", type=int, default=7, help="Requests of which the quickest counts.")
    options = parser.parse_args()
    with report.empty_home() as environment:
        report.manage("collectstatic", "--no-input", "-v", "0", environment=environment)
        report.django_here(environment)
        make_series(options.products, options.definitions)
        figures = {name: measure(address, options.repeat) for name, address in ADDRESSES.items()}
    rows = [[name, *figure.values()] for name, figure in figures.items()]
    report.table([f"{options.products * options.definitions:,} series", "ms", "kB", "kB sent"], rows)
    report.write("pages", figures, options.json)


def measure(address: str, repeat: int) -> dict[str, float]:
    """The cheapest of several requests of one who may see everything."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"Host": "localhost"})
    client.force_login(User.objects.get_or_create(username="reader", is_superuser=True)[0])
    times = []
    for _ in range(repeat + 1):
        begin = time.process_time()
        response = client.get(address)
        content = response.content
        times.append(time.process_time() - begin)
        if response.status_code != 200:
            raise SystemExit(f"{address} was answered with {response.status_code}: nothing to measure.")
    return {"ms": 1000 * min(times[1:]), "kB": len(content) / 1000, "kB sent": len(gzip.compress(content, 6)) / 1000}


def make_series(products: int, definitions: int) -> None:
    """Series as a backfill leaves them, most of them fresh: every tenth was computed by other parameters."""
    from exo_registry.definitions import catalogue
    from exo_registry.models import Definition, Product, Revision, Series
    from exo_registry.series import lineage

    path = "algorithms.continuous_future.ContinuousFuture"
    Product.objects.bulk_create(
        Product(exchangesymbol=f"P{i}", description=f"Product {i}", ticksize=0.25, tickvalue=12.5, calendar="")
        for i in range(products)
    )
    Definition.objects.bulk_create(Definition(name=f"D{i}", algorithm=path) for i in range(definitions))
    Product.objects.update(active=True)
    ends = {"newest_session": SESSION, "previous_session": SESSION - dt.timedelta(days=3)}
    Revision.objects.bulk_create(
        Revision(product=product, number=1, versions={}, earliest_change=SESSION, **ends)
        for product in Product.objects.all()
    )
    code, values = catalogue.source_hash(path), [1000.0 * (i % 7) - 3.5 * i for i in range(60)]
    rows = [
        Series(product=product, definition=definition, name=f"{product.exchangesymbol}_{definition.name}")
        for product in Product.objects.all()
        for definition in Definition.objects.all()
    ]
    rules = lineage.Rules()
    for i, row in enumerate(rows):
        row.start = row.first_date = SESSION - dt.timedelta(days=3650)
        row.last_date = row.last_session = SESSION
        row.last_exo, row.previous_exo, row.last_delta = values[i % 60] + i, values[i % 59] + i, 0.5
        row.change_sessions, row.points_count, row.sparkline = 1, 2600, [value + i for value in values]
        row.algorithm_hash, row.market_revision = code, 1
        row.parameters = {"former": 1} if i % 10 == 0 else lineage.parameters_record(lineage.algorithm_of(row))
        row.product_rules = rules.of(row)
    Series.objects.bulk_create(rows, batch_size=500)


if __name__ == "__main__":
    main()
