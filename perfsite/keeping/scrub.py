"""Scrubbing: stored files are read again and their digests checked, the longest unchecked first."""

from __future__ import annotations

import gzip
import hashlib
import logging
import zlib

from django.db.models import F
from django.utils import timezone

from perfsite.keeping.models import Check
from perfsite.results.models import Artifact

log = logging.getLogger(__name__)

_CHUNK = 2**20


def artifacts_scrub(*, most: int = 500) -> list[Artifact]:
    """Check up to `most` files; returns those that are broken, and tells the log."""
    rows = Artifact.objects.order_by(F("check_made__at").asc(nulls_first=True), "pk")[:most]
    broken = []
    for artifact in rows:
        problem = _problem(artifact)
        Check.objects.update_or_create(
            artifact=artifact, defaults={"at": timezone.now(), "problem": problem[:300]}
        )
        if problem:
            log.error("%s, stored as %s, is broken: %s", artifact, artifact.file.name, problem)
            broken.append(artifact)
    return broken


def _problem(artifact: Artifact) -> str:
    """What is wrong with a file; empty when it is as it was stored."""
    digest, size = hashlib.sha256(), 0
    try:
        with artifact.file.open("rb") as stored:
            while chunk := stored.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        if artifact.name.endswith(".gz"):
            with artifact.file.open("rb") as stored, gzip.open(stored) as plain:
                while plain.read(_CHUNK):
                    continue
    except FileNotFoundError:
        return "the file is gone"
    except (OSError, EOFError, zlib.error) as error:
        return f"it cannot be read: {error}"
    if size != artifact.size:
        return f"it has {size} bytes, not {artifact.size}"
    return "" if digest.hexdigest() == artifact.sha256 else f"its SHA-256 is {digest.hexdigest()}"
