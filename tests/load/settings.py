"""The settings of the chaos harness and of the processes it starts: exoweb's own, with short leases and patience."""

from exoweb.settings import *  # noqa: F403
from exoweb.settings import ALGORITHM_PACKAGES, DATABASES, LOGGING

ALGORITHM_PACKAGES = [*ALGORITHM_PACKAGES, "tests.load.slow"]
STEP_LEASE = 12
CLUSTER_STUCK = 8
CLUSTER_SILENT = 15
LOGGING["root"]["level"] = "WARNING"
LOGGING["loggers"] = {"django-q": {"level": "CRITICAL"}}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
