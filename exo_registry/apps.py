import sys

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from .code import loaded_code

loaded_code.install()  # before the models bring in the engine


class ExoRegistryConfig(AppConfig):
    name = "exo_registry"
    verbose_name = "EXO registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import axes.signals  # noqa: F401 (connects its receivers, before those below: django-axes counts first)
        from axes.models import AccessAttempt
        from django.contrib.auth.signals import user_login_failed
        from django.db.models.signals import pre_save
        from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

        from .definitions import series_rows
        from .market.importing import imported
        from .operations import permissions, schedules
        from .runs import online
        from .web import log_in
        from .workers import heartbeats

        post_migrate.connect(permissions.make_groups, sender=self, dispatch_uid="exo_registry groups")
        post_migrate.connect(schedules.ensure, sender=self, dispatch_uid="exo_registry schedules")
        user_login_failed.connect(log_in.note_failure, dispatch_uid="exo_registry log-in failed")
        pre_save.connect(log_in.keep_no_form_data, sender=AccessAttempt, dispatch_uid="exo_registry log-in data")
        # Series first: online looks at them.
        imported.connect(series_rows.sync_after_import, dispatch_uid="exo_registry series")
        imported.connect(online.enqueue_imported, dispatch_uid="exo_registry online")
        post_spawn.connect(heartbeats.note_code, dispatch_uid="exo_registry code")
        post_spawn.connect(online.warm_up, dispatch_uid="exo_registry warm up")
        pre_execute.connect(heartbeats.note_begin, dispatch_uid="exo_registry task begins")
        post_execute_in_worker.connect(heartbeats.note_end, dispatch_uid="exo_registry task ends")
        loaded_code.application_has_started()
        if "qcluster" in sys.argv:
            from .warm_up import import_slow_packages

            import_slow_packages()
