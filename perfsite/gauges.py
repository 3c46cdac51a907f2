"""What the database says now, as Prometheus gauges: read when it is asked, at most every ten seconds.

The counters (`counters.py`) are read with them.

Counts of what has ended are of the newest rows only: a count over years would cost more than it tells.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, Min, Model, QuerySet
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from perfsite.alerts.models import Notification
from perfsite.counters import counters
from perfsite.dashboards.selectors.hardware import fitness_rows
from perfsite.keeping.models import Check
from perfsite.results.models import Report
from perfsite.runs.models import Attempt, Build, Job, SiteStart, Worker
from perfsite.webhooks.models import RefusalCount
from workers.messages import READINGS

RECENT = 20_000
CANARY_REPORTS = 2_000
_KEPT_S = 10.0
_SEEN_S = 7 * 86400.0
_lock = threading.Lock()
_kept: tuple[float, bytes] = (float("-inf"), b"")


def gauges_text() -> bytes:
    """All gauges and counters of the database in Prometheus's text format."""
    global _kept
    with _lock:
        if time.monotonic() - _kept[0] > _KEPT_S:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Database())
            _kept = (time.monotonic(), generate_latest(registry))
        return _kept[1]


def gauges_forget() -> None:
    """Read anew at the next call."""
    global _kept
    _kept = (float("-inf"), b"")


class _Database(Collector):
    def collect(self) -> Iterator[Metric]:
        """Every gauge and counter."""
        yield from counters()
        yield from _queue()
        yield from _recent()
        yield from _kept_files()
        yield from _devices()
        yield _canaries()
        yield _canary_changes()
        yield from _times()


def _gauge(name: str, told: str, labels: Iterable[str], rows: Iterable[tuple]) -> GaugeMetricFamily:
    """A family; each row has its labels' values and then its number."""
    family = GaugeMetricFamily(f"perfsite_{name}", told, labels=list(labels))
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family


def _queue() -> Iterator[GaugeMetricFamily]:
    now = timezone.now()
    open_jobs = Job.objects.filter(state__in=("queued", "running"))
    counts = open_jobs.values_list("device_class", "kind", "state").annotate(n=Count("pk"))
    yield _gauge("jobs", "open jobs", ("device_class", "kind", "state"), counts)
    oldest = Job.objects.filter(state="queued").values_list("device_class").annotate(at=Min("created_at"))
    ages = [(name, (now - at).total_seconds()) for name, at in oldest]
    yield _gauge("queue_oldest_seconds", "age of the oldest queued job", ("device_class",), ages)
    waiting = Build.objects.filter(state="received").count()
    yield _gauge("builds_unplanned", "builds that wait for their plan", (), [(waiting,)])
    unseen = Report.objects.filter(screened_at__isnull=True).count()
    yield _gauge("reports_unscreened", "reports that the screen has not seen", (), [(unseen,)])


def _recent() -> Iterator[GaugeMetricFamily]:
    """Ended jobs, attempts and notifications among the newest rows."""
    jobs = _newest(Job).exclude(state__in=("queued", "running"))
    counts = jobs.values_list("state", "failure_kind").annotate(n=Count("pk"))
    yield _gauge("jobs_ended_recent", f"of the newest {RECENT} jobs", ("state", "failure"), counts)
    attempts = _newest(Attempt).values_list("state").annotate(n=Count("pk"))
    yield _gauge("attempts_recent", f"of the newest {RECENT}; lost: a lease ran out", ("state",), attempts)
    told = _newest(Notification).values_list("channel__kind", "state").annotate(n=Count("pk"))
    yield _gauge("notifications_recent", f"of the newest {RECENT}", ("channel", "state"), told)
    today = RefusalCount.objects.filter(day=timezone.now().date())
    refused = today.values_list("project__slug", "reason", "count")
    yield _gauge(
        "webhooks_refused_today", "deliveries refused since midnight", ("project", "reason"), refused
    )


def _kept_files() -> Iterator[GaugeMetricFamily]:
    broken = Check.objects.exclude(problem="").count()
    told = "stored files whose digest was wrong at the last look"
    yield _gauge("artifacts_broken", told, (), [(broken,)])


def _newest(model: type[Model], count: int = RECENT) -> QuerySet[Any]:
    last = model._default_manager.aggregate(last=Max("pk"))["last"] or 0
    return model._default_manager.filter(pk__gt=last - count)


def _devices() -> Iterator[GaugeMetricFamily]:
    """What each worker last told of its device; a reading it does not have is left out."""
    now = timezone.now()
    labels = ("worker", "device_class", "device")
    seen, readings = [], []
    for row in Worker.objects.filter(last_seen__gte=now - timedelta(seconds=_SEEN_S)):
        who = (row.name, row.device_class, row.device_uuid)
        seen.append((*who, (now - row.last_seen).total_seconds()))
        readings += [(*who, name, value) for name, value in row.telemetry.items() if _is_told(name, value)]
    yield _gauge("worker_silent_seconds", "since the worker was last heard of", labels, seen)
    told = "utilisation, memory, temperature, power, clocks, throttle bits"
    yield _gauge("device_reading", told, (*labels, "reading"), readings)


def _is_told(name: str, value: float | None) -> bool:
    """Whether it becomes a series of its own: an earlier release kept whatever name a worker sent."""
    return name in READINGS and value is not None


def _canaries() -> GaugeMetricFamily:
    """The pinned computation in each device's newest report: what moves alone when a device is sick."""
    labels = ("worker", "device_class", "device", "clock", "when")
    told = f"the pinned computation, in each worker's newest report among the newest {CANARY_REPORTS}"
    rows: dict[str, list[tuple]] = {}
    worker = ("attempt__worker__name", "attempt__worker__device_class", "attempt__worker__device_uuid")
    newest = _newest(Report, CANARY_REPORTS).filter(attempt__isnull=False).order_by("-pk")
    for name, device_class, device, canary in newest.values_list(*worker, "canary"):
        if canary and name not in rows:
            who = (name, device_class, device)
            rows[name] = [(*who, one["clock"], one["when"], one["seconds"]) for one in canary]
    return _gauge("canary_seconds", told, labels, [row for some in rows.values() for row in some])


def _canary_changes() -> GaugeMetricFamily:
    """As the page of GPUs judges them: the norm is the device's own past, or the fastest of its like."""
    labels = ("worker", "device_class", "device", "against")
    told = "how much slower the canary is than its norm; 0.07 is 7 % slower"
    rows: list[tuple] = []
    for row in fitness_rows():
        who = (row.worker.name, row.worker.device_class, row.worker.device_uuid)
        rows.append((*who, "itself", row.against_itself))
        if row.against_others is not None:
            rows.append((*who, "like", row.against_others))
    return _gauge("canary_change", told, labels, rows)


def _times() -> Iterator[GaugeMetricFamily]:
    row = SiteStart.objects.first()
    ages = []
    if row is not None:
        ages = [(word, at) for word, at in (("started", row.started_at), ("swept", row.swept_at)) if at]
    now = timezone.now()
    told = [(word, (now - at).total_seconds()) for word, at in ages]
    yield _gauge("site_seconds_since", "since the site came up, since the last sweep", ("what",), told)
