"""One sweep while 100,000 jobs wait."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from perfsite.bench.served import served
from perfsite.bench.table import Row, row_under
from perfsite.bench.world import jobs_made, project_made, workers_made
from perfsite.runs.models import SiteStart
from perfsite.runs.tasks import sweep

QUEUED = 100_000
SLOWEST_S = 1.0
_CLASSES = 4
_SPEC = {"source": {"kind": "catalogue", "ref": "tiny-cnn"}, "cases": []}


def sweep_measure(seconds: float) -> list[Row]:
    """The row."""
    project = project_made("sweep")
    for number in range(_CLASSES):
        name = f"bench-sweep-{number}"
        count = QUEUED // _CLASSES
        jobs_made(project, count, device_class=name, spec=_SPEC, first=1 + number * count)
        workers_made(25, name)
    # past a term, else no lease is looked at
    SiteStart.objects.update_or_create(pk=1, defaults={"started_at": timezone.now() - timedelta(hours=1)})
    with served():
        sweep()  # what other figures left behind is none of this one's
        times: list[float] = []
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline or not times:
            started = time.perf_counter()
            sweep()
            times.append(time.perf_counter() - started)
    return [row_under(f"sweep with {QUEUED:,} queued jobs", max(times), "s", limit=SLOWEST_S)]
