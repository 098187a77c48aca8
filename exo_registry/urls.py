"""Pages and JSON of the registry."""

from django.urls import include, path

from .views import api_docs, book, compare, events, health, position, product, runs, search, series, statistics, status

urlpatterns = [
    path("", book.book, name="book"),
    path("book.csv", book.book_csv, name="book-csv"),
    path("status/", status.status, name="status"),
    path("events/", events.events, name="events"),
    path("events.csv", events.events_csv, name="events-csv"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("search/", search.search, name="search"),
    path("series/<str:name>/", series.series, name="series"),
    path("series/<str:name>/chart.json", series.chart, name="series-chart"),
    path("series/<str:name>/statistics/", statistics.statistics, name="series-statistics"),
    path("series/<str:name>/position/", position.position, name="series-position"),
    path("series/<str:name>/payoff/", position.payoff, name="series-payoff"),
    path("compare/", compare.compare, name="compare"),
    path("compare/statistics/", compare.statistics, name="compare-statistics"),
    path("products/", product.products, name="products"),
    path("products/<str:symbol>/", product.product, name="product"),
    path("runs/", runs.runs, name="runs"),
    path("runs/new/", runs.new, name="run-new"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/progress/", runs.progress, name="run-progress"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run-cancel"),
    path("runs/<int:pk>/resume/", runs.resume, name="run-resume"),
    path("runs/<int:pk>/retry/", runs.retry, name="run-retry"),
    path("api/v1/docs/", api_docs.api_docs, name="api-docs"),
    path("api/v1/", include("exo_registry.api.urls")),
]
