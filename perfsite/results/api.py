"""The API of workers' results: artifacts and the report."""

from __future__ import annotations

import gzip
import io
import logging
import tempfile
import zlib
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import ValidationError

from benchmarks.report import Report as Body
from perfsite.access.auth import WorkerToken
from perfsite.core.errors import SupersededError
from perfsite.results.artifacts import (
    REPORT_NAME,
    DigestMismatchError,
    TooLargeError,
    artifact_store,
    stream_copy,
)
from perfsite.results.services import ReportMismatchError, report_store
from perfsite.runs.api import Problem
from perfsite.runs.lease import attempt_get

log = logging.getLogger(__name__)

router = Router(auth=WorkerToken(), tags=["worker"])


class Stored(Schema):
    """Whether this call stored it; false when it was there already."""

    stored: bool


@router.put(
    "/attempts/{token}/artifacts/{name}",
    response={200: Stored, 201: Stored, 400: Problem, 410: Problem, 413: Problem, 503: Problem},
)
def artifact(request: HttpRequest, token: UUID, name: str, kind: str, sha256: str) -> Status:
    """A file of the attempt, as the raw body."""
    if name == REPORT_NAME:
        return Status(400, {"detail": f"{name} is the report's own name; send the file under another"})
    with tempfile.TemporaryFile() as spool:
        try:
            stream_copy(request, spool, limit=settings.ARTIFACT_MAX_BYTES)
            with transaction.atomic():
                attempt = attempt_get(token=token)
            created = artifact_store(
                attempt=attempt,
                name=name[:150],
                kind=kind[:20],
                content=File(spool, name=name),
                expected=sha256,
            )
        except TooLargeError as error:
            return Status(413, {"detail": str(error)})
        except DigestMismatchError as error:
            return Status(400, {"detail": str(error)})
        except SupersededError as error:
            return Status(410, {"detail": str(error)})
        except OSError as error:
            return _no_room(error)
    return Status(201 if created else 200, {"stored": created})


@router.post(
    "/attempts/{token}/report",
    response={200: Stored, 410: Problem, 413: Problem, 422: Problem, 503: Problem},
)
def report(request: HttpRequest, token: UUID) -> Status:
    """The report of the attempt, JSON, may be gzipped; the attempt and its job are done with it."""
    try:
        raw = _body(request)
        body = Body.model_validate_json(raw)
    except TooLargeError as error:
        return Status(413, {"detail": str(error)})
    except (ValidationError, OSError, EOFError, zlib.error) as error:  # OSError: gzip's own
        return Status(422, {"detail": f"this is no report: {error}"[:2000]})
    try:
        stored = report_store(token=token, body=body, raw=raw)
    except ReportMismatchError as error:
        return Status(422, {"detail": f"this is no report: {error}"[:2000]})
    except SupersededError as error:
        return Status(410, {"detail": str(error)})
    except OSError as error:
        return _no_room(error)
    return Status(200, {"stored": stored})


def _no_room(error: OSError) -> Status:
    """The storage, not the body, is at fault: the worker keeps what it has and sends it again."""
    log.error("a worker's file cannot be stored: %s", error)
    return Status(503, {"detail": f"the site cannot store this now: {error.strerror or error}"})


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
