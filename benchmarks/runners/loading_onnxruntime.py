"""How an ONNX graph is kept for a quick load by onnxruntime, and how a running one is exchanged."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks.artifacts import Artifact
from benchmarks.errors import CannotRun, first_line
from benchmarks.runners.base import Assets, artifact_required
from benchmarks.runners.onnxruntime_runner import OnnxRuntimeRunner
from benchmarks.runners.onnxruntime_session import BATCH, plan_make
from benchmarks.runners.table import runner_open

KEPT_NAME = "optimized.onnx"


class _Kept(OnnxRuntimeRunner):
    """Runs such a graph without optimising it again; inputs and outputs stay on the host."""

    def load(self) -> None:
        """Open the session on the kept graph.

        Raises:
            IntegrityError: the file is not the sealed one.
        """
        path = artifact_required(self.assets.onnx, self.name, "a kept graph").verified()
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = _session_open(self.assets, path, options)


def keep(runner: str, assets: Assets, batch: int, folder: Path) -> Artifact:
    """Write the graph to `folder` as onnxruntime optimised it for this machine, on a GPU for this batch.

    Raises:
        CannotRun: this provider compiles the graph, which onnxruntime then does not write, or its weights
            lie in another file.
    """
    if runner != OnnxRuntimeRunner.name:
        raise CannotRun(f"{runner} compiles the graph into engines, which onnxruntime does not write as ONNX")
    given = artifact_required(assets.onnx, runner, "an ONNX file")
    if given.beside:
        raise CannotRun(
            "onnxruntime writes an optimised graph with its weights into one file; these are too large"
        )
    graph = given.verified()
    target = folder / KEPT_NAME
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(target)
    if assets.device == "cuda":
        options.add_free_dimension_override_by_name(BATCH, batch)
    _session_open(assets, graph, options)
    return Artifact.seal(target, "other")


def _session_open(assets: Assets, path: Path, options: Any) -> Any:
    """A session as the runner opens its own, with these options besides.

    Raises:
        CannotRun: onnxruntime refuses the graph, or cannot write it.
    """
    plan = plan_make(assets, OnnxRuntimeRunner.providers[assets.device], path)
    options.intra_op_num_threads = plan.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not plan.fused:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    providers = list(plan.providers)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise CannotRun(f"onnxruntime keeps no optimised form of this graph: {first_line(error)}") from error


def kept_load(runner: str, assets: Assets, kept: Artifact | None, batch: int) -> float:
    """Seconds of opening and binding a session on the kept graph, which is not optimised again.

    Raises:
        IntegrityError: the file is not the sealed one.
    """
    started = time.perf_counter()
    with _Kept(replace(assets, onnx=artifact_required(kept, runner, "a kept graph"))) as loaded:
        loaded.bind(batch)
        seconds = time.perf_counter() - started
        loaded.infer()
    return seconds


def update(runner: str, assets: Assets, batch: int) -> float:
    """Seconds from a new ONNX file to the first answer of a session on it, while an old one serves.

    A session's weights cannot be exchanged: a second session is made, and takes the first one's place.
    """
    with runner_open(runner, assets) as serving:
        serving.bind(batch)
        serving.infer()
        started = time.perf_counter()
        with runner_open(runner, assets) as fresh:
            fresh.bind(batch)
            fresh.infer()
            return time.perf_counter() - started
