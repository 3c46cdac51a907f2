"""The reading API of reports and artifacts."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from ninja import Query, Router

from perfsite.access.auth import READERS
from perfsite.access.readers import row_seen
from perfsite.core.errors import NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.results.api_schemas import ArtifactOut, ReportOut
from perfsite.results.models import Artifact, Report
from perfsite.runs.models import Job

router = Router(auth=READERS, tags=["artifacts"])

_PROJECT = "job__run__build__project"
_BINARY = {"description": "The file.", "content": {"application/octet-stream": {}}}


@router.get("/jobs/{job_id}/report", response=ReportOut)
def report(request: HttpRequest, job_id: RowId) -> Report:
    """What a job's report said; 404 until there is one."""
    return row_seen(request, Report.objects.all(), project=_PROJECT, job_id=job_id)


@router.get("/jobs/{job_id}/artifacts", response=Page[ArtifactOut])
def artifacts(request: HttpRequest, job_id: RowId, cursor: Query[Cursor]) -> dict[str, Any]:
    """The files of a job."""
    found = row_seen(request, Job.objects.all(), project="run__build__project", pk=job_id)
    return page_of(Artifact.objects.filter(job=found), cursor)


@router.get("/artifacts/{artifact_id}", response=ArtifactOut)
def artifact(request: HttpRequest, artifact_id: RowId) -> Artifact:
    """What is known of one file."""
    return row_seen(request, Artifact.objects.all(), project=_PROJECT, pk=artifact_id)


@router.get(
    "/artifacts/{artifact_id}/content",
    response={200: None, 304: None},
    openapi_extra={"responses": {200: _BINARY}},
)
def content(request: HttpRequest, artifact_id: RowId) -> HttpResponseBase:
    """The file itself; its SHA-256 is its ETag, so a copy that is known is not sent again."""
    found = row_seen(request, Artifact.objects.all(), project=_PROJECT, pk=artifact_id)
    etag = quote_etag(found.sha256)
    known = get_conditional_response(request, etag=etag)
    if isinstance(known, HttpResponseNotModified):
        known["ETag"] = etag
        return known
    try:
        opened = found.file.open("rb")
    except OSError:
        raise NotFoundError(
            f"the content of artifact {found.pk} ({found.name}) is not stored any more"
        ) from None
    answer = FileResponse(
        opened, as_attachment=True, filename=found.name, content_type="application/octet-stream"
    )
    answer["ETag"] = etag
    return answer
