"""Who may see and do what."""

import pytest
from django.urls import reverse

from exo_registry.models import Run

PAGES = [
    reverse("book"),
    reverse("search"),
    reverse("products"),
    reverse("product", args=["ES"]),
    reverse("series", args=["ES_ContFut"]),
    reverse("series-chart", args=["ES_ContFut"]),
    reverse("series-statistics", args=["ES_ContFut"]),
    reverse("series-position", args=["ES_ContFut"]),
    reverse("series-payoff", args=["ES_ContFut"]),
    reverse("compare"),
    reverse("compare-statistics"),
    reverse("runs"),
    reverse("run", args=[1]),
    reverse("run-new"),
    reverse("status"),
    reverse("events"),
    reverse("events-csv"),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_a_log_in(client, page):
    response = client.get(page)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={page}"


def test_logging_in_leads_to_the_page_asked_for(client, vera):
    page = client.get("/accounts/login/?next=/runs/")
    assert "User name" in page.text
    response = client.post("/accounts/login/", {"username": "vera", "password": "vera-password", "next": "/runs/"})
    assert response["Location"] == "/runs/"


def test_a_wrong_password_is_said(client, vera):
    page = client.post("/accounts/login/", {"username": "vera", "password": "wrong"})
    assert "do not match" in page.text
    assert 'value="vera"' in page.text


def test_logging_out_leads_to_the_log_in(viewer):
    assert viewer.post("/accounts/logout/")["Location"] == reverse("login")
    assert viewer.get("/").status_code == 302


def test_a_viewer_sees_no_button_that_is_not_for_them(viewer, contfut):
    for page in ("/", "/series/ES_ContFut/", "/products/ES/", "/runs/"):
        text = viewer.get(page).text
        assert reverse("run-new") not in text
        assert "/admin/" not in text


def test_an_operator_sees_the_primary_action(operator, contfut):
    assert reverse("run-new") + "?series=ES_ContFut" in operator.get("/series/ES_ContFut/").text
    assert reverse("run-new") + "?product=ES" in operator.get("/products/ES/").text


def test_a_viewer_may_not_start_cancel_or_retry(viewer):
    run = Run.objects.create(kind="backfill", source="page")
    assert viewer.get(reverse("run-new")).status_code == 403
    assert viewer.post(reverse("run-new")).status_code == 403
    for name in ("run-cancel", "run-retry"):
        response = viewer.post(reverse(name, args=[run.pk]))
        assert response.status_code == 403
        assert "Not permitted" in response.text


def test_cancelling_takes_a_post(operator):
    run = Run.objects.create(kind="backfill", source="page")
    assert operator.get(reverse("run-cancel", args=[run.pk])).status_code == 405


def test_scripts_and_styles_come_from_this_site_only(viewer):
    policy = viewer.get("/")["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


def test_pages_hold_no_inline_script_or_style(viewer, contfut):
    for page in ("/", "/series/ES_ContFut/", "/products/", "/products/ES/", "/runs/", "/search/?q=ES"):
        text = viewer.get(page).text
        assert "<script>" not in text
        assert " style=" not in text
        assert " onclick=" not in text
