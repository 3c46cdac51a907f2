"""Exports kept between jobs, so that a comparison of two builds exports neither again.

One ONNX file per (project, commit, model, precision); the least recently used ones go when all
together are larger than the limit.  Children only read from here: what is kept is copied by the
worker, with the digest the child's report announced.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.artifacts import Artifact
from benchmarks.onnx_cache import cache_put


@dataclass(frozen=True)
class ExportKey:
    """Which export a file is."""

    project: str
    sha: str
    model: str
    precision: str

    @property
    def file_name(self) -> str:
        """A name that is safe in a folder and tells nothing else."""
        text = json.dumps([self.project, self.sha, self.model, self.precision])
        return f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.onnx"


class OnnxCache:
    """The folder of kept exports, at most `limit_bytes` in all; a machine's workers share it."""

    def __init__(self, folder: Path, limit_bytes: int = 8 * 2**30) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, key: ExportKey) -> Path | None:
        """The kept export, marked as used now, or None."""
        path = self._folder / key.file_name
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def keep(self, key: ExportKey, artifact: Artifact) -> None:
        """Keep a copy of an exported file with the digest it was announced with, and make room for it.

        Raises:
            IntegrityError: the file is not the one that was announced.
        """
        artifact.verified()
        cache_put(artifact, self._folder / key.file_name)
        self._trim()

    def _trim(self) -> None:
        kept = sorted(self._folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
        total = 0
        for path in kept:
            total += path.stat().st_size
            if total > self._limit_bytes:
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.sha256").unlink(missing_ok=True)
