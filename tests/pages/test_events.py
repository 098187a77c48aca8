"""The event log: filters, paging, the file."""

import csv
import datetime as dt
import io

import pytest

from exo_registry.models import Event, Run, event_log

from .builders import make_series

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 2, 20, 45, tzinfo=dt.UTC)


@pytest.fixture
def log(es, make_product) -> Run:
    """Five events about different things."""
    run = Run.objects.create(kind="backfill", source="page")
    contfut, crude = make_series(es), make_series(make_product("CL"))
    event_log.record("run", "Run planned", run=run)
    event_log.record("step", "ES_ContFut failed: no data", level="error", run=run, series=contfut)
    event_log.record("step", "CL_ContFut: attempt 2", level="warning", series=crude)
    event_log.record("worker", "The online cluster was stuck", level="error")
    event_log.record("import", "=1+1 rows imported", product=crude.product)
    Event.objects.update(time=NOW)
    Event.objects.filter(message="Run planned").update(time=NOW - dt.timedelta(days=10))
    return run


def shown(viewer, query: str) -> list[str]:
    """Messages on the page, by their first word."""
    events_shown = viewer.get(f"/events/?{query}").context["events"]
    return [event.message.split()[0] for event in events_shown]


def test_everything_newest_first(viewer, log):
    assert shown(viewer, "") == ["=1+1", "The", "CL_ContFut:", "ES_ContFut", "Run"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("level=warning", ["The", "CL_ContFut:", "ES_ContFut"]),
        ("level=error", ["The", "ES_ContFut"]),
        ("kind=step", ["CL_ContFut:", "ES_ContFut"]),
        ("product=CL", ["=1+1", "CL_ContFut:"]),
        ("series=ES_ContFut", ["ES_ContFut"]),
        ("text=NO+data", ["ES_ContFut"]),
        ("text=stuck&level=error", ["The"]),
        ("text=nothing+of+the+kind", []),
    ],
)
def test_filters(viewer, log, query, expected):
    assert shown(viewer, query) == expected


def test_by_run_and_by_date(viewer, log):
    assert shown(viewer, f"run={log.pk}") == ["ES_ContFut", "Run"]
    today = NOW.date()
    assert "Run" not in shown(viewer, f"since={today}")
    assert shown(viewer, f"until={today - dt.timedelta(days=1)}") == ["Run"]
    assert len(shown(viewer, f"since={today - dt.timedelta(days=20)}&until={today}")) == 5


@pytest.mark.parametrize("query", ["since=yesterday", "run=seven", "level=loud"])
def test_a_filter_that_means_nothing_says_so(viewer, log, query):
    answer = viewer.get(f"/events/?{query}")
    assert answer.status_code == 200
    assert answer.context["events"] == []
    assert "note error" in answer.content.decode()


def test_pages_go_on_to_older_events(viewer):
    Event.objects.bulk_create(Event(kind="run", message=f"event {i}") for i in range(250))
    seen, query = [], ""
    for _ in range(3):
        answer = viewer.get(f"/events/?kind=run&{query}")
        seen += [event.message for event in answer.context["events"]]
        query = answer.context["older"]
    assert seen == [f"event {i}" for i in reversed(range(250))]
    assert query == ""


@pytest.mark.parametrize(("count", "older"), [(100, False), (101, True)])
def test_a_page_has_a_hundred_events(viewer, count, older):
    Event.objects.bulk_create(Event(kind="run", message=f"event {i}") for i in range(count))
    answer = viewer.get("/events/?kind=run")
    assert len(answer.context["events"]) == 100
    assert bool(answer.context["older"]) is older


def test_both_dates_of_the_filter_are_included_from_midnight_to_midnight(viewer):
    day = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    second = dt.timedelta(seconds=1)
    times = {"before": day - second, "first": day, "last": day + dt.timedelta(days=1) - second}
    for name, time in (times | {"after": day + dt.timedelta(days=1)}).items():
        Event.objects.filter(pk=Event.objects.create(kind="run", message=name).pk).update(time=time)
    assert shown(viewer, "since=2026-03-02&until=2026-03-02") == ["last", "first"]


def test_the_file_has_all_that_fit(viewer, log):
    answer = viewer.get("/events.csv?product=CL")
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["message"] for row in rows] == ["'=1+1 rows imported", "CL_ContFut: attempt 2"]
    assert rows[1]["series"] == "CL_ContFut"
    assert dt.datetime.fromisoformat(rows[0]["time"]).utcoffset() == dt.timedelta(0)


def test_no_text_of_the_file_runs_as_a_formula(viewer, django_user_model):
    user = django_user_model.objects.create_user("@SUM(A1)")
    event_log.record("=kind", "＝1+1", user=user)
    text = b"".join(viewer.get("/events.csv").streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["kind"], row["message"], row["user"]) == ("'=kind", "'＝1+1", "'@SUM(A1)")


def test_typing_in_the_filter_fetches_the_table_alone(viewer, log):
    page = viewer.get("/events/?kind=step", headers={"HX-Request": "true"}).content.decode()
    assert page.lstrip().startswith('<section class="panel" id="events"')
    assert "text=" not in page.split("events.csv")[1][:30]


def test_the_links_keep_the_filter_and_the_search_box_stays_empty(viewer, log):
    page = viewer.get("/events/?kind=step&level=error").content.decode()
    assert 'href="/events.csv?kind=step&amp;level=error"' in page
    assert 'value="kind=step' not in page


def test_nothing_yet_and_nothing_that_fits(viewer):
    assert "No events yet" in viewer.get("/events/").content.decode()
    assert "No matching events" in viewer.get("/events/?kind=step").content.decode()


def test_a_traceback_is_folded(viewer):
    event_log.record("step", "It failed.\n" + "line\n" * 200, level="error")
    assert "<details>" in viewer.get("/events/").content.decode()
