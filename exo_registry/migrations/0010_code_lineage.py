from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exo_registry", "0009_moved_functions")]

    operations = [
        migrations.CreateModel(
            name="CodeVersion",
            fields=[
                ("hash", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("modules", models.JSONField(help_text="A short hash of each module's code, by its dotted name.")),
                ("first_used", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.AddField(
            model_name="series",
            name="algorithm",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Path of the algorithm that computed the points; empty: not recorded.",
                max_length=200,
            ),
        ),
    ]
