from django.db import migrations, models


def count_sessions(apps, schema_editor):
    """Of series that have points: one session, and one more for each gap between the last two of them."""
    series = apps.get_model("exo_registry", "Series").objects.using(schema_editor.connection.alias)
    series.filter(points_count__gt=1).update(change_sessions=1)
    for row in list(series.filter(points_count__gt=1, gaps_count__gt=0).only("pk")):
        dates = list(row.points.order_by("-date").values_list("date", flat=True)[:2])
        gaps = row.gaps.filter(date__gt=dates[-1], date__lt=dates[0]).count() if dates else 0
        series.filter(pk=row.pk).update(change_sessions=1 + gaps)


class Migration(migrations.Migration):
    dependencies = [("exo_registry", "0013_declared_capital")]

    operations = [
        migrations.AddField(
            model_name="series",
            name="change_sessions",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Sessions between the last two points: more than one if there are gaps between them.",
                null=True,
            ),
        ),
        migrations.RunPython(count_sessions, migrations.RunPython.noop),
    ]
