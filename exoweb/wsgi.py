"""The WSGI entry point that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exoweb.settings")
application = get_wsgi_application()

from django.db import connections  # noqa: E402

from exo_registry.warm_up import warm_up  # noqa: E402

warm_up()
connections.close_all()  # a process that forks from this one opens its own
