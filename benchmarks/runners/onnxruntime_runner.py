"""ONNX Runtime with the CPU, the CUDA or the TensorRT execution provider, inputs and outputs bound once."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
import onnxruntime

from benchmarks.errors import CannotCapture, CannotRun, MeasureError, MissingLibrary, first_line
from benchmarks.models.arrays import arrays_batched
from benchmarks.runners.base import Assets, Runner, artifact_required
from benchmarks.runners.onnxruntime_session import CPU, CUDA, TENSORRT, Plan, plan_make, session_open

_BFLOAT16 = 16  # onnx.TensorProto.BFLOAT16: numpy has no such type of its own


class OnnxRuntimeRunner(Runner):
    """Runs the ONNX file in one session; a node that falls back to the CPU is refused.

    On a GPU a session is of one batch: `bind` to another opens it anew.  A capture belongs to the
    thread that made it; no other may submit.  onnxruntime tells nothing of its arena, so `memory` is
    empty: what it holds shows in the process's own memory.
    """

    name: ClassVar[str] = "onnxruntime"
    providers: ClassVar[dict[str, tuple[str, ...]]] = {"cpu": (CPU,), "cuda": (CUDA,)}

    def __init__(self, assets: Assets) -> None:
        super().__init__(assets)
        self._plan: Plan | None = None
        self._session: Any = None
        self._binding: Any = None
        self._run_options: Any = None
        # on a GPU alone
        self._cuda: Any = None
        self._buffers: Any = None
        self._batch = 0
        self._captured = False
        self._graphs = False
        self._no_graph = ""

    def load(self) -> None:
        """Open the session on the sealed ONNX file, on a GPU for a batch of the example's rows.

        Raises:
            CannotRun: the provider is not in this build or not in use, or has no kernel for some node.
            IntegrityError: the file is not the sealed one.
        """
        path = artifact_required(self.assets.onnx, self.name, "an ONNX file").verified()
        if self.assets.device not in self.providers:
            raise CannotRun(f"{self.name} needs an NVIDIA GPU, and this machine has none")
        if self.assets.precision == "tf32" and self.assets.device == "cpu":
            raise CannotRun("TensorFloat-32 needs an NVIDIA GPU of compute capability 8.0 or higher")
        self._plan = plan_make(self.assets, self.providers[self.assets.device], path)
        if self.assets.device == "cpu":
            self._session = session_open(self._plan)
            return
        self._cuda = _cuda_import(self.name)
        self._graphs = bool(self.assets.option("graph", default=True))
        self._stream = self._cuda.runner_stream()
        self._open(self.assets.example[0].shape[0])

    def _open(self, batch: int) -> None:
        """The session of `batch` on the GPU and its stream, in place of the ones before."""
        self._session_drop()
        plan = self._cuda.plan_for_gpu(self._plan, self.assets, self._stream, graph=self._graphs)
        self._session, reason = self._cuda.session_of_batch(plan, batch)
        self._batch = batch
        if self._graphs:  # else the reason is that of the capture that failed
            self._no_graph = reason

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows on the device; outputs stay there too.

        Raises:
            CannotRun: the file fixes another batch, or has no kernel on the GPU for this one.
            MeasureError: the graph has more or fewer inputs than the model's example.
        """
        self._captured = False
        arrays = arrays_batched(self.assets.example, batch)
        if self._cuda is not None and batch != self._batch:
            self._open(batch)
        self._inputs_check(batch)
        if self._cuda is None:
            self._host_bind(arrays)
            return
        self._run_options = self._cuda.run_options(self._cuda.UNCAPTURED)
        if self._buffers is None:
            self._buffers = self._cuda.buffers_bind(self._session, arrays, self._stream)
            self._binding = self._buffers.binding
        else:
            self._buffers.feed(arrays)
            self._stream.synchronize()

    def _inputs_check(self, batch: int) -> None:
        declared = self._session.get_inputs()
        if len(declared) != len(self.assets.example):
            raise MeasureError(
                f"the graph has {len(declared)} inputs and the model's example {len(self.assets.example)}; "
                "an input that forward never uses is dropped by the export: remove it from the example"
            )
        for node in declared:
            if isinstance(node.shape[0], int) and node.shape[0] != batch:
                raise CannotRun(
                    f"the ONNX file fixes the batch of input {node.name!r} at {node.shape[0]} and does not "
                    f"run at {batch}; free its first dimension, or measure it at {node.shape[0]}"
                )

    def _host_bind(self, arrays: tuple[np.ndarray, ...]) -> None:
        self._binding = self._session.io_binding()
        self.feed(arrays)
        for node in self._session.get_outputs():
            self._binding.bind_output(node.name, "cpu")

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Put the arrays in place of the inputs; on a GPU copied into the same buffers, on the stream."""
        if self._buffers is not None:
            self._buffers.feed(arrays)
            return
        for node, array in zip(self._session.get_inputs(), arrays, strict=True):
            self._binding.bind_ortvalue_input(node.name, _host_value(array))

    def infer(self) -> None:
        """One run of the bound inputs; on a GPU it returns when the GPU is done."""
        self._session.run_with_iobinding(self._binding, self._run_options)
        if self._stream is not None:
            self._stream.synchronize()

    def submit(self) -> None:
        """Enqueue one run, or replay its graph; on the CPU, run it."""
        self._session.run_with_iobinding(self._binding, self._run_options)

    @property
    def captured(self) -> bool:
        """Whether `submit` replays a graph."""
        return self._captured

    def capture(self) -> None:
        """Run until onnxruntime has recorded its graph.

        Raises:
            CannotCapture: the model does not allow it, or the case switched it off.
        """
        if self._cuda is None:
            super().capture()
        if not self.assets.option("graph", default=True):
            raise CannotCapture("the case switched CUDA graphs off")
        if self._no_graph:
            raise CannotCapture(f"no CUDA graph of it: {self._no_graph}")
        options = self._cuda.run_options(self._cuda.CAPTURED)
        try:
            for _ in range(self._cuda.CAPTURE_RUNS):
                self._session.run_with_iobinding(self._binding, options)
            self._stream.synchronize()
        except Exception as error:  # onnxruntime raises a class of its own for each status
            reason = first_line(error)
            self._uncaptured_again(reason)
            raise CannotCapture(f"no CUDA graph of it: {reason}") from error
        self._run_options, self._captured = options, True

    def _uncaptured_again(self, reason: str) -> None:
        """A session without graphs in place of one that a failed capture left half recorded."""
        batch, self._graphs, self._no_graph = self._batch, False, reason
        # whatever the capture left in flight is not waited for, it may never end: the stream is given up
        self._buffers = None
        try:
            self._stream = self._cuda.runner_stream()
            self._open(batch)
            self.bind(batch)
        except Exception as error:
            raise MeasureError(
                f"onnxruntime could record no CUDA graph of this model ({reason}), and trying broke the "
                f"GPU's context: {first_line(error)}; measure it without: --option graph=false"
            ) from error

    def outputs(self) -> tuple[np.ndarray, ...]:
        """The graph's outputs, floating point as float32."""
        if self._buffers is not None:
            found: tuple[np.ndarray, ...] = self._buffers.read()
            return found
        arrays = self._binding.copy_outputs_to_cpu()
        return tuple(array.astype(np.float32) if array.dtype.kind in "fV" else array for array in arrays)

    def close(self) -> None:
        """Drop the session and its buffers."""
        self._session_drop()
        if self._stream is not None:
            self._cuda.stream_return(self._stream)
        self._stream, self._cuda, self._plan = None, None, None

    def _session_drop(self) -> None:
        if self._buffers is not None:
            self._stream.synchronize()  # nothing may be in flight on buffers that are about to go
        self._binding, self._buffers, self._run_options = None, None, None
        self._session, self._batch, self._captured = None, 0, False


def _cuda_import(runner: str) -> Any:
    """What a GPU needs besides, torch first of all: the CPU does without."""
    try:
        return importlib.import_module("benchmarks.runners.onnxruntime_cuda")
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"{runner} on a GPU takes its buffers from {error.name}, which is not installed; "
            "pip install 'perfsite[gpu]' brings it"
        ) from error


def _host_value(array: np.ndarray) -> Any:
    if array.dtype.name == "bfloat16":
        raw = array.view(np.uint16)
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, _BFLOAT16)
    return onnxruntime.OrtValue.ortvalue_from_numpy(array, "cpu")


class OnnxRuntimeTensorRTRunner(OnnxRuntimeRunner):
    """The same with the TensorRT execution provider, and CUDA's for nodes that TensorRT leaves.

    The precision is in the typed graph; `provider.trt_*` options (an engine cache, a workspace) go to
    TensorRT, the others to CUDA.  Never executed yet.
    """

    name: ClassVar[str] = "onnxruntime_tensorrt"
    providers: ClassVar[dict[str, tuple[str, ...]]] = {"cuda": (TENSORRT, CUDA)}
