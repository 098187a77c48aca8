"""Notifications: a bad night is one message, recoveries are told, nothing secret gets out, nothing is raised."""

import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.urls import reverse
from django.utils import timezone

from exo_registry.definitions import sync_series
from exo_registry.models import Event, NotifierState, event_log
from exo_registry.operations import notifications

NOW = dt.datetime(2026, 3, 2, 20, 45, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def mailbox(settings):
    """A web server on loopback that takes json:// messages; `mailbox.status` is what it answers."""
    box = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    box.messages, box.status = [], 200
    thread = threading.Thread(target=box.serve_forever, daemon=True)
    thread.start()
    settings.NOTIFY_URLS = [f"json://desk:s3cret@127.0.0.1:{box.server_port}/hook"]
    yield box
    box.shutdown()
    box.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def series(make_product, make_definition):
    """Thirty series of two products, by name."""
    es, cl = make_product("ES"), make_product("CL")
    for number in range(15):
        make_definition(f"Exo{number}", products=[es, cl])
    sync_series()
    return {row.name: row for row in es.series.all() | cl.series.all()}


def happen(at: dt.datetime, kind: str, message: str, level: str = "info", **about: object) -> Event:
    event = event_log.record(kind, message, level=level, **about)
    Event.objects.filter(pk=event.pk).update(time=at)
    return event


def fail(row, at: dt.datetime, why: str = "the chain is too short") -> None:
    happen(at, "step", f"{row.name} failed: {why}", "error", series=row)


def recover(row, at: dt.datetime) -> None:
    happen(at, "step", f"{row.name}: 10 sessions added; 10 points and 0 trades written.", series=row)


def tick(start: dt.datetime, minutes: int = 1) -> dt.datetime:
    """Run the schedule every minute; returns the time after."""
    for number in range(minutes):
        notifications.send_digest(start + number * MINUTE)
    return start + minutes * MINUTE


def test_a_bad_night_is_one_message(mailbox, series):
    for row in series.values():
        fail(row, NOW)
    tick(NOW, 10)
    (message,) = mailbox.messages
    assert message["title"] == "exoweb: 30 problems"
    lines = message["message"].splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("CL failed (15): CL_Exo0, CL_Exo1, ")
    assert lines[0].endswith("and 7 more: CL_Exo0 failed: the chain is too short")


def test_nothing_is_sent_while_all_is_well(mailbox, series):
    recover(series["ES_Exo1"], NOW)
    happen(NOW, "run", "Run 1 done: 3 done.")
    tick(NOW, 5)
    assert mailbox.messages == []


def test_a_burst_is_gathered_before_it_is_told(mailbox, series):
    fail(series["ES_Exo1"], NOW)
    assert notifications.send_digest(NOW + 20 * MINUTE / 60) == "1 problem waits to be sent"
    fail(series["ES_Exo2"], NOW + 30 * MINUTE / 60)
    notifications.send_digest(NOW + MINUTE)
    assert [message["title"] for message in mailbox.messages] == ["exoweb: 2 problems"]


def test_the_same_problem_is_told_once_however_often_it_comes(mailbox, series):
    at = NOW
    for _ in range(60):
        fail(series["ES_Exo1"], at)
        at = tick(at)
    assert len(mailbox.messages) == 1


def test_new_problems_keep_a_distance_that_doubles(mailbox, series):
    at = NOW
    sent_at = []
    for row in [*series.values()] * 2:  # a new one every ten minutes, for five hours; then the same ones again
        fail(row, at)
        for _ in range(10):
            before = len(mailbox.messages)
            at = tick(at)
            if len(mailbox.messages) > before:
                sent_at.append(at - MINUTE - NOW)
    assert [round(moment / MINUTE) for moment in sent_at] == [1, 16, 46, 106, 226, 466]


def test_a_quiet_evening_ends_the_streak(mailbox, series):
    failing, other = series["ES_Exo1"], series["ES_Exo2"]
    fail(failing, NOW)
    tick(NOW, 30)
    fail(other, NOW + 5 * HOUR)
    tick(NOW + 5 * HOUR, 2)
    assert len(mailbox.messages) == 2
    assert NotifierState.objects.get().streak == 1


def test_a_recovery_is_told(mailbox, series):
    failing = series["ES_Exo1"]
    fail(failing, NOW)
    at = tick(NOW, 5)
    recover(failing, at)
    at = tick(at, 30)
    assert [message["title"] for message in mailbox.messages] == ["exoweb: 1 problem", "exoweb: 1 recovered"]
    assert mailbox.messages[1]["message"] == "Recovered: ES computed (1): ES_Exo1"
    assert NotifierState.objects.get().open == {}


def test_what_is_over_before_it_was_told_is_not_told(mailbox, series):
    failing = series["ES_Exo1"]
    fail(failing, NOW)
    recover(failing, NOW + MINUTE / 4)
    tick(NOW + MINUTE / 2, 5)
    assert mailbox.messages == []


def test_a_problem_that_comes_back_before_its_end_was_told_is_no_news(mailbox, series):
    failing = series["ES_Exo1"]
    fail(failing, NOW)
    at = tick(NOW, 3)
    recover(failing, at)
    at = tick(at)
    fail(failing, at)
    tick(at, 60)
    assert len(mailbox.messages) == 1


def test_delays_and_stuck_workers_are_told_and_so_is_their_end(mailbox, make_product):
    es = make_product("ES")
    happen(NOW, "delay", "ES: no bar for 2026-03-02 yet, 15 minutes late.", "warning", product=es)
    happen(NOW, "worker", "Work waits and no worker answers.", "warning")
    at = tick(NOW, 3)
    happen(at, "delay", "ES: bars of 2026-03-02 have come.", product=es)
    happen(at, "worker", "Workers answer again.")
    tick(at, 20)
    first, second = mailbox.messages
    assert "ES late: ES: no bar for 2026-03-02 yet" in first["message"]
    assert "workers: Work waits and no worker answers." in first["message"]
    assert second["title"] == "exoweb: 2 recovered"


def test_what_is_said_of_a_series_does_not_end_its_products_delay(mailbox, series):
    failing = series["ES_Exo1"]
    happen(NOW, "online", "ES: no bar yet.", "warning", product=failing.product)
    happen(NOW, "online", "ES_Exo1: never backfilled, so left alone.", series=failing)
    happen(NOW, "online", "ES_Exo2: reads a series that is not there.", "error")
    happen(NOW, "online", "CL_Exo2: reads a series that is not there.", "error")
    tick(NOW, 3)
    assert mailbox.messages[0]["title"] == "exoweb: 3 problems"


def test_a_feed_that_fails_is_told(mailbox, make_product):
    happen(NOW, "import", "ES: 1 row added (from feed)", product=make_product("ES"))
    happen(NOW, "import", "mongodb://host/desk: no server answers.", "error")
    tick(NOW, 3)
    assert mailbox.messages[0]["message"] == "import: mongodb://host/desk: no server answers."


def test_details_of_a_run_are_not_told(mailbox, series):
    failing = series["ES_Exo1"]
    happen(NOW, "step", f"{failing.name} skipped: ES_Exo0, which it reads, failed.", "warning", series=failing)
    happen(NOW, "run", "Run 1: cancel asked for.", "warning")
    happen(NOW, "notify", "Notification: address 1 failed.", "error")
    tick(NOW, 3)
    assert mailbox.messages == []


def test_a_detail_does_not_hide_a_failure(mailbox, series):
    failing = series["ES_Exo1"]
    fail(failing, NOW)
    happen(NOW + MINUTE / 60, "step", f"{failing.name}: to be computed again.", "warning", series=failing)
    tick(NOW, 3)
    assert len(mailbox.messages) == 1


def test_an_event_that_was_committed_late_is_told(mailbox, series):
    tick(NOW, 10)
    fail(series["ES_Exo1"], NOW + 5 * MINUTE)
    tick(NOW + 10 * MINUTE, 2)
    assert len(mailbox.messages) == 1


def test_old_events_are_not_told_when_notifications_are_switched_on(mailbox, series):
    fail(series["ES_Exo1"], NOW - 25 * HOUR)
    tick(NOW, 3)
    assert mailbox.messages == []


def test_a_traceback_is_told_by_its_last_line(mailbox, series):
    fail(series["ES_Exo1"], NOW, "Traceback (most recent call last):\n  File x\nValueError: strike " + "9" * 400 + "\n")
    tick(NOW, 3)
    text = mailbox.messages[0]["message"]
    assert ": ValueError: strike 999" in text
    assert text.endswith("9…")


def test_one_worker_at_a_time(mailbox, series):
    fail(series["ES_Exo1"], NOW)
    NotifierState.objects.create(pk=NotifierState.ONLY, lease_until=NOW + 2 * MINUTE)
    assert notifications.send_digest(NOW + MINUTE) == "another worker is sending"
    assert notifications.send_digest(NOW + 3 * MINUTE) == "sent 1 problem and 0 recoveries"


def test_a_worker_that_lost_its_lease_writes_nothing(mailbox, series, monkeypatch):
    fail(series["ES_Exo1"], NOW)
    real = notifications.send

    def slow(title, body):
        NotifierState.objects.update(lease_token=None)
        return real(title, body)

    monkeypatch.setattr(notifications, "send", slow)
    notifications.send_digest(NOW + MINUTE)
    assert NotifierState.objects.get().last_sent is None


def test_a_failing_address_is_an_event_and_tried_again(mailbox, series):
    mailbox.status = 500
    fail(series["ES_Exo1"], NOW)
    at = tick(NOW, 12)
    tries = len(mailbox.messages)
    assert tries == 3  # after 1, 6 and 11 minutes
    (event,) = Event.objects.filter(kind="notify")
    assert event.level == "error"
    assert "address 1 (json) did not accept the message" in event.message
    mailbox.status = 200
    tick(at, 10)
    assert len(mailbox.messages) == tries + 1
    assert Event.objects.filter(kind="notify").first().message == "Notifications are delivered again."


def test_one_good_address_is_enough(mailbox, series, settings):
    settings.NOTIFY_URLS = ["nonsense", *settings.NOTIFY_URLS]
    fail(series["ES_Exo1"], NOW)
    assert tick(NOW, 30)
    assert len(mailbox.messages) == 1
    (event,) = Event.objects.filter(kind="notify")
    assert (
        event.message
        == "Notification: address 1 (no scheme) is not one that apprise understands; see EXOWEB_NOTIFY_URLS."
    )


def test_secrets_are_neither_logged_nor_recorded(mailbox, series, caplog):
    caplog.set_level("INFO")
    mailbox.status = 500
    fail(series["ES_Exo1"], NOW)
    tick(NOW, 3)
    mailbox.shutdown()
    mailbox.server_close()
    notifications.send_test()
    recorded = caplog.text + "".join(Event.objects.values_list("message", flat=True))
    assert "s3cret" not in recorded


def test_a_plugin_that_raises_is_reported_by_kind(settings, db, monkeypatch):
    settings.NOTIFY_URLS = ["json://user:s3cret@127.0.0.1:1/"]

    def broken(*_, **__):
        raise RuntimeError("no json://user:s3cret@127.0.0.1:1/")

    monkeypatch.setattr("apprise.Apprise.notify", broken)
    assert notifications.send("title", "body").problems == ["address 1 (json) failed with RuntimeError"]


def test_without_an_address_nothing_is_read(db, settings, django_assert_num_queries):
    settings.NOTIFY_URLS = []
    with django_assert_num_queries(0):
        assert notifications.send_digest(timezone.now()) == "no address in EXOWEB_NOTIFY_URLS"


def test_a_long_message_is_cut(db):
    problems = [
        {"kind": "online", "product": f"P{number:02}", "series": "", "run": None, "message": "late"}
        for number in range(40)
    ]
    lines = notifications.message(problems, [])[1].splitlines()
    assert len(lines) == notifications.LINES + 1
    assert lines[-1] == "… and 10 more lines."


# The button in the admin.


def test_the_button_sends_a_test(mailbox, client, olga):
    client.force_login(olga)
    page = client.get(reverse("admin:exo_registry_notifierstate_changelist"))
    assert b"json://\xe2\x80\xa6" in page.content
    assert b"s3cret" not in page.content
    answer = client.post(reverse("admin:exo_registry_notifierstate_test"), follow=True)
    assert "A test was sent to 1 address." in answer.content.decode()
    assert mailbox.messages[0]["title"] == "exoweb: test"
    assert "olga" in mailbox.messages[0]["message"]
    assert Event.objects.get(kind="notify").user == olga


def test_the_button_says_what_is_wrong(client, root, settings):
    client.force_login(root)
    url = reverse("admin:exo_registry_notifierstate_test")
    settings.NOTIFY_URLS = []
    assert "No address is set" in client.post(url, follow=True).content.decode()
    settings.NOTIFY_URLS = ["nonsense"]
    assert "Address 1 (no scheme) is not one that apprise" in client.post(url, follow=True).content.decode()


@pytest.mark.parametrize("name", ["notifierstate_changelist", "notifierstate_test"])
def test_the_page_is_for_those_who_may_start_runs(client, vera, name):
    vera.is_staff = True
    vera.save()
    client.force_login(vera)
    assert client.post(reverse(f"admin:exo_registry_{name}")).status_code == 403


def test_a_test_is_never_sent_by_following_a_link(client, root):
    client.force_login(root)
    assert client.get(reverse("admin:exo_registry_notifierstate_test")).status_code == 405


def test_the_page_lists_open_problems(mailbox, client, root, series):
    fail(series["ES_Exo1"], NOW)
    fail(series["ES_Exo2"], NOW)
    tick(NOW, 2)
    fail(series["ES_Exo3"], NOW + 3 * MINUTE)
    tick(NOW + 4 * MINUTE)
    client.force_login(root)
    text = client.get(reverse("admin:exo_registry_notifierstate_changelist")).content.decode()
    waiting, _, sent = text.partition("Sent, and still open")
    assert "ES_Exo3" in waiting
    assert "ES_Exo1" in sent
    assert "ES_Exo3" not in sent
