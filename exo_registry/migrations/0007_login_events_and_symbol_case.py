from django.core.management import CommandError
from django.db import migrations, models
from django.db.models import Count
from django.db.models.functions import Lower


def refuse_twins(apps, schema_editor):
    """Which of two products to keep is for their owner to say."""
    products = apps.get_model("exo_registry", "Product").objects.using(schema_editor.connection.alias)
    folded = products.order_by().annotate(folded=Lower("exchangesymbol")).values("folded")
    for twin in folded.annotate(number=Count("pk")).filter(number__gt=1).order_by("folded")[:1]:
        symbols = products.filter(exchangesymbol__iexact=twin["folded"]).order_by("exchangesymbol")
        names = " and ".join(symbols.values_list("exchangesymbol", flat=True))
        raise CommandError(f"The products {names} differ in case only: with the former version, delete all but one.")


class Migration(migrations.Migration):
    dependencies = [
        ("exo_registry", "0006_longer_contract_names"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="kind",
            field=models.CharField(
                help_text="import, run, step, online, delay, worker, registry, notify, prune, login", max_length=32
            ),
        ),
        migrations.RunPython(refuse_twins, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.UniqueConstraint(
                Lower("exchangesymbol"),
                name="product_symbol_once_whatever_case",
                violation_error_message="There is a product with this symbol already, in other case.",
            ),
        ),
    ]
