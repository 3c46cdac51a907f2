"""Settings, from the environment only.

Embedded by default; `DATABASE_URL` and `REDIS_URL` choose the production parts.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from perfsite.access.sign_in import sign_in_settings
from perfsite.core import environ
from perfsite.core.contradictions import contradictions
from perfsite.core.logs import logging_settings

BASE = Path(__file__).resolve().parent
DATA = environ.data_folder()

DEBUG = environ.env_flag("PERFSITE_DEBUG", default=False)
SECRET_KEY = environ.secret_key(DATA)
# loopback always: the health check and a worker on this machine ask there
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *environ.env_list("PERFSITE_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = environ.env_list("PERFSITE_ORIGINS", default=[])
SITE_URL = environ.site_url(DATA)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "axes",
    "perfsite.core",
    "perfsite.access",
    "perfsite.runs",
    "perfsite.webhooks",
    "perfsite.results",
    "perfsite.regressions",
    "perfsite.alerts",
    "perfsite.pulls",
    "perfsite.keeping",
    "perfsite.dashboards",
    "perfsite.embedded",
    "perfsite.demo",
    "perfsite.bench",
]

MIDDLEWARE = [
    "perfsite.observing.Observing",
    "perfsite.core.middleware.api_problems",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "perfsite.core.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "perfsite.permissions.Permissions",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "perfsite.urls"
ASGI_APPLICATION = "perfsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

if os.environ.get("DATABASE_URL"):
    # no lasting connections: under ASGI each request may run in another thread and would leave its own behind
    DATABASES = {"default": dj_database_url.config(conn_max_age=0)}
else:
    # tried with three writers and two readers: without these options "database is locked" by the hundred
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(DATA / "perfsite.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"
                ),
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    # these two refuse before a password is looked at
    "axes.backends.AxesStandaloneBackend",
    "perfsite.access.login_backend.AddressBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "UserAttributeSimilarityValidator")
]
# five wrong passwords for one name from one address: shut out for a quarter of an hour
# and so many for any names from one address in that time: people behind one address share it
LOGIN_FAILURES_ADDRESS = environ.env_int("PERFSITE_LOGIN_TRIES_ADDRESS", default=30)
AXES_FAILURE_LIMIT = environ.env_int("PERFSITE_LOGIN_TRIES", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "dashboards/locked.html"
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "perfsite.access.limits.address_of"  # behind proxies, too
# the role of a logged-in person in projects where nobody gave them one: empty means strangers
DEFAULT_ROLE = environ.env_choice(
    "PERFSITE_DEFAULT_ROLE", default="", known=("", "viewer", "triager", "maintainer")
)

# single sign-on and second factors, where the environment asks for them
SIGN_IN_NAME = ""
SIGN_IN_DOMAINS: list[str] = []
FORM_TARGETS: list[str] = []  # origins that a form may lead to, beside our own
for _name, _value in sign_in_settings().items():
    globals()[_name] = [*globals().get(_name, []), *_value] if isinstance(_value, list) else _value

LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
if SITE_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # the proxy redirects to https; workers and probes on this machine ask by http
    "security.W021",  # the browsers' preload list is for who owns the whole domain to ask for
    "axes.W006",  # an address alone must not shut out everybody behind one NAT
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("PERFSITE_STATIC") or None  # where collectstatic writes, when it is used
# whitenoise serves the apps' folders as they are; no collectstatic is needed to start
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = DATA / "artifacts"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# the outbox keeps every mail in the database and prints it: the embedded home needs no mail server
EMAIL_BACKEND = os.environ.get("PERFSITE_EMAIL_BACKEND", "perfsite.alerts.outbox.EmailBackend")
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = environ.env_int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environ.env_flag("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = environ.env_int("EMAIL_TIMEOUT", default=10)
DEFAULT_FROM_EMAIL = os.environ.get("PERFSITE_MAIL_FROM", "perfsite@localhost")

# a channel's tries: how long one call may take, after which silence a sender counts as dead, the first wait
ALERTS_TIMEOUT_SECONDS = environ.env_int("PERFSITE_ALERTS_TIMEOUT_SECONDS", default=10)
ALERTS_CLAIM_SECONDS = environ.env_int("PERFSITE_ALERTS_CLAIM_SECONDS", default=300)
ALERTS_BACKOFF_SECONDS = environ.env_int("PERFSITE_ALERTS_BACKOFF_SECONDS", default=30)
ALERTS_HTTP = environ.env_flag("PERFSITE_ALERTS_HTTP", default=False)  # channels of plain http

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
MIRRORS = DATA / "mirrors"

# a webhook body over this size is answered 413; GitHub itself caps payloads at 25 MB
WEBHOOK_MAX_BYTES = environ.env_int("PERFSITE_WEBHOOK_MAX_BYTES", default=25 * 2**20)
REPORT_MAX_BYTES = environ.env_int("PERFSITE_REPORT_MAX_BYTES", default=64 * 2**20)
ARTIFACT_MAX_BYTES = environ.env_int("PERFSITE_ARTIFACT_MAX_BYTES", default=4 * 2**30)
DATA_UPLOAD_MAX_MEMORY_SIZE = WEBHOOK_MAX_BYTES

# networks that are not public and that channels, forges and artifacts may be called in all the same
OUTBOUND_NETWORKS = environ.env_networks("PERFSITE_OUTBOUND_NETWORKS")

# requests a minute to the API: by a token's purpose ("" for the others and for people), and by address
# of everybody else
API_PER_MINUTE = {"worker": 30_000, "": environ.env_int("PERFSITE_API_PER_MINUTE", default=1200)}
WEBHOOK_REFUSALS_PER_MINUTE = environ.env_int("PERFSITE_WEBHOOK_REFUSALS_PER_MINUTE", default=60)
API_PER_MINUTE_ADDRESS = environ.env_int("PERFSITE_API_PER_MINUTE_ADDRESS", default=300)
# so many proxies in front tell the address in X-Forwarded-For; with 0 that header, which anyone can
# send, is not read
API_PROXIES = environ.env_int("PERFSITE_PROXIES", default=0)

# delivered files: workers read the same variables, and judge every address and redirect themselves
FETCH_SCHEMES = environ.env_list("PERFSITE_FETCH_SCHEMES", default=["https"])
FETCH_HOSTS = environ.env_list("PERFSITE_FETCH_HOSTS", default=[])
FETCH_MAX_BYTES = environ.env_int("PERFSITE_FETCH_MAX_BYTES", default=4 * 2**30)

HEARTBEAT_SECONDS = environ.env_int("PERFSITE_HEARTBEAT_SECONDS", default=5)
LEASE_SECONDS = environ.env_int("PERFSITE_LEASE_SECONDS", default=60)
SWEEP_SECONDS = environ.env_int("PERFSITE_SWEEP_SECONDS", default=10)
KEEP_SECONDS = 6 * 3600  # between two passes of retention and of scrubbing
GRADE_SECONDS = 600  # between two looks at whether tonight's self-tests are ordered
MAX_ATTEMPTS = 3

# who may read /metrics from another machine; empty: nobody but administrators
METRICS_TOKEN = os.environ.get("PERFSITE_METRICS_TOKEN", "")
# where the schedule's process answers /metrics of its own; 0: nowhere
SCHEDULE_METRICS_PORT = environ.env_int("PERFSITE_SCHEDULE_METRICS_PORT", default=0)
SCHEDULE_METRICS_HOST = os.environ.get("PERFSITE_SCHEDULE_METRICS_HOST", "127.0.0.1")
LOGGING = logging_settings(
    level=environ.env_choice(
        "PERFSITE_LOG", default="INFO", known=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    ),
    form=environ.env_choice("PERFSITE_LOG_FORMAT", default="line", known=("line", "json")),
)

if _wrong := contradictions(globals()):
    raise ImproperlyConfigured("; ".join(_wrong))
