"""Files that jobs make: stored by digest, so that equal files are one, and checked on the way in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import default_storage

from perfsite.core.errors import PerfsiteError
from perfsite.results.models import Artifact, artifact_path
from perfsite.runs.models import Job

_CHUNK = 2**20


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


def artifact_store(*, job: Job, name: str, kind: str, content: File, expected: str = "") -> bool:
    """Keep a file of a job; False when the job has it already.

    Raises:
        DigestMismatchError: its SHA-256 is not `expected`, or the job has another file of this name.
    """
    digest = hashlib.sha256()
    for chunk in _chunks(content):
        digest.update(chunk)
    content.seek(0)
    found = digest.hexdigest()
    if expected and found != expected:
        raise DigestMismatchError(f"{name} has the SHA-256 {found}, not {expected}; send it again")
    artifact = Artifact(job=job, name=name, kind=kind, sha256=found, size=content.size)
    path = artifact_path(artifact, name)
    if not default_storage.exists(path):
        path = default_storage.save(path, content)
    kept, created = Artifact.objects.get_or_create(
        job=job,
        name=name,
        defaults={"kind": kind, "sha256": found, "size": content.size, "file": path},
    )
    if kept.sha256 != found:
        raise DigestMismatchError(f"job {job.pk} has another file called {name}, with SHA-256 {kept.sha256}")
    return created
