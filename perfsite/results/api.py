"""The API of workers' results: artifacts and the report."""

from __future__ import annotations

import gzip
import io
import logging
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import ValidationError

from benchmarks.report import Report as Body
from perfsite.access.auth import WORKERS, worker_token
from perfsite.core.errors import UnavailableError
from perfsite.core.problems import Problem
from perfsite.core.text import text_clean
from perfsite.results.artifacts import (
    REPORT_NAME,
    DigestMismatchError,
    artifact_store,
    stream_copy,
)
from perfsite.results.services import ReportMismatchError, report_store
from perfsite.runs.confining import attempt_confine
from perfsite.runs.lease import attempt_get

log = logging.getLogger(__name__)

router = Router(auth=WORKERS, tags=["worker"])


class Stored(Schema):
    """Whether this call stored it; false when it was there already."""

    stored: bool


@router.put(
    "/attempts/{token}/artifacts/{name}",
    response={200: Stored, 201: Stored, 410: Problem, 503: Problem},
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
def artifact(request: HttpRequest, token: UUID, name: str, kind: str, sha256: str) -> Status:
    """A file of the attempt, as the raw body."""
    attempt_confine(attempt_token=token, token=worker_token(request))
    if name == REPORT_NAME:
        raise DigestMismatchError(f"{name} is the report's own name; send the file under another")
    name, kind = text_clean(name)[:150], text_clean(kind)[:20]
    with _storing(), tempfile.TemporaryFile() as spool:
        stream_copy(request, spool, limit=settings.ARTIFACT_MAX_BYTES)
        with transaction.atomic():
            attempt = attempt_get(token=token)
        content = File(spool, name=name)
        created = artifact_store(attempt=attempt, name=name, kind=kind, content=content, expected=sha256)
    return Status(201 if created else 200, {"stored": created})


@router.post(
    "/attempts/{token}/report",
    response={200: Stored, 410: Problem, 503: Problem},
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
    },
)
def report(request: HttpRequest, token: UUID) -> dict[str, bool]:
    """The report of the attempt, JSON, may be gzipped; the attempt and its job are done with it."""
    attempt_confine(attempt_token=token, token=worker_token(request))
    try:
        raw = _body(request)
        body = Body.model_validate_json(raw)
    except (ValidationError, OSError, EOFError, zlib.error) as error:  # OSError: gzip's own
        raise ReportMismatchError(f"this is no report: {error}"[:2000]) from None
    with _storing():
        return {"stored": report_store(token=token, body=body, raw=raw)}


@contextmanager
def _storing() -> Iterator[None]:
    """The storage, not the body, is at fault: the worker keeps what it has and sends it again."""
    try:
        yield
    except OSError as error:
        log.exception("a worker's file cannot be stored")
        raise UnavailableError(f"the site cannot store this now: {error.strerror or error}") from None


def _body(request: HttpRequest) -> bytes:
    """The body, unpacked; both sizes are bounded before they are in memory."""
    packed = io.BytesIO()
    stream_copy(request, packed, limit=settings.REPORT_MAX_BYTES)
    if request.headers.get("Content-Encoding") != "gzip":
        return packed.getvalue()
    plain = io.BytesIO()
    with gzip.GzipFile(fileobj=packed) as unpacked:
        stream_copy(unpacked, plain, limit=settings.REPORT_MAX_BYTES)
    return plain.getvalue()
