from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ExoRegistryConfig(AppConfig):
    name = "exo_registry"
    verbose_name = "EXO registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

        from . import clusters, groups
        from .market.importing import imported
        from .runs import online, schedules

        post_migrate.connect(groups.make_groups, sender=self, dispatch_uid="exo_registry groups")
        post_migrate.connect(schedules.ensure, sender=self, dispatch_uid="exo_registry schedules")
        imported.connect(online.ring, dispatch_uid="exo_registry online")
        post_spawn.connect(online.warm_up, dispatch_uid="exo_registry warm up")
        pre_execute.connect(clusters.note_begin, dispatch_uid="exo_registry task begins")
        post_execute_in_worker.connect(clusters.note_end, dispatch_uid="exo_registry task ends")
