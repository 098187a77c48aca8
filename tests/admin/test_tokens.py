"""API tokens in the admin: shown once, never for somebody else, never more than their user may."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from exo_registry.api.endpoint import Endpoint, operation
from exo_registry.models import Scope, Token

ADD = reverse("admin:exo_registry_token_add")
LIST = reverse("admin:exo_registry_token_changelist")


@pytest.fixture
def maker(olga):
    """An operator who may make tokens."""
    names = ["add_token", "view_token", "change_token", "delete_token"]
    olga.user_permissions.set(Permission.objects.filter(codename__in=names))
    return olga


def fields(user, *scopes: str, **more: str) -> dict:
    return {"name": "feed", "user": user.pk, "scopes": list(scopes), "expires_0": "", "expires_1": ""} | more


def key_of(response: HttpResponse) -> str:
    return re.search(r'id="key">(exo_[\w-]+)<', response.text)[1]


def test_a_token_is_shown_once(client, root):
    client.force_login(root)
    response = client.post(ADD, fields(root, Scope.READ, Scope.MARKET))
    key = key_of(response)
    assert "no-store" in response["Cache-Control"]
    token = Token.objects.get()
    assert token.digest == Token.hash(key)
    assert token.scopes == ["read", "market"]
    for page in (LIST, reverse("admin:exo_registry_token_change", args=[token.pk])):
        text = client.get(page).text
        assert key not in text
        assert token.digest not in text


def test_a_change_keeps_key_and_user(client, root, vera):
    client.force_login(root)
    key = key_of(client.post(ADD, fields(root, Scope.READ)))
    token = Token.objects.get()
    page = reverse("admin:exo_registry_token_change", args=[token.pk])
    client.post(page, fields(vera, Scope.READ, Scope.RUNS, name="renamed"))
    token.refresh_from_db()
    assert (token.name, token.user, token.scopes) == ("renamed", root, ["read", "runs"])
    assert token.digest == Token.hash(key)


def test_nobody_makes_a_token_for_somebody_else(client, maker, root):
    client.force_login(maker)
    response = client.post(ADD, fields(root, Scope.READ))
    assert "Select a valid choice" in response.text
    assert not Token.objects.exists()
    assert key_of(client.post(ADD, fields(maker, Scope.READ)))


def test_nobody_makes_a_token_that_may_do_more_than_they(client, maker):
    client.force_login(maker)
    response = client.post(ADD, fields(maker, Scope.MARKET))
    assert "olga may not write market data: the permission is exo_registry.add_revision." in response.text
    assert not Token.objects.exists()


def test_a_token_has_a_use(client, root):
    client.force_login(root)
    assert "This field is required" in client.post(ADD, fields(root)).text


def test_others_tokens_are_not_seen(client, maker, root):
    token = Token(name="secret-feed", user=root, scopes=[Scope.READ])
    token.new_key()
    token.save()
    client.force_login(maker)
    assert "secret-feed" not in client.get(LIST).text
    assert client.get(reverse("admin:exo_registry_token_change", args=[token.pk])).status_code == 302
    client.force_login(root)
    assert "secret-feed" in client.get(LIST).text


def test_tokens_are_for_those_with_the_permission(client, olga):
    client.force_login(olga)
    assert client.get(ADD).status_code == 403


# Views that take a token or a session.


def ask(user=None, *, scope: str = Scope.READ, key: str = "", csrf: bool = True, method: str = "post") -> HttpResponse:
    """What a view for `scope` answers; `csrf`: whether a session's request has the page's token."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    request = getattr(RequestFactory(), method)("/api/v1/thing", headers=headers)
    if user is None:
        from django.contrib.auth.models import AnonymousUser

        user = AnonymousUser()
    request.user = user
    if csrf:
        page = Client(enforce_csrf_checks=True)
        page.get(reverse("login"))
        cookie = page.cookies["csrftoken"].value
        request.COOKIES["csrftoken"] = cookie
        request.META["HTTP_X_CSRFTOKEN"] = cookie

    def name_of_user(request):
        return HttpResponse(request.user.username)

    return Endpoint(get=operation()(name_of_user), post=operation(scope)(name_of_user))(request)


def make_key(user, *scopes: str) -> str:
    token = Token(name="feed", user=user, scopes=list(scopes))
    key = token.new_key()
    token.save()
    return key


def test_a_session_is_enough_where_it_may_be(vera):
    assert ask(vera).text == "vera"
    assert ask().status_code == 401


def test_a_session_needs_the_permission_of_the_scope(vera, olga):
    assert ask(vera, scope=Scope.RUNS).status_code == 403
    assert ask(olga, scope=Scope.RUNS).text == "olga"


def test_a_session_that_writes_needs_the_pages_token(olga):
    response = ask(olga, scope=Scope.RUNS, csrf=False)
    assert response.status_code == 403
    assert "CSRF" in response.text
    assert ask(olga, csrf=False, method="get").text == "olga"


def test_a_token_needs_no_page(olga):
    assert ask(key=make_key(olga, Scope.RUNS), scope=Scope.RUNS, csrf=False).text == "olga"


def test_a_bad_token_is_refused_in_a_session_too(root):
    assert ask(root, key="exo_wrong").status_code == 401


def test_a_session_gains_nothing_from_a_weak_token(root, vera):
    assert ask(root, key=make_key(vera, Scope.READ), scope=Scope.RUNS).status_code == 403
