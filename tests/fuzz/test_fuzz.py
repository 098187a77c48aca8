"""Every address with every parameter and values that make no sense: no answer is a server error, whoever asks.

Addresses come from the URL map and parameters from what the views ask for, so a new page is tried without a line here.
"""

import datetime as dt
import json
import logging
import traceback
from collections.abc import Iterator
from itertools import cycle, islice
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exo_registry import market
from exo_registry.models import Run, Scope, Series, Token
from exo_registry.runs import plan, worker
from tests.market.packs import small_pack, write_pack

from . import site
from .values import BODIES, FEW, TEXTS, UNREADABLE

ADDRESSES = site.addresses()
# Arguments of addresses that lead somewhere. A new argument of the URL map needs one here.
ARGUMENTS = {
    "name": "ES_Cover",
    "symbol": "ES",
    "form": "csv",
    "pk": 1,
    "object_id": 1,
    "id": 1,
    "_0": 1,  # of patterns without names: the history of an object
    "_1": 1,
    "content_type_id": 1,
    "app_label": "exo_registry",
    "url": "exo_registry/product",
    "history_id": 1,
    "version_id": 1,
    "uidb64": "MQ",
    "token": "set-password",
    "process_file": 1,
}
LEGS = [{"right": "F", "qty": 1}, {"right": "C", "qty": -1, "offset": 1}, {"right": "P", "qty": 1, "offset": 0}]
# What asking for a page may write: that somebody came.
WRITES_OF_GET = ("django_session", "exo_registry_token", "auth_user")


@pytest.fixture
def world(tmp_path, make_definition, root, vera, monkeypatch):
    """A series with a position, a run, a token: pages with something on them. Queries note what is asked of them."""
    market.import_pack(write_pack(tmp_path / "pack", small_pack()), activate=True)
    make_definition("Cover", "algorithms.fixed_legs.FixedLegs", parameters={"legs": LEGS})
    run = plan.start(plan.make_plan(start=dt.date(2020, 3, 2)), source=Run.Source.SHELL, user=root)
    worker.work(run.pk, run.steps.get().product_id)
    token = Token(name="fuzz", user=root, scopes=list(Scope.values))
    key = token.new_key()
    token.save()
    # No process runs them here; /healthz answers 503 once they are overdue, which is no fault.
    Schedule.objects.update(next_run=timezone.now() + dt.timedelta(days=1))
    monkeypatch.setitem(ARGUMENTS, "pk", run.pk)
    monkeypatch.setitem(ARGUMENTS, "object_id", Series.objects.get().pk)
    monkeypatch.setattr("django.core.handlers.wsgi.QueryDict", site.RecordingQuery)
    monkeypatch.setattr("django.http.request.QueryDict", site.RecordingQuery)
    logging.disable(logging.CRITICAL)
    yield {"authorization": f"Bearer {key}"}
    logging.disable(logging.NOTSET)


class Browser:
    """Somebody who asks: each request is checked, and what it wrote is taken back."""

    def __init__(self, user=None) -> None:
        self.client = Client(raise_request_exception=False)
        if user:
            self.client.force_login(user)
        self.failures: list[str] = []

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind, *_) -> None:
        """All that went wrong at once: one fault often hides behind another."""
        if kind is None:
            assert not self.failures, "\n\n".join([f"{len(self.failures)} faults", *self.failures[:20]])

    def expect(self, holds: object, *arguments: object) -> None:
        if not holds:
            self.failures.append(" ".join(map(str, arguments)))

    def ask(self, method: str, address: str, data=None, **options):
        site.RecordingQuery.asked.clear()
        writes: list[str] = []
        with transaction.atomic(), connection.execute_wrapper(self._noting(writes)):
            response = self.client.generic(method, address, data or b"", **options)
            body = response.getvalue()
            transaction.set_rollback(True)
        shown = f"{method} {address[:300]!r} {str(data)[:300]!r} {options}"
        self.expect(response.status_code < 500, response.status_code, shown, _cause(response))
        if address.startswith("/api/") and method != "HEAD":
            self._expect_json(response, body, shown)
        if method == "GET":
            self.expect(not writes, shown, "wrote", *writes)
        return response, body

    def _expect_json(self, response, body: bytes, shown: str) -> None:
        """Errors are JSON with a sentence, and what says that it is JSON is."""
        refused = response.status_code >= 400
        if not refused and response.get("Content-Type") != "application/json":
            return
        try:
            answer = json.loads(body, parse_constant=_no_constant)
        except ValueError as error:
            self.expect(False, shown, error, body[:200])
        else:
            self.expect(not refused or answer.get("error") or answer.get("errors"), shown, "has no sentence")

    @staticmethod
    def _noting(writes: list[str]):
        def execute(run, sql, params, many, context):
            statement = sql.lstrip().upper()
            if statement.startswith(("INSERT", "UPDATE", "DELETE")) and not any(name in sql for name in WRITES_OF_GET):
                writes.append(sql[:200])
            return run(sql, params, many, context)

        return execute


def _cause(response) -> str:
    return "".join(traceback.format_exception(*response.exc_info)[-3:]) if response.exc_info else ""


def _no_constant(word):
    raise ValueError(f"{word} is no JSON")


def in_turn() -> Iterator[str]:
    """All values again and again: taking a few for each parameter tries every one with many parameters, in seconds."""
    return cycle(TEXTS)


def query(pairs) -> str:
    return urlencode(pairs, errors="surrogatepass")


def asked_for(browser: Browser, path: str) -> list[str]:
    """The parameters that the view of an address reads."""
    browser.ask("GET", path)
    names = {name for name in site.RecordingQuery.asked if isinstance(name, str)}
    return sorted({*names, *site.admin_parameters(path), *site.api_parameters(path)})


def path_of(address: site.Address) -> str:
    return address.path(ARGUMENTS)


def test_every_argument_of_an_address_has_a_sample():
    needed = {name for address in ADDRESSES for name in address.arguments}
    assert needed <= ARGUMENTS.keys()


def test_the_admin_and_the_api_are_among_the_addresses():
    assert sum(address.is_admin for address in ADDRESSES) > 40
    assert sum(address.is_api for address in ADDRESSES) > 10
    assert {"", "events/", "series/%(name)s/"} <= {address.pattern for address in ADDRESSES}


def test_the_parameters_that_views_read_are_noticed(world, root):
    with Browser(root) as browser:
        assert {"text", "until", "run", "before"} <= set(asked_for(browser, "/events/"))
        assert {"from", "to", "columns"} <= set(asked_for(browser, "/api/v1/series/ES_Cover.json"))
        assert {"price", "vol", "days"} <= set(asked_for(browser, "/series/ES_Cover/payoff/"))
        assert "after" in asked_for(browser, f"/runs/{ARGUMENTS['pk']}/progress/")
        assert {"s"} <= set(asked_for(browser, "/compare/"))
        assert {"product__exact", "created__year", "q"} <= {
            *asked_for(browser, "/admin/exo_registry/run/"),
            "product__exact",
        }


@pytest.mark.parametrize("part", range(3))
def test_no_parameter_of_a_page_ends_in_a_server_error(world, root, part):
    texts = in_turn()
    with Browser(root) as browser:
        for address in [address for address in ADDRESSES if not address.is_admin][part::3]:
            path = path_of(address)
            for name in asked_for(browser, path):
                for value in islice(texts, 6):
                    browser.ask("GET", f"{path}?{query([(name, value)])}")
                browser.ask("GET", f"{path}?{query([(name, 'exo'), (name, '1')])}")
            for value in UNREADABLE:
                browser.ask("GET", f"{path}?{query([('q', value)])}")
                browser.ask("GET", f"{path}?{query([(value, 'q')])}")
            for other in ("x=1", "x[]=1&x[]=2", "&&==&%", "%ff=%fe", "a=" + "b" * 9000, "&".join(["a=1"] * 1500)):
                browser.ask("GET", f"{path}?{other}")


@pytest.mark.parametrize("part", range(3))
def test_no_parameter_of_the_admin_ends_in_a_server_error(world, root, part):
    texts = in_turn()
    with Browser(root) as browser:
        for address in [address for address in ADDRESSES if address.is_admin][part::3]:
            path = path_of(address)
            for name in asked_for(browser, path):
                for value in islice(texts, 1):
                    browser.ask("GET", f"{path}?{query([(name, value)])}")


def test_no_argument_of_an_address_ends_in_a_server_error(world, root):
    with Browser(root) as browser:
        for address in ADDRESSES:
            for name in address.arguments:
                for value in (*FEW, "ES_Cover.", "..", "%00", "-1", "9" * 5000, "\u202e"):
                    path = address.path(ARGUMENTS | {name: value})
                    browser.ask("GET", path)
                    browser.ask("POST", path)


@pytest.mark.parametrize("who", ["anonymous", "viewer"])
def test_others_get_no_server_error_either(world, vera, who):
    with Browser(vera if who == "viewer" else None) as browser:
        for address in ADDRESSES:
            path = path_of(address)
            for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"):
                browser.ask(method, path)
            for value in FEW:
                pairs = [(name, value) for name in ("q", "next", "from", "run", "until", "price", "s", "after", "id")]
                browser.ask("GET", f"{path}?{query(pairs)}")
                browser.ask("POST", path, query(pairs), content_type="application/x-www-form-urlencoded")


def test_no_body_ends_in_a_server_error(world, root):
    with Browser(root) as browser:
        for address in [address for address in ADDRESSES if address.is_api]:
            for body in BODIES:
                browser.ask("POST", path_of(address), body, content_type="application/json", headers=world)
            for kind in (
                "multipart/form-data; boundary=x",
                "multipart/form-data",
                "text/plain; charset=base64",
                "a/b; =;",
            ):
                browser.ask("POST", path_of(address), b"--x\r\n\x00", content_type=kind, headers=world)


def forms_of(browser: Browser) -> Iterator[tuple[str, site.Form]]:
    """Each form with fields that a superuser can send, once."""
    seen = set()
    for address in ADDRESSES:
        response, body = browser.ask("GET", path_of(address))
        if response.status_code == 200 and "text/html" in response["Content-Type"]:
            for form in site.Forms.of(body.decode()):
                target = form.action if form.action.startswith("/") else path_of(address)
                key = (target, form.method, tuple(form.fields))
                if form.method == "post" and key not in seen and "logout" not in target:
                    seen.add(key)
                    yield target, form


@pytest.mark.parametrize("part", range(3))
def test_no_field_of_a_form_ends_in_a_server_error(world, root, part):
    texts = in_turn()
    with Browser(root) as browser:
        for target, form in list(forms_of(browser))[part::3]:
            for name in form.fields:
                for value in islice(texts, 2):
                    pairs = [
                        (other, value) for other, values in form.fields.items() for value in values if other != name
                    ]
                    sent = query([*pairs, (name, value)])
                    browser.ask("POST", target, sent, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("kind", ["GET", "POST"])
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_at_random_ends_in_a_server_error(world, root, kind, data):
    with Browser(root) as browser:
        path = path_of(data.draw(st.sampled_from(ADDRESSES)))
        names = st.sampled_from(asked_for(browser, path) or ["q"])
        values = st.text(max_size=30) | st.integers().map(str) | st.floats().map(str) | st.dates().map(str)
        pairs = data.draw(st.lists(st.tuples(names, values), max_size=5))
        if kind == "GET":
            browser.ask("GET", f"{path}?{query(pairs)}")
        else:
            browser.ask("POST", path, query(pairs), content_type="application/x-www-form-urlencoded")
