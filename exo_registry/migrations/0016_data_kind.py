from django.db import migrations, models

KINDS = [
    ("quoted", "Quoted in a market"),
    ("modelled", "Modelled, at least the options"),
    ("synthetic", "Synthetic"),
]
HELP = "Where the market data comes from; other than quoted is labelled wherever a series shows."
MODELS = ("Product", "HistoricalProduct")


def name_synthetic(apps, schema_editor):
    for name in MODELS:
        rows = apps.get_model("exo_registry", name).objects.using(schema_editor.connection.alias)
        rows.filter(synthetic=True).update(data_kind="synthetic")


def mark_synthetic(apps, schema_editor):
    for name in MODELS:
        rows = apps.get_model("exo_registry", name).objects.using(schema_editor.connection.alias)
        rows.filter(data_kind="synthetic").update(synthetic=True)


class Migration(migrations.Migration):
    dependencies = [("exo_registry", "0015_bachelier_and_dividends")]

    operations = [
        *(
            migrations.AddField(
                model_name=name.lower(),
                name="data_kind",
                field=models.CharField(choices=KINDS, default="quoted", help_text=HELP, max_length=16),
            )
            for name in MODELS
        ),
        migrations.RunPython(name_synthetic, mark_synthetic),
        *(migrations.RemoveField(model_name=name.lower(), name="synthetic") for name in MODELS),
    ]
