from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exo_registry", "0003_online_work")]

    operations = [
        migrations.AddField(
            model_name="step",
            name="faults",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="Workers lost on it while no other step's was: what it is given up for."
            ),
        ),
        migrations.AddField(
            model_name="step",
            name="lost",
            field=models.DateTimeField(blank=True, help_text="When its worker was last lost.", null=True),
        ),
        migrations.AlterField(
            model_name="step",
            name="attempt",
            field=models.PositiveSmallIntegerField(default=0, help_text="Claims so far, but for those given back."),
        ),
    ]
