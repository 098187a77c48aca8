"""The settings of the tests: exoweb's own, with a temporary home for each test process.

`DATABASE_URL` is the only variable of the developer's that counts. A process that a test starts
runs on `exoweb.settings` with the environment of the `child_env` fixture.
"""

import atexit
import os
import shutil
import tempfile

for _name in list(os.environ):
    if _name in ("MARKET_DATA_URI", "REDIS_URL") or _name.startswith("EXOWEB_"):
        del os.environ[_name]
os.environ["EXOWEB_HOME"] = tempfile.mkdtemp(prefix="exoweb-test-")
atexit.register(shutil.rmtree, os.environ["EXOWEB_HOME"], ignore_errors=True)

from exoweb.settings import *  # noqa: E402, F403
from exoweb.settings import DATABASES, HOME, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # On disk, since worker processes and the live server's threads share it.
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 0

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
