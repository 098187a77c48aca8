from django.db import migrations, models

from exo_registry.models.bounds import Between


class Migration(migrations.Migration):
    dependencies = [
        ("exo_registry", "0014_change_sessions"),
    ]

    operations = [
        migrations.AddField(
            model_name="historicalproduct",
            name="dividend_yield",
            field=models.FloatField(
                default=0.0,
                help_text="Of the underlying, a fraction a year, continuously compounded; with Black-Scholes alone.",
                validators=[Between(-1.0, 1.0)],
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="dividend_yield",
            field=models.FloatField(
                default=0.0,
                help_text="Of the underlying, a fraction a year, continuously compounded; with Black-Scholes alone.",
                validators=[Between(-1.0, 1.0)],
            ),
        ),
        migrations.AlterField(
            model_name="historicalproduct",
            name="pricing_model",
            field=models.CharField(
                choices=[
                    ("black76", "Black-76 (options on futures)"),
                    ("black_scholes", "Black-Scholes (underlying as spot)"),
                    ("bachelier", "Bachelier (options on futures, prices below zero)"),
                ],
                default="black76",
                help_text="Volatilities are fractions a year, of Bachelier points a year.",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="product",
            name="pricing_model",
            field=models.CharField(
                choices=[
                    ("black76", "Black-76 (options on futures)"),
                    ("black_scholes", "Black-Scholes (underlying as spot)"),
                    ("bachelier", "Bachelier (options on futures, prices below zero)"),
                ],
                default="black76",
                help_text="Volatilities are fractions a year, of Bachelier points a year.",
                max_length=16,
            ),
        ),
    ]
