"""TensorRT 10 and 11 and TensorRT-RTX: one adapter over engines, buffers held by torch."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from benchmarks.engines.check import engine_checked, refusal_words
from benchmarks.errors import CannotCapture, CannotRun, MeasureError
from benchmarks.gpu.graphs import Captured, graph_capture
from benchmarks.gpu.streams import stream_return, stream_take
from benchmarks.models.inputs import array_tensor
from benchmarks.runners import tensorrt_profiles, tensorrt_rtx
from benchmarks.runners.base import Assets, Runner, artifact_required
from benchmarks.runners.tensorrt_buffers import (
    context_bind,
    device_check,
    inputs_make,
    names_of,
    outputs_bind,
    outputs_make,
)
from benchmarks.runners.tensorrt_layers import engine_inspect, layers_time
from benchmarks.runners.tensorrt_library import Log, library_import, log_kept
from benchmarks.runners.tensorrt_refit import engine_refit


class TensorRTRunner(Runner):
    """Deserialises a checked engine and runs it with `execute_async_v3` on a stream of its own."""

    name: ClassVar[str] = "tensorrt"

    def __init__(self, assets: Assets) -> None:
        super().__init__(assets)
        self._listening = ExitStack()
        self._logger: Any = None
        self._log = Log()
        self._trt: Any = None
        self._runtime: Any = None  # logger and runtime must outlive the engine, the engine its contexts
        self._engine: Any = None
        self._context: Any = None
        self._captured: Captured | None = None
        self._inputs: dict[str, torch.Tensor] = {}
        self._outputs: dict[str, torch.Tensor] = {}

    def load(self) -> None:
        """Check the engine and read it back.

        Raises:
            MissingLibrary: TensorRT is not installed.
            CannotRun: there is no GPU, or the engine is of another release or for another GPU.
            IntegrityError: the engine file is not the sealed one.
        """
        self._trt = library_import(self.name)
        engine = artifact_required(self.assets.engine, self.name, "an engine")
        path = engine_checked(engine, runner=self.name, version=self._trt.__version__)
        device_check(self.name, self.assets.device)
        try:
            self._open(path)
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path) -> None:
        self._logger, self._log = self._listening.enter_context(log_kept(self._trt))
        self._runtime = self._trt.Runtime(self._logger)
        plan = path.read_bytes()
        self._plan_check(plan, path.name)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise CannotRun(
                f"{self.name} {self._trt.__version__}: {refusal_words(path.name, self._log.words())}"
            )
        self._context = self._context_make()
        self._stream = stream_take()

    def _plan_check(self, plan: bytes, name: str) -> None:
        """TensorRT tells what it refuses while deserialising."""

    def _context_make(self) -> Any:
        context = self._context_new()
        if context is None:
            raise CannotRun(
                f"{self.name} made no execution context: {self._log.words() or 'no reason given'}"
            )
        return context

    def _context_new(self) -> Any:
        return tensorrt_profiles.context_make(self._trt, self._engine)

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows and outputs of the shapes that follow, all on the GPU.

        Raises:
            MeasureError: the engine has no profile that takes them.
        """
        self._captured = None
        inputs, outputs = names_of(self._trt, self._engine)
        self._inputs = inputs_make(self._engine, inputs, self.assets.example, batch)
        context_bind(self._engine, self._context, self._inputs, self._stream)
        self._outputs = outputs_make(self._engine, self._context, outputs)
        torch.cuda.synchronize()

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Copy the arrays into the bound inputs, on the runner's stream."""
        with torch.cuda.stream(self._stream):
            for bound, array in zip(self._inputs.values(), arrays, strict=True):
                bound.copy_(array_tensor(array), non_blocking=True)

    def infer(self) -> None:
        """One execution, awaited on the runner's stream.

        Raises:
            MeasureError: TensorRT refused to enqueue it.
        """
        self.submit()
        self.wait()

    def submit(self) -> None:
        """Enqueue one execution, or replay its graph.

        Raises:
            MeasureError: TensorRT refused to enqueue it.
        """
        if self._captured is not None:
            self._captured.replay()
            return
        self._enqueue(self._stream.cuda_stream)

    def _enqueue(self, stream_handle: int) -> None:
        if not self._context.execute_async_v3(stream_handle):
            raise MeasureError(f"{self.name} could not enqueue: {self._log.words() or 'no reason given'}")

    @property
    def captured(self) -> bool:
        """Whether `submit` replays a graph."""
        return self._captured is not None

    def capture(self) -> None:
        """Record one execution of the bound inputs; it runs a few times before, as TensorRT asks.

        Raises:
            CannotCapture: the engine does not allow it, or the case switched it off.
        """
        if not self.assets.option("graph", default=True):
            raise CannotCapture("the case switched CUDA graphs off")
        self._capture_check()
        self._captured = graph_capture(
            lambda: self._enqueue(torch.cuda.current_stream().cuda_stream), self._stream
        )

    def _capture_check(self) -> None:
        """TensorRT tells what it cannot record while recording."""

    def outputs(self) -> tuple[np.ndarray, ...]:
        """The engine's outputs, floating point as float32."""
        self.wait()
        return tuple(
            (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
            for tensor in self._outputs.values()
        )

    def memory(self) -> dict[str, int]:
        """Bytes of scratch memory that a context needs for the bound profile."""
        place = self._context.active_optimization_profile
        return {"engine_context": int(self._engine.get_device_memory_size_for_profile_v2(place))}

    def layer_count(self) -> int:
        """Layers of the loaded engine, after fusion."""
        return int(self._engine.num_layers)

    def layer_times(self) -> list[tuple[str, float]]:
        """(layer, seconds) of the bound inputs, in a context of its own that nothing else uses.

        Raises:
            MeasureError: TensorRT refused to run, or reported no layer.
        """
        context = self._context_make()
        context_bind(self._engine, context, self._inputs, self._stream)
        outputs_bind(context, self._outputs)
        return layers_time(self._trt, context, self._stream)

    def inspect(self) -> str:
        """The engine's layers, formats and kernels as JSON."""
        return engine_inspect(self._trt, self._engine, self._context)

    def refit(self, onnx: Path) -> None:
        """Exchange the engine's weights for those of `onnx`; drops a capture.

        Raises:
            CannotRun: the engine was not built for it.
            MeasureError: the file's graph is another one.
        """
        if not self._engine.refittable:
            raise CannotRun(
                "this engine's weights cannot be exchanged; the option refit=true builds one whose can, "
                "which may be slower"
            )
        self._captured = None
        engine_refit(self._trt, self._logger, self._engine, onnx, self._stream)

    def hot_update(self) -> None:
        """Exchange the weights while loaded, from the ONNX file the engine was built from.

        Raises:
            CannotRun: the engine was not built for it, or there is no ONNX file.
            IntegrityError: the ONNX file is not the sealed one.
        """
        onnx = artifact_required(self.assets.onnx, self.name, "the ONNX file its weights come from")
        self.refit(onnx.verified())

    def close(self) -> None:
        """Free graph, context, engine, runtime and buffers, in that order."""
        self._captured = None
        self._context = None
        self._engine = None
        self._runtime = None
        self._inputs, self._outputs = {}, {}
        self._listening.close()
        if self._stream is not None:
            stream_return(self._stream)
            self._stream = None
            torch.cuda.empty_cache()


class TensorRTRTXRunner(TensorRTRunner):
    """The same over TensorRT-RTX, with what it alone has (see `tensorrt_rtx`)."""

    name: ClassVar[str] = "tensorrt_rtx"

    def _plan_check(self, plan: bytes, name: str) -> None:
        tensorrt_rtx.plan_checked(self._trt, self._runtime, plan, name)

    def _context_new(self) -> Any:
        return tensorrt_rtx.context_make(self._trt, self._engine)

    def _capture_check(self) -> None:
        tensorrt_rtx.capture_checked(self._context, self._stream)
