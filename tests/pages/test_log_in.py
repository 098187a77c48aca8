"""Log-ins: how wrong passwords are bounded, what the page and the event log say of it, and how to unlock."""

import datetime as dt
import html
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from exo_registry.models import Event
from exo_registry.web import log_in
from exo_registry.web.client_address import client_address

pytestmark = pytest.mark.django_db
SITE, ADMIN = "/accounts/login/", "/admin/login/"
WRONG = "not the password"


def attempt(client, password=WRONG, name="olga", page=SITE, address="203.0.113.7", **extra):
    return client.post(page, {"username": name, "password": password}, REMOTE_ADDR=address, **extra)


def fail(client, times: int = 5, **options):
    for _ in range(times):
        answer = attempt(client, **options)
    return answer


def messages() -> list[tuple[str, str]]:
    return list(Event.objects.filter(kind="login").order_by("pk").values_list("level", "message"))


def said(answer) -> str:
    """The errors of the page's form, as the page shows them."""
    (error,) = answer.context["form"].non_field_errors()
    assert error in html.unescape(answer.content.decode())
    return error


@pytest.mark.parametrize("page", [SITE, ADMIN])
def test_the_fifth_wrong_password_waits_and_says_how_long(client, olga, page):
    assert fail(client, 4, page=page).status_code == 200
    answer = attempt(client, page=page)
    assert answer.status_code == 429
    assert 890 <= int(answer["Retry-After"]) <= 900
    assert said(answer) == (
        "Too many wrong passwords for this user name from your address. "
        "Try again in 15 minutes, or ask an administrator to unlock it."
    )
    right = attempt(client, "olga-password", page=page)
    assert right.status_code == 429
    assert "_auth_user_id" not in client.session


def test_the_site_and_the_admin_count_together(client, olga):
    fail(client, 3, page=SITE)
    assert fail(client, 2, page=ADMIN).status_code == 429
    assert attempt(client, page=SITE).status_code == 429


def test_four_wrong_passwords_and_the_right_one_start_from_zero(client, olga):
    for _ in range(3):
        fail(client, 4)
        assert attempt(client, "olga-password")["Location"] == "/"
        client.logout()


def test_the_wait_ends_and_attempts_meanwhile_do_not_make_it_longer(client, olga):
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        fail(client)
        clock.move_to(start + dt.timedelta(minutes=14, seconds=30))
        assert "Try again in 1 minute, or" in said(attempt(client, "olga-password"))
        clock.move_to(start + dt.timedelta(minutes=15, seconds=1))
        assert attempt(client, "olga-password").status_code == 302


def test_nobody_keeps_a_user_out_from_elsewhere(client, olga):
    fail(client, address="198.51.100.1")
    assert attempt(client, "olga-password", address="203.0.113.7").status_code == 302


def test_one_user_that_waits_keeps_no_colleague_out(client, olga, vera):
    fail(client, name="olga")
    assert attempt(client, "vera-password", name="vera").status_code == 302


def test_another_browser_does_not_help(client, olga):
    for number in range(5):
        answer = attempt(client, HTTP_USER_AGENT=f"browser {number}")
    assert answer.status_code == 429


@pytest.mark.django_db(transaction=True)
def test_attempts_at_once_are_all_counted(olga):
    def guess(_):
        try:
            return attempt(Client()).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(guess, range(24)))
    # Those that were under way when the limit was reached were still tried; everything after them was not.
    assert statuses.count(429) >= 24 - 4 - 3
    assert attempt(Client(), "olga-password").status_code == 429


def test_failures_and_waits_are_events(client, olga):
    fail(client, 7)
    failed = ("info", "Log-in as 'olga' from 203.0.113.7 failed.")
    waits = ("warning", "Log-in as 'olga' from 203.0.113.7 waits 15 minutes after 5 wrong passwords.")
    assert messages() == [failed] * 5 + [waits]


def test_a_name_is_cut_and_cleaned_for_the_log(client):
    attempt(client, name="o\u202elga\x1b[31m\n2026-01-01 admin: all is well\u200b" + "x" * 99)
    ((_, message),) = messages()
    assert re.fullmatch(r"Log-in as 'olga\[31m2026-01-01 admin: all is wellx+…' from 203.0.113.7 failed\.", message)
    assert len(message) < 120


def test_a_name_that_no_user_can_have_is_an_answer_like_any_other(client, db):
    for name in ("x" * 10_000, ""):
        assert attempt(client, name=name).status_code == 200
    for name in ("a%00b", "%ED%A0%80"):  # NUL, and half a surrogate pair
        form = f"username={name}&password=x"
        assert client.post(SITE, form, content_type="application/x-www-form-urlencoded").status_code == 400


def test_no_password_is_kept(client, olga):
    client.post(SITE, {"username": "olga", "password": "hunter2-x", "pass": "hunter2-y"}, QUERY_STRING="p=hunter2-z")
    fail(client, 5, password="hunter2-x")
    kept = [str(row) for model in (AccessAttempt, Event) for row in model.objects.values()]
    assert kept
    assert not [row for row in kept if "hunter2" in row]


def test_a_list_of_names_does_not_fill_the_log(client, monkeypatch):
    monkeypatch.setattr(log_in, "MOST_NAMES", 3)
    for number in range(8):
        attempt(client, name=f"user{number}")
    assert len(messages()) == 4
    assert messages()[-1] == (
        "warning",
        "More than 3 user names were tried from 203.0.113.7; further failures are not listed.",
    )


def test_an_operator_unlocks_in_the_shell(client, olga, capsys):
    fail(client)
    call_command("axes_reset_username", "olga")
    assert attempt(client, "olga-password").status_code == 302


def test_a_superuser_unlocks_in_the_admin(client, olga, root):
    fail(client)
    admin = Client()
    admin.force_login(root)
    row = AccessAttempt.objects.get()
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=16)):
        assert 'alt="False"' in admin.get("/admin/axes/accessattempt/").text  # waits no more
    page = admin.get("/admin/axes/accessattempt/").text
    assert "203.0.113.7" in page
    assert 'alt="True"' in page
    admin.post(f"/admin/axes/accessattempt/{row.pk}/delete/", {"post": "yes"})
    assert attempt(client, "olga-password").status_code == 302


@pytest.mark.parametrize("page", [SITE, ADMIN])
def test_after_a_failure_the_caret_is_in_the_password(client, olga, page):
    def focused(answer) -> str:
        (field,) = re.findall(r"<input[^>]* autofocus[^>]*>", answer.content.decode())
        return re.search(r'name="(\w+)"', field)[1]

    assert focused(client.get(page)) == "username"
    assert focused(attempt(client, page=page)) == "password"


# The client's address.


def address(forwarded: str | None = None, remote: str = "127.0.0.1") -> str | None:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))


def test_forwarded_addresses_are_not_believed_by_default():
    assert address("198.51.100.1", remote="203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # what the client wrote stands to the left
        (2, "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "198.51.100.1", "127.0.0.1"),  # it did not come through both proxies
        (1, None, "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "unknown", "127.0.0.1"),
        (1, "<script>", "127.0.0.1"),
        (1, "2606:4700:12:34:5:6:7:8", "2606:4700:12:34::"),  # one subscriber has the whole network
        (1, "::1", "::1"),
    ],
)
def test_trusted_proxies_say_whom_they_speak_for(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    assert address(forwarded) == expected


def test_a_made_up_header_does_not_help_behind_a_proxy(client, olga, settings):
    settings.TRUSTED_PROXIES = 1
    for number in range(5):
        answer = attempt(client, address="127.0.0.1", HTTP_X_FORWARDED_FOR=f"10.9.8.{number}, 203.0.113.7")
    assert answer.status_code == 429


def test_without_a_network_address_attempts_are_counted_too(client, olga):
    assert fail(client, address="").status_code == 429
    assert attempt(client, "olga-password", address="").status_code == 429
