"""What an engine is made of and how long each layer takes: the inspector and the profiler."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks.errors import MeasureError

PASSES = 20
WARM_PASSES = 3


def layers_time(trt: Any, context: Any, stream: Any, passes: int = PASSES) -> list[tuple[str, float]]:
    """(layer, median seconds over the passes), in the order in which they run.

    `context` is bound, and used for nothing else: a profiler puts events around every layer, which
    costs time, and must not be there while a CUDA graph is recorded.

    Raises:
        MeasureError: TensorRT refused to run, or reported no layer.
    """

    class Recorder(trt.IProfiler):
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.seconds: dict[str, float] = defaultdict(float)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            """A layer of a loop is reported once a turn."""
            self.seconds[layer_name] += ms * 1e-3

    for _ in range(WARM_PASSES):
        _run(context, stream)
    recorder = Recorder()
    context.profiler = recorder  # it reports while the call that enqueues waits for the GPU
    told: dict[str, list[float]] = defaultdict(list)
    for _ in range(passes):
        recorder.seconds.clear()
        _run(context, stream)
        for layer, seconds in recorder.seconds.items():
            told[layer].append(seconds)
    if not told:
        raise MeasureError("the profiler reported no layer; the engine was built without layer names")
    return [(layer, float(np.median(seconds))) for layer, seconds in told.items()]


def _run(context: Any, stream: Any) -> None:
    if not context.execute_async_v3(stream.cuda_stream):
        raise MeasureError("the engine could not be enqueued to time its layers")
    stream.synchronize()


def engine_inspect(trt: Any, engine: Any, context: Any) -> str:
    """The engine's layers, formats and kernels as JSON, in the inspector's own words."""
    inspector = engine.create_engine_inspector()
    inspector.execution_context = context  # with the bound shapes in place of free ones
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
