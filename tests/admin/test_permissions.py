"""Who sees and does what: groups, single permissions, superusers, and everybody else."""

import itertools

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse
from django_q.models import Schedule

from exo_registry.models import Run
from exo_registry.operations.permissions import GROUPS

from .conftest import logged_in

MODELS = ("product", "definition", "series", "run", "step", "event")
QUEUE = ("schedule", "success", "failure", "ormq")


def listing(model, app="exo_registry"):
    return reverse(f"admin:{app}_{model}_changelist")


def test_the_groups_are_there_with_permissions_that_exist(db):
    for name, codenames in GROUPS.items():
        held = Group.objects.get(name=name).permissions.values_list("codename", flat=True)
        assert set(held) == set(codenames), name


def test_each_group_may_do_more_than_the_one_before(db):
    sets = [set(GROUPS[name]) for name in ("viewer", "trader", "operator", "quant")]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(sets))


def test_nobody_in_a_group_may_touch_users_or_the_queue(db):
    apps = Permission.objects.filter(group__isnull=False).values_list("content_type__app_label", flat=True)
    assert set(apps) == {"exo_registry"}


def test_migrating_again_leaves_a_changed_group_as_it_is(db):
    group = Group.objects.get(name="viewer")
    group.permissions.clear()
    Group.objects.get(name="trader").delete()
    call_command("migrate", verbosity=0)
    assert group.permissions.count() == 0
    assert Group.objects.get(name="trader").permissions.filter(codename="start_run").exists()


@pytest.mark.parametrize("model", MODELS)
def test_the_admin_asks_for_a_log_in(client, db, model):
    response = client.get(listing(model))
    assert response.status_code == 302
    assert "login" in response.headers["Location"]


def test_somebody_who_is_not_staff_does_not_get_in(vera):
    response = logged_in(vera).get("/admin/")
    assert response.status_code == 302
    assert "login" in response.headers["Location"]


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_permissions_see_nothing(staff, model):
    client = staff()
    assert client.get(listing(model)).status_code == 403
    assert listing(model) not in client.get("/admin/").content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_whoever_may_view_sees_the_list_and_cannot_add(staff, model):
    client = staff(f"view_{model}")
    assert client.get(listing(model)).status_code == 200
    assert client.get(reverse(f"admin:exo_registry_{model}_add")).status_code == 403


@pytest.mark.parametrize("model", ["series", "run", "step", "event"])
def test_what_exoweb_writes_nobody_edits(browser, fill, model):
    fill(1)
    page = browser.get(listing(model))
    row = page.context["cl"].result_list[0]
    change = reverse(f"admin:exo_registry_{model}_change", args=[row.pk])
    assert browser.get(change).status_code == 200
    assert browser.post(change, {"name": "X"}).status_code == 403
    assert browser.get(reverse(f"admin:exo_registry_{model}_add")).status_code == 403
    if model != "series":
        assert browser.get(reverse(f"admin:exo_registry_{model}_delete", args=[row.pk])).status_code == 403


def test_an_operator_cannot_edit_definitions_and_a_quant_can(olga, quinn, es, make_definition):
    url = reverse("admin:exo_registry_definition_change", args=[make_definition("ContFut").pk])
    assert logged_in(olga).post(url, {}).status_code == 403
    assert logged_in(quinn).post(url, {}).status_code == 200


def test_import_and_export_follow_the_permissions(staff, es):
    client = staff("view_product", "change_product")
    assert client.get("/admin/exo_registry/product/export/").status_code == 200
    assert client.get("/admin/exo_registry/product/import/").status_code == 403
    assert client.get("/admin/exo_registry/definition/export/").status_code == 403


def test_the_table_of_parameters_needs_a_permission_too(staff):
    url = reverse("admin:exo_registry_definition_parameters")
    assert staff("view_product").get(url).status_code == 403


@pytest.mark.parametrize("model", QUEUE)
def test_schedules_and_stored_tasks_are_for_superusers_only(django_user_model, db, model):
    user = django_user_model.objects.create_user("sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="django_q"))
    client = logged_in(user)
    url = listing(model, "django_q")
    assert client.get(url).status_code == 403
    assert url not in client.get("/admin/").content.decode()


def test_a_schedule_is_code_that_only_a_superuser_may_write(django_user_model, browser):
    user = django_user_model.objects.create_user("sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="django_q"))
    url = reverse("admin:django_q_schedule_add")
    before = Schedule.objects.count()
    assert logged_in(user).post(url, {"func": "os.system", "schedule_type": "O"}).status_code == 403
    assert Schedule.objects.count() == before
    for model in QUEUE:
        assert browser.get(listing(model, "django_q")).status_code == 200


def test_cancelling_needs_its_own_permission(staff, fill):
    fill(1)
    Run.objects.update(status="running")
    data = {"action": "cancel_runs", "_selected_action": [Run.objects.get().pk]}
    staff("view_run").post(listing("run"), data)
    assert Run.objects.get().cancel_requested is False
