"""Files a job makes or takes: each known by its digest, which is checked before each load."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.errors import IntegrityError
from benchmarks.report import ArtifactRef


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Artifact:
    """A file on disk, sealed with the digest of the bytes it had.  `size` is in bytes."""

    path: Path
    kind: Literal["onnx", "engine", "log", "profile", "other"]
    sha256: str
    size: int

    @classmethod
    def seal(cls, path: Path, kind: Literal["onnx", "engine", "log", "profile", "other"]) -> Artifact:
        """Take the digest of the file as it is now."""
        return cls(path=path, kind=kind, sha256=file_digest(path), size=path.stat().st_size)

    def verified(self) -> Path:
        """The path, after checking that the file still has the sealed digest.

        Raises:
            IntegrityError: the bytes changed; the message names both digests.
        """
        found = file_digest(self.path)
        if found != self.sha256:
            raise IntegrityError(
                f"{self.path.name} is not the file that was announced: its SHA-256 is {found}, "
                f"expected {self.sha256}; make or fetch it again"
            )
        return self.path

    def ref(self) -> ArtifactRef:
        """The file as the report names it."""
        return ArtifactRef(name=self.path.name, kind=self.kind, sha256=self.sha256, size=self.size)
