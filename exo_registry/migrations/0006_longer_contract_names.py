from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("exo_registry", "0005_definition_costs"),
    ]

    operations = [
        migrations.AlterField(
            model_name="trade",
            name="contract",
            field=models.CharField(help_text="The longest name that an import of market data takes.", max_length=200),
        ),
    ]
