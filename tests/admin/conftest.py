"""Clients that are logged in to the admin, and a small registry with computed series."""

import datetime as dt

import pytest
from django.contrib.auth.models import Permission

from exo_registry.definitions import sync_series
from exo_registry.models import Event, Run, Series, Step
from tests.html import PageClient

CONTFUT = "algorithms.continuous_future.ContinuousFuture"
SPREAD = "algorithms.vertical_spread.VerticalSpread"
ICHIMOKU = "algorithms.regime_spread.IchimokuSpread"


def logged_in(user) -> PageClient:
    client = PageClient()
    client.force_login(user)
    return client


@pytest.fixture
def browser(root):
    """A superuser's client."""
    return logged_in(root)


@pytest.fixture
def staff(django_user_model):
    """`staff("view_product")`: a client of a member of staff with just these permissions."""

    def make(*codenames):
        user = django_user_model.objects.create_user("sam", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        return logged_in(user)

    return make


@pytest.fixture
def es(make_product):
    return make_product("ES")


@pytest.fixture
def fill(make_product, make_definition):
    """`fill(50)`: that many products, definitions, series, runs with a step, and events."""

    def fill(count: int) -> None:
        for number in range(count):
            product = make_product(f"P{number}")
            make_definition(f"D{number}", products=[product])
        sync_series()
        for series in Series.objects.select_related("product"):
            run = Run.objects.create(kind="backfill", source="shell", status="done")
            step = Step.objects.create(run=run, series=series, product=series.product, position=0, status="done")
            Event.objects.create(
                kind="step", message="Done.", run=run, step=step, series=series, product=series.product
            )
        Series.objects.update(points_count=10, last_date=dt.date(2020, 1, 2), last_exo=1.5)

    return fill


def errors(response) -> dict[str, list[str]]:
    """A form page's messages by field; "" has those of the whole form."""
    assert response.status_code == 200, response.status_code
    form = response.context["adminform"].form
    return {("" if name == "__all__" else name): list(messages) for name, messages in form.errors.items()}


def messages_of(response) -> str:
    return " | ".join(str(message) for message in response.context["messages"])
