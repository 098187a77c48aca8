"""What docs/security.md promises and no other test looks at."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django_q.signing import BadSignature, SignedPackage

from exo_registry.models import Run
from exo_registry.operations.permissions import GROUPS, MAY
from tests.paths import ROOT

pytestmark = pytest.mark.django_db
OPEN = {"login", "healthz"}
TEXT = (ROOT / "docs/security.md").read_text()


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, object]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, f"{prefix}{pattern.pattern}")
        else:
            yield f"{prefix}{pattern.pattern}", pattern


def test_only_the_log_in_and_the_health_check_are_open():
    """All else is behind Django's log-in middleware, or asks for a token by itself."""
    free = {
        address: pattern
        for address, pattern in patterns(get_resolver())
        if not vars(pattern.callback).get("login_required", True)
    }
    tokens = {address for address in free if address.startswith(("api/", "metrics"))}
    assert {pattern.name for address, pattern in free.items() if address not in tokens} == OPEN
    assert {address for address in tokens if "(" not in address} >= {"api/v1/", "api/v1/runs/", "metrics"}


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/series/",
        "/api/v1/series/ES_ContFut",
        "/api/v1/series/ES_ContFut.csv",
        "/api/v1/series/ES_ContFut/trades.json",
        "/api/v1/series/ES_ContFut/position",
        "/api/v1/runs/",
        "/api/v1/runs/1/",
        "/api/v1/market/bars",
        "/api/v1/market/rates",
        "/metrics",
    ],
)
def test_the_api_asks_for_a_token_or_a_log_in(client, address):
    statuses = {client.get(address).status_code, client.post(address).status_code}
    assert 401 in statuses
    assert statuses <= {401, 405}


# Groups.


def test_the_table_of_the_groups_is_that_of_the_code():
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert dict(rows[1:]) == MAY
    assert MAY.keys() == GROUPS.keys()


@pytest.mark.parametrize(
    ("action", "groups"),
    [
        ("see", {"viewer", "trader", "operator", "quant"}),
        ("start", {"trader", "operator", "quant"}),
        ("cancel", {"operator", "quant"}),
        ("change products", {"operator", "quant"}),
        ("add products", {"quant"}),
        ("add definitions", {"quant"}),
        ("delete series", {"quant"}),
        ("change users", set()),
        ("make tokens", set()),
    ],
)
def test_each_group_may_do_what_the_table_says(make_product, django_user_model, action, groups):
    product, run = make_product("ES"), Run.objects.create(kind="backfill", source="page")
    addresses = {
        "see": reverse("product", args=["ES"]),
        "start": reverse("run-new"),
        "change products": reverse("admin:exo_registry_product_change", args=[product.pk]),
        "add products": reverse("admin:exo_registry_product_add"),
        "add definitions": reverse("admin:exo_registry_definition_add"),
        "change users": reverse("admin:auth_user_changelist"),
        "make tokens": reverse("admin:exo_registry_token_add"),
    }
    allowed = set()
    for name in GROUPS:
        user = django_user_model.objects.create_user(name, is_staff=True)
        user.groups.add(Group.objects.get(name=name))
        client = Client()
        client.force_login(user)
        if action == "cancel":
            may = client.post(reverse("run-cancel", args=[run.pk])).status_code != 403
        elif action == "delete series":
            may = user.has_perm("exo_registry.delete_series")
        elif action == "change products":  # whoever may only look gets the page without its form
            may = client.post(addresses[action], {}).status_code != 403
        else:
            may = client.get(addresses[action]).status_code == 200
        if may:
            allowed.add(name)
    assert allowed == groups


@pytest.mark.parametrize("address", ["/admin/auth/group/", "/admin/auth/user/{}/change/"])
def test_the_admin_says_what_each_group_may(client, root, address):
    client.force_login(root)
    text = client.get(address.format(root.pk)).text
    for name, rights in MAY.items():
        assert f'<th scope="row">{name}</th><td>{rights}</td>' in text


# Sessions and the browser.


def test_a_session_ends_with_its_user_and_with_the_password(client, vera):
    client.force_login(vera)
    assert client.get("/").status_code == 200
    vera.set_password("another-long-one")
    vera.save()
    assert client.get("/").status_code == 302
    client.force_login(vera)
    vera.is_active = False
    vera.save()
    assert client.get("/").status_code == 302


def test_cookies_are_kept_from_scripts_and_from_other_sites(client, vera):
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "vera", "password": "vera-password"})
    session, csrf = client.cookies["sessionid"], client.cookies["csrftoken"]
    assert session["httponly"]
    assert (session["samesite"], csrf["samesite"]) == ("Lax", "Lax")


def test_a_form_without_its_csrf_token_is_refused(vera):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/accounts/login/", {"username": "vera", "password": "vera-password"}).status_code == 403
    client.force_login(vera)
    assert client.post("/accounts/logout/").status_code == 403


def test_another_host_name_is_refused(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_there_is_no_password_reset(client, root):
    assert client.get("/accounts/password_reset/").status_code == 404
    client.force_login(root)
    for name in ("password_change", "password_change_done"):
        assert client.get(reverse(name)).status_code == 200


# Tasks.


def test_a_task_that_another_key_signed_is_not_unpickled(monkeypatch):
    package = SignedPackage.dumps({"func": "builtins.print"})
    assert SignedPackage.loads(package) == {"func": "builtins.print"}
    monkeypatch.setattr("django_q.conf.Conf.SECRET_KEY", "another key")
    monkeypatch.setattr("pickle.loads", lambda *_: pytest.fail("unpickled"))
    with pytest.raises(BadSignature):
        SignedPackage.loads(package)
