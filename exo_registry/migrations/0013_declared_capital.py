from django.db import migrations, models

from exo_registry.models.bounds import Between


class Migration(migrations.Migration):
    dependencies = [
        ("exo_registry", "0012_plain_help_texts"),
    ]

    operations = [
        migrations.AddField(
            model_name="definition",
            name="capital",
            field=models.FloatField(
                blank=True,
                help_text="What returns are on, in the product's currency. Empty: the notional at the start of each year.",
                null=True,
                validators=[Between(0.01, 1000000000000000.0)],
            ),
        ),
        migrations.AddField(
            model_name="historicaldefinition",
            name="capital",
            field=models.FloatField(
                blank=True,
                help_text="What returns are on, in the product's currency. Empty: the notional at the start of each year.",
                null=True,
                validators=[Between(0.01, 1000000000000000.0)],
            ),
        ),
    ]
