"""Files that jobs make: stored by digest, so that equal files are one, and checked on the way in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.results.models import Artifact, artifact_path
from perfsite.runs.models import Attempt

_CHUNK = 2**20
REPORT_NAME = "report.json.gz"


class DigestMismatchError(PerfsiteError):
    """A file is not the one it was said to be."""


class TooLargeError(PerfsiteError):
    """A body is over its limit."""


def stream_copy(source: Any, target: IO[bytes], *, limit: int) -> tuple[str, int]:
    """Copy `source` to `target` in chunks; returns the SHA-256 and the size in bytes.

    Raises:
        TooLargeError: there are more than `limit` bytes.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(source):
        size += len(chunk)
        if size > limit:
            raise TooLargeError(
                f"more than {limit} bytes; the limit is the setting PERFSITE_ARTIFACT_MAX_BYTES"
            )
        digest.update(chunk)
        target.write(chunk)
    target.seek(0)
    return digest.hexdigest(), size


def _chunks(source: Any) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk


def artifact_store(
    *, attempt: Attempt, name: str, kind: str, content: File[bytes], expected: str = ""
) -> bool:
    """Keep a file of an attempt's job; False when the job has it already.

    A file of the same name that an earlier attempt left is replaced.

    Raises:
        DigestMismatchError: its SHA-256 is not `expected`, or this attempt sent another file of this name.
    """
    digest = hashlib.sha256()
    for chunk in _chunks(content):
        digest.update(chunk)
    content.seek(0)
    found = digest.hexdigest()
    if expected and found != expected:
        raise DigestMismatchError(f"{name} has the SHA-256 {found}, not {expected}; send it again")
    values = {"kind": kind, "sha256": found, "size": content.size}
    kept = Artifact.objects.filter(job=attempt.job, name=name).first()
    if kept is not None and kept.sha256 == found:
        return False
    if kept is not None and kept.stored_at >= attempt.claimed_at:
        raise DigestMismatchError(f"this attempt sent another file called {name}, with SHA-256 {kept.sha256}")
    row = Artifact(job=attempt.job, name=name, stored_at=timezone.now(), **values)
    row.file = file_keep(row, content)
    told = ["kind", "sha256", "size", "file", "stored_at"]
    Artifact.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["job", "name"], update_fields=told
    )
    return True


def file_keep(artifact: Artifact, content: File[bytes]) -> str:
    """Where the content lies: at its digest, or beside it while only a torn write lies there."""
    path = artifact_path(artifact, artifact.name)
    if default_storage.exists(path) and default_storage.size(path) == content.size:
        return path
    return default_storage.save(path, content)
