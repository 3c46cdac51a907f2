"""The timing cache: what a builder measured of its kernels, so that the next build chooses the same.

It makes builds faster and more alike.  Every build leaves its cache beside the engine; a build starts
from one only where the case names it, for `engine_build_time` and the build-to-build spread would
otherwise depend on what ran before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.artifacts import Artifact
from benchmarks.engines.sidecar import TimingCache
from benchmarks.errors import BuildError

WHY_NONE = {
    "tensorrt_rtx": (
        "TensorRT-RTX chooses its kernels when an engine is loaded; since release 1.2 its timing cache "
        "calls do nothing"
    )
}


def cache_attach(runner: str, config: Any, given: Path | None) -> str | None:
    """Let the build use a timing cache; returns the SHA-256 of the given one, None for an empty one.

    Raises:
        BuildError: the given one is missing, is of another library or GPU, or `runner` keeps none.
    """
    if runner in WHY_NONE:
        if given is not None:
            raise BuildError(f"{runner} takes no timing cache: {WHY_NONE[runner]}; drop the option")
        return None
    if given is None:
        config.set_timing_cache(config.create_timing_cache(b""), False)
        return None
    if not given.is_file():
        raise BuildError(f"there is no timing cache {given}; check the option timing_cache, or drop it")
    sealed = Artifact.seal(given, "other")
    cache = config.create_timing_cache(given.read_bytes())
    if cache is None or not config.set_timing_cache(cache, False):
        raise BuildError(
            f"{runner} refuses the timing cache {given.name}: it was made by another release or on another "
            "GPU; make one here by a build without the option"
        )
    return sealed.sha256


def cache_save(runner: str, config: Any, target: Path, started_from: str | None) -> TimingCache | None:
    """Write what the build measured to `target`; None where the library keeps nothing."""
    if runner in WHY_NONE:
        return None
    cache = config.get_timing_cache()
    target.write_bytes(memoryview(cache.serialize()))
    sealed = Artifact.seal(target, "other")
    return TimingCache(name=target.name, sha256=sealed.sha256, started_from=started_from)
