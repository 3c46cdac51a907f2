"""An exported ONNX file kept between the blocks of one build, with the digest it had."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.artifacts import Artifact
from benchmarks.errors import IntegrityError

_DIGEST_SUFFIX = ".sha256"


def cache_put(artifact: Artifact, cache: Path) -> None:
    """Keep the file at `cache`, whole or not at all, its digest first."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    digest = cache.with_name(cache.name + _DIGEST_SUFFIX)
    digest.write_text(artifact.sha256)
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    shutil.copyfile(artifact.path, draft)
    draft.replace(cache)


def cache_take(cache: Path, target: Path) -> Artifact:
    """Copy the kept file to `target`.

    Raises:
        IntegrityError: it has no digest beside it, or another one.
    """
    digest = cache.with_name(cache.name + _DIGEST_SUFFIX)
    if not digest.is_file():
        raise IntegrityError(
            f"{cache.name} has no digest beside it ({digest.name}); delete it to export again"
        )
    kept = Artifact(cache, "onnx", digest.read_text().strip(), cache.stat().st_size)
    shutil.copyfile(kept.verified(), target)
    return Artifact(target, "onnx", kept.sha256, kept.size)
