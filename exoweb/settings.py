"""Settings, all from the environment; every one has a working default (README: Configuration)."""

import datetime as dt
import os
import sys
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from . import __version__, home

VERSION = __version__
BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def _boolean(name: str, default: bool) -> bool:
    """A strict boolean: anything but on/off words is an error, never a silent False."""
    word = os.environ.get(name, "").strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    if not word:
        return default
    raise ImproperlyConfigured(f"{name}={word!r} is not a boolean: use true or false")


def _whole_number(name: str, default: int, least: int = 1) -> int:
    """A whole number, `least` or more."""
    word = os.environ.get(name, "").strip()
    if not word:
        return default
    if not word.isdecimal() or int(word) < least:
        raise ImproperlyConfigured(f"{name}={word!r} is not a whole number, {least} or more")
    return int(word)


def _database(folder: Path) -> dict:
    """DATABASE_URL as Django wants it; a SQLite file in `folder` by default."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{folder / 'exoweb.sqlite3'}"
    database = env.db_url_config(url)
    if database["ENGINE"] == "django.db.backends.sqlite3":
        home.tighten([Path(f"{database['NAME']}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")])
        # WAL lets pages read while a worker writes; IMMEDIATE takes the write lock at BEGIN,
        # so that two writers queue for `timeout` seconds and neither fails half way.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
        }
    elif database["ENGINE"] == "django.db.backends.postgresql":
        database.setdefault("CONN_MAX_AGE", 60)
        database["CONN_HEALTH_CHECKS"] = True
    else:
        raise ImproperlyConfigured(
            f"DATABASE_URL={url.split(':')[0]}:… is not a database that exoweb runs on: "
            "use sqlite:///path or postgres://user:password@host:5432/name"
        )
    return database


HOME = Path(env.str("EXOWEB_HOME", default=str(BASE_DIR / "var"))).resolve()
home.prepare(HOME)

DEBUG = _boolean("EXOWEB_DEBUG", default=False)
HTTPS = _boolean("EXOWEB_HTTPS", default=False)
SECRET_KEY = home.secret_key(HOME, os.environ.get("EXOWEB_SECRET_KEY"))
ALLOWED_HOSTS = env.list("EXOWEB_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ALGORITHM_PACKAGES = env.list("EXOWEB_ALGORITHM_PACKAGES", default=["algorithms"])
MARKET_DATA_URI = env.str("MARKET_DATA_URI", default=str(HOME / "market"))
WORKERS = _whole_number("EXOWEB_WORKERS", default=max(1, min(4, os.cpu_count() or 1)))
TRUSTED_PROXIES = _whole_number("EXOWEB_TRUSTED_PROXIES", default=0, least=0)
NOTIFY_URLS = env.list("EXOWEB_NOTIFY_URLS", default=[])
REDIS_URL = env.str("REDIS_URL", default="")

INSTALLED_APPS = [
    "exo_registry",
    "django.contrib.admin.apps.SimpleAdminConfig",  # exoweb/urls.py finds the admin's modules, for who serves pages
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "exoweb.apps.StaticFiles",
    "axes",
    "django_htmx",
    "django_q",
    "import_export",
    "simple_history",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "exo_registry.web.middleware.ContentSecurityPolicy",
    "exo_registry.web.api_errors.ApiErrors",
    "exo_registry.web.middleware.ReadableRequests",
    "exo_registry.admin.requests.AdminRequests",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "exo_registry.web.middleware.CurrentCode",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "exoweb.urls"
WSGI_APPLICATION = "exoweb.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": _database(HOME)}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# The fifth wrong password makes a user name wait, for the address that it was tried from: from elsewhere the user may
# still log in (exo_registry/web/log_in.py). Attempts meanwhile do not make the wait longer.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = dt.timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "exo_registry.web.client_address.client_address"
AXES_LOCKOUT_CALLABLE = "exo_registry.web.log_in.locked_out"
AXES_ENABLE_ADMIN = False  # exo_registry/admin/log_in.py has a page of it
AXES_DISABLE_ACCESS_LOG = True  # the event log has what there is to tell
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
# Front-end packages, put there by `npm ci` from package-lock.json; absent until it has run.
NODE_MODULES = BASE_DIR / "node_modules"
STATICFILES_DIRS = [
    (f"vendor/{package}", NODE_MODULES / package / folder)
    for package, folder in (("htmx.org", "dist"), ("lightweight-charts", "dist"), ("swagger-ui-dist", ""))
    if (NODE_MODULES / package / folder).is_dir()
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "exoweb.storage.StaticFiles"},
}

FILE_UPLOAD_PERMISSIONS = 0o600  # of collected static files, too, which exoweb serves by itself

# What processes tell each other: heartbeats of the clusters. A folder serves one machine, Redis all of them.
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": HOME / "cache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }

# Two clusters from one settings file, `online` for short tasks and `backfill` for long ones (`manage.py workers`).
# A task's lease starts when it is prefetched, hence the small queue_limit and the long retry;
# attempts are counted on our steps, before work starts, since a killed worker reports nothing.
if REDIS_URL:
    _BROKER = {"redis": REDIS_URL, "broker_class": "exo_registry.workers.brokers.RedisBroker"}
else:
    _BROKER = {"orm": "default", "broker_class": "exo_registry.workers.brokers.OrmBroker"}
Q_CLUSTER = {
    "name": "online",
    "label": "Task queue",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "timeout": 300,
    "retry": 900,
    "ack_failures": True,
    "max_attempts": 1,
    "poll": 0.25,  # seconds between looks at an empty queue: a bar must not wait; with Redis nobody looks
    "guard_cycle": 1,
    "catch_up": False,
    "save_limit": 100,  # ended tasks kept of each function; all of them are read whenever one ends
    "save_limit_per": "func",
    "recycle": 500,
    **_BROKER,
    "ALT_CLUSTERS": {"backfill": {"timeout": 3600, "retry": 10800, "poll": 1}},
}
# A worker that is silent for STEP_LEASE seconds has lost its step. A step is given up when it has lost STEP_FAULTS
# workers while nothing else was lost, or STEP_ATTEMPTS in all (exo_registry/runs/losses.py).
STEP_LEASE = 60
STEP_FAULTS = 3
STEP_ATTEMPTS = 20
# A cluster is started again that leaves tasks waiting while it has idle workers, or that gives no sign of life,
# for so many seconds (exo_registry/workers/watchdog.py).
CLUSTER_STUCK = 15
CLUSTER_SILENT = 60

# Servers and workers log what happens; other commands have words of their own for the person who runs them.
_SERVES = Path(sys.argv[0]).name != "manage.py" or bool({"qcluster", "workers"} & set(sys.argv))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"axes": {"level": "ERROR"}},  # failures are events, which are logged
    "root": {"handlers": ["console"], "level": "INFO" if _SERVES else "WARNING"},
}

SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True

if HTTPS:
    # Served over https by a proxy in front, which must set X-Forwarded-Proto itself (docs/deploy.md).
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
    # Whether the domain's other hosts are https only, and browsers' preload lists, are not exoweb's to decide.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
