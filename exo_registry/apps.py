from django.apps import AppConfig


class ExoRegistryConfig(AppConfig):
    name = "exo_registry"
    verbose_name = "EXO registry"
    default_auto_field = "django.db.models.BigAutoField"
