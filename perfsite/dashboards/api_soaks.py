"""The API of a soak's readings over time."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from benchmarks.soak_readings import SoakReadings
from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.errors import NotFoundError
from perfsite.core.parameters import RowId
from perfsite.dashboards.selectors.soaks import soak_readings
from perfsite.runs.models import Job

router = Router(auth=READERS, tags=["builds"])


@router.get("/jobs/{job_id}/soak", response=SoakReadings)
def soak(request: HttpRequest, job_id: RowId) -> SoakReadings:
    """Memory, rate, heat and power of a soak over time, with what leaks and how long memory lasts."""
    job = row_seen(request, Job.objects.all(), project="run__build__project", pk=job_id)
    found = soak_readings(job)
    if found is None:
        raise NotFoundError(f"the soak of job {job.pk} has not ended; its readings come with its report")
    return found
