"""Schedules name functions by dotted path, and two of those have moved."""

from django.db import migrations

MOVED = {
    "exo_registry.notify.send_digest": "exo_registry.operations.notifications.send_digest",
    "exo_registry.prune.prune": "exo_registry.operations.retention.prune",
}


def rename(apps, schema_editor, names):
    schedules = apps.get_model("django_q", "Schedule").objects.using(schema_editor.connection.alias)
    for old, new in names.items():
        schedules.filter(func=old).update(func=new)


def forwards(apps, schema_editor):
    rename(apps, schema_editor, MOVED)


def backwards(apps, schema_editor):
    rename(apps, schema_editor, {new: old for old, new in MOVED.items()})


class Migration(migrations.Migration):
    dependencies = [
        ("exo_registry", "0008_bounds_of_sense"),
        ("django_q", "__first__"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
