"""How an engine is loaded again, and how the weights of a running one are exchanged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.artifacts import Artifact
from benchmarks.errors import CannotRun
from benchmarks.runners.base import Assets, artifact_required
from benchmarks.runners.table import runner_open


def keep(runner: str, assets: Assets, batch: int, folder: Path) -> Artifact:
    """The engine itself: it is what a load is made quick by."""
    return artifact_required(assets.engine, runner, "an engine")


def kept_load(runner: str, assets: Assets, kept: Artifact | None, batch: int) -> float:
    """Seconds of deserialising and binding the engine."""
    started = time.perf_counter()
    with runner_open(runner, assets) as loaded:
        loaded.bind(batch)
        return time.perf_counter() - started


def update(runner: str, assets: Assets, batch: int) -> float:
    """Seconds of refitting the weights of a loaded engine, to its first answer with them.

    Raises:
        CannotRun: this runner cannot refit.
    """
    with runner_open(runner, assets) as serving:
        refit: Callable[[], object] | None = getattr(serving, "hot_update", None)
        if refit is None:
            raise CannotRun(f"{runner} cannot exchange the weights of a loaded engine")
        serving.bind(batch)
        serving.infer()
        started = time.perf_counter()
        refit()
        serving.infer()
        return time.perf_counter() - started
