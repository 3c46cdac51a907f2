"""`/healthz`: the process lives; `/readyz`: it can do its work; `/metrics`: numbers for Prometheus."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from perfsite import gauges
from perfsite.core.errors import PerfsiteError
from perfsite.runs.models import SiteStart

log = logging.getLogger(__name__)

_LATE_SWEEPS = 6


@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers.  It asks nobody: a restart mends no database that is away."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, 503 when not; each check with a sentence.

    Anybody may ask, so what exactly failed is in the log only.  A broker that is away or a schedule that
    is late costs promptness only: `degraded`, and still 200.
    """
    told = {name: _told(name) for name in CHECKS}
    broken = [name for name, check in CHECKS.items() if check.needed and told[name] != "ok"]
    late = [name for name, word in told.items() if word != "ok"]
    status = "broken" if broken else "degraded" if late else "ok"
    return JsonResponse({"status": status, "checks": told}, status=503 if broken else 200)


def _told(name: str) -> str:
    check = CHECKS[name]
    try:
        check.look()
    except (Error, OSError, redis.RedisError, PerfsiteError) as error:
        log.warning("not ready: %s: %s: %s", name, type(error).__name__, error)
        return check.sentence
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise PerfsiteError(f"{len(missing)} migrations are not applied; run `manage.py migrate`")


def _artifacts() -> None:
    os.makedirs(settings.MEDIA_ROOT, exist_ok=True)  # noqa: PTH103 - a setting may be plain text
    with NamedTemporaryFile(dir=settings.MEDIA_ROOT) as probe:
        probe.write(b"x")
        probe.flush()


def _broker() -> None:
    redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5).ping()


def _schedule() -> None:
    swept = SiteStart.objects.values_list("swept_at", flat=True).first()
    if swept is None:
        raise PerfsiteError("no sweep has run yet; is the schedule started?")
    age = (timezone.now() - swept).total_seconds()
    if age > _LATE_SWEEPS * settings.SWEEP_SECONDS:
        raise PerfsiteError(f"the last sweep was {age:.0f} s ago; is the schedule running?")


@dataclass(frozen=True)
class Check:
    """`look` raises when something is wrong; without a `needed` one the site cannot serve."""

    look: Callable[[], None]
    needed: bool
    sentence: str


CHECKS = {
    "database": Check(_database, True, "the database does not answer; the site's log says why"),
    "migrations": Check(_migrations, True, "the database is not migrated; run `manage.py migrate`"),
    "artifacts": Check(_artifacts, True, "files cannot be stored; the site's log says why"),
    "broker": Check(_broker, False, "the broker does not answer; the site's log says why"),
    "schedule": Check(_schedule, False, "the schedule is late or not running; the site's log says more"),
}


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text format, for this machine, a bearer of `PERFSITE_METRICS_TOKEN`, an administrator."""
    if not _may_scrape(request):
        return HttpResponse("the metrics need PERFSITE_METRICS_TOKEN as a bearer token\n", status=403)
    return HttpResponse(generate_latest(REGISTRY) + gauges.gauges_text(), content_type=CONTENT_TYPE_LATEST)


def _may_scrape(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    wanted = settings.METRICS_TOKEN
    if wanted and hmac.compare_digest(given.encode(), wanted.encode()):
        return True
    if request.user.is_authenticated and request.user.is_superuser:
        return True
    # behind a proxy on this machine every request comes from loopback: its header tells
    return "X-Forwarded-For" not in request.headers and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
