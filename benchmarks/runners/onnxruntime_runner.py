"""ONNX Runtime with the CPU or the CUDA execution provider, inputs and outputs bound once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnxruntime

from benchmarks.errors import CannotRun, MeasureError
from benchmarks.models.arrays import arrays_batched
from benchmarks.runners.base import Assets, Runner, artifact_required

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_BFLOAT16 = 16  # onnx.TensorProto.BFLOAT16: numpy has no such type of its own


class OnnxRuntimeRunner(Runner):
    """Runs the ONNX file in one session; a node that falls back to the CPU is refused."""

    name: ClassVar[str] = "onnxruntime"

    def __init__(self, assets: Assets) -> None:
        super().__init__(assets)
        self._session: Any = None
        self._binding: Any = None

    def load(self) -> None:
        """Open the session on the sealed ONNX file.

        Raises:
            CannotRun: the provider is not in this build, or has no kernel for some node.
            IntegrityError: the file is not the sealed one.
        """
        path = artifact_required(self.assets.onnx, self.name, "an ONNX file").verified()
        provider = _PROVIDERS[self.assets.device]
        if provider not in onnxruntime.get_available_providers():
            raise CannotRun(
                f"onnxruntime {onnxruntime.__version__} has no {provider}; uninstall onnxruntime and "
                "pip install 'perfsite[gpu]' (onnxruntime-gpu and onnxruntime cannot live together)"
            )
        try:
            self._session = onnxruntime.InferenceSession(str(path), self._options(), providers=[provider])
        except Exception as error:
            raise _load_error(error, provider) from error

    def _options(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.assets.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if self.assets.device == "cuda":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        return options

    def bind(self, batch: int) -> None:
        """Inputs of `batch` rows on the device; outputs stay there too."""
        binding = self._session.io_binding()
        declared = self._session.get_inputs()
        if len(declared) != len(self.assets.example):
            raise MeasureError(
                f"the graph has {len(declared)} inputs and the model's example {len(self.assets.example)}; "
                "an input that forward never uses is dropped by the export: remove it from the example"
            )
        for node, array in zip(declared, arrays_batched(self.assets.example, batch), strict=True):
            binding.bind_ortvalue_input(node.name, self._value(array))
        for node in self._session.get_outputs():
            binding.bind_output(node.name, self.assets.device)
        self._binding = binding

    def feed(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Bind the arrays in place of the inputs."""
        for node, array in zip(self._session.get_inputs(), arrays, strict=True):
            self._binding.bind_ortvalue_input(node.name, self._value(array))

    def _value(self, array: np.ndarray) -> Any:
        if array.dtype.name == "bfloat16":
            raw = array.view(np.uint16)
            return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, _BFLOAT16)
        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self.assets.device)

    def infer(self) -> None:
        """One run of the bound inputs; on CUDA it returns when the GPU is done."""
        self._session.run_with_iobinding(self._binding)

    def outputs(self) -> tuple[np.ndarray, ...]:
        """The graph's outputs, floating point as float32."""
        arrays = self._binding.copy_outputs_to_cpu()
        return tuple(array.astype(np.float32) if array.dtype.kind in "fV" else array for array in arrays)

    def close(self) -> None:
        """Drop the session and its buffers."""
        self._binding, self._session = None, None


def _load_error(error: Exception, provider: str) -> CannotRun:
    text = str(error).strip().splitlines()[0]
    if "NOT_IMPLEMENTED" in text or "NotImplemented" in type(error).__name__:
        return CannotRun(f"onnxruntime's {provider} has no kernel for this graph: {text}")
    return CannotRun(f"onnxruntime cannot load this graph on {provider}: {text}")


class OnnxRuntimeTensorRTRunner(OnnxRuntimeRunner):
    """The same with the TensorRT execution provider."""

    name: ClassVar[str] = "onnxruntime_tensorrt"
