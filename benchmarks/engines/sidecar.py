"""The note beside an engine: which bytes, built by whom, for which GPU, from what.

An engine fits one TensorRT release and, without TensorRT-RTX, one compute capability; the file itself
tells neither reliably.  So every engine built here gets `NAME.json` beside `NAME`, and an engine that is
given is held against the note it brings, if it brings one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.errors import IntegrityError


class TimingCache(BaseModel):
    """The timing cache that a build left: its file's name and SHA-256, and the one it started from."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    started_from: str | None = None


class Sidecar(BaseModel):
    """What is known of an engine.

    `compute_capability` is the GPU's it was built on, for example `9.0`; None when the engine is not
    bound to one, or nobody could tell.  `timing_cache` is None when the library keeps none, and
    `timing_cache_missing` says why.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    engine_sha256: str
    library: str
    version: str
    compute_capability: str | None = None
    precision: str = ""
    flags: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    workspace_mib: int | None = None
    onnx_sha256: str | None = None
    timing_cache: TimingCache | None = None
    timing_cache_missing: str = ""


def sidecar_path(engine: Path) -> Path:
    """Where the note of `engine` lies."""
    return engine.with_name(f"{engine.name}.json")


def sidecar_write(engine: Path, sidecar: Sidecar) -> Path:
    """Leave the note beside the engine and return its path."""
    path = sidecar_path(engine)
    path.write_text(sidecar.model_dump_json(indent=1) + "\n")
    return path


def sidecar_read(engine: Path) -> Sidecar | None:
    """The note beside the engine; None when there is none.

    Raises:
        IntegrityError: there is one, and it cannot be read.
    """
    path = sidecar_path(engine)
    if not path.is_file():
        return None
    try:
        return Sidecar.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise IntegrityError(
            f"{path.name} is no note of an engine ({where}: {first['msg']}); "
            f"build {engine.name} again, or take the note away"
        ) from error
