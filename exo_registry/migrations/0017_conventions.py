"""Products have conventions; points keep their profit and loss before costs."""

from django.db import migrations, models

import exo_registry.models.bounds

GROSS = """
WITH sums AS (
    SELECT series_id, date, exo + SUM(costs) OVER (PARTITION BY series_id ORDER BY date) AS gross
    FROM exo_registry_point
)
UPDATE exo_registry_point SET gross = sums.gross FROM sums
WHERE sums.series_id = exo_registry_point.series_id AND sums.date = exo_registry_point.date
"""
CONVENTIONS: models.CharField = models.CharField(
    choices=[("standard", "standard"), ("legacy", "legacy (the old engine's)")],
    default="standard",
    help_text="The rules of the numbers. Legacy computes as the desk's old engine did: old prices count for ever, "
    "sessions are the days that have a bar, and nothing is settled at expiry.",
    max_length=16,
)
OLDEST_BAR: models.PositiveSmallIntegerField = models.PositiveSmallIntegerField(
    default=3,
    help_text="Calendar days after which a bar gives no value any more (standard conventions).",
    validators=[exo_registry.models.bounds.Between(0, 366)],
    verbose_name="oldest bar",
)


class Migration(migrations.Migration):
    dependencies = [("exo_registry", "0016_data_kind")]

    operations = [
        *[
            migrations.AddField(model, name, field)
            for model in ("product", "historicalproduct")
            for name, field in (("conventions", CONVENTIONS), ("max_bar_age_days", OLDEST_BAR))
        ],
        migrations.AddField("point", "gross", models.FloatField(help_text="As exo, before costs.", null=True)),
        migrations.RunSQL(GROSS, migrations.RunSQL.noop),
        migrations.AlterField("point", "gross", models.FloatField(help_text="As exo, before costs.")),
        migrations.AlterField(
            "trade",
            "reason",
            models.CharField(
                choices=[
                    ("open", "Open"),
                    ("roll", "Roll"),
                    ("rebalance", "Rebalance"),
                    ("regime", "Regime"),
                    ("close", "Close"),
                    ("expiry", "Expiry"),
                ],
                max_length=16,
            ),
        ),
    ]
