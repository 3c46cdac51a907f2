"""An exported ONNX file kept between the blocks of one build, with the digests it and its weights had.

Beside `KEPT` lies `KEPT.sha256`: the file's digest, then a line for each file of weights, its digest and
its name; those are kept as `KEPT.0`, `KEPT.1` and so on, and get their names back where they are taken.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.artifacts import Artifact, Kind
from benchmarks.errors import IntegrityError

_DIGEST_SUFFIX = ".sha256"


def cache_put(artifact: Artifact, cache: Path) -> None:
    """Keep the file at `cache`, whole or not at all, its digests and weights first."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    lines = [artifact.sha256, *(f"{part.sha256} {part.path.name}" for part in artifact.beside)]
    _beside(cache, _DIGEST_SUFFIX).write_text("\n".join(lines))
    for place, part in enumerate(artifact.beside):
        _copy(part.path, _beside(cache, f".{place}"))
    _copy(artifact.path, cache)


def cache_take(cache: Path, target: Path) -> Artifact:
    """Copy the kept file to `target`, and its weights into the same folder.

    Raises:
        IntegrityError: it has no digest beside it, or another one.
    """
    digest = _beside(cache, _DIGEST_SUFFIX)
    if not digest.is_file():
        raise IntegrityError(
            f"{cache.name} has no digest beside it ({digest.name}); delete it to export again"
        )
    own, *lines = digest.read_text().splitlines()
    taken = _take(cache, own.strip(), target, "onnx")
    parts = []
    for place, line in enumerate(lines):
        sha256, name = line.split(" ", 1)
        parts.append(_take(_beside(cache, f".{place}"), sha256, target.parent / Path(name).name, "other"))
    return Artifact(taken.path, "onnx", taken.sha256, taken.size, tuple(parts))


def _take(kept: Path, sha256: str, target: Path, kind: Kind) -> Artifact:
    if not kept.is_file():
        raise IntegrityError(f"{kept.name} is gone from the kept export; delete the rest to export again")
    sealed = Artifact(kept, kind, sha256, kept.stat().st_size)
    shutil.copyfile(sealed.verified(), target)
    return Artifact(target, kind, sha256, sealed.size)


def _beside(cache: Path, suffix: str) -> Path:
    return cache.with_name(cache.name + suffix)


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    shutil.copyfile(source, draft)
    draft.replace(target)
