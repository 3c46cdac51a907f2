"""Files a job makes or takes: each known by its digest, which is checked before each load."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.errors import IntegrityError
from benchmarks.report import ArtifactRef

Kind = Literal["onnx", "engine", "log", "profile", "other"]


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Artifact:
    """A file on disk, sealed with the digest of the bytes it had.  `size` is in bytes.

    `beside` are the files that it names as its own, in its folder: an ONNX file's weights.
    """

    path: Path
    kind: Kind
    sha256: str
    size: int
    beside: tuple[Artifact, ...] = ()

    @classmethod
    def seal(
        cls,
        path: Path,
        kind: Kind,
        beside: Iterable[Path] = (),
    ) -> Artifact:
        """Take the digest of the file, and of those beside it, as they are now."""
        parts = tuple(cls.seal(part, "other") for part in beside)
        return cls(path, kind, file_digest(path), path.stat().st_size, parts)

    @property
    def identity(self) -> str:
        """SHA-256 of everything that the file stands for: its own, or of its digest and those beside it."""
        if not self.beside:
            return self.sha256
        lines = [self.sha256, *sorted(f"{part.sha256} {part.path.name}" for part in self.beside)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def whole_size(self) -> int:
        """Bytes of the file and of those beside it."""
        return self.size + sum(part.size for part in self.beside)

    def verified(self) -> Path:
        """The path, after checking that it and the files beside it still have the sealed digests.

        Raises:
            IntegrityError: the bytes changed; the message names both digests.
        """
        found = file_digest(self.path)
        if found != self.sha256:
            raise IntegrityError(
                f"{self.path.name} is not the file that was announced: its SHA-256 is {found}, "
                f"expected {self.sha256}; make or fetch it again"
            )
        for part in self.beside:
            part.verified()
        return self.path

    def ref(self) -> ArtifactRef:
        """The file as the report names it."""
        return ArtifactRef(name=self.path.name, kind=self.kind, sha256=self.sha256, size=self.size)
