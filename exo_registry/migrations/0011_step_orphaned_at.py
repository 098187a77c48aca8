from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exo_registry", "0010_code_lineage")]

    operations = [
        migrations.RenameField("step", "lost", "orphaned_at"),
        migrations.AlterField(
            model_name="step",
            name="orphaned_at",
            field=models.DateTimeField(blank=True, help_text="When its worker was last found gone.", null=True),
        ),
        migrations.AlterField(
            model_name="step",
            name="faults",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="Workers that were gone while no other step's was: it fails after a few."
            ),
        ),
    ]
