"""Which facts of the environment differ between two reports, those that can change a speed first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# facts that can make the same code faster or slower, with the words people use for them
TELLING: dict[str, str] = {
    "gpu_driver": "driver",
    "gpu_driver_cuda": "CUDA of the driver",
    "cuda_version": "CUDA",
    "torch_version": "torch",
    "onnxruntime_version": "onnxruntime",
    "tensorrt_version": "TensorRT",
    "tensorrt_rtx_version": "TensorRT-RTX",
    "onnx_version": "onnx",
    "onnxscript_version": "onnxscript",
    "transformers_version": "transformers",
    "numpy_version": "numpy",
    "python": "Python",
    "libc": "libc",
    "kernel": "kernel",
    "gpu_uuid": "device",
    "gpu_sm_clock_max_mhz": "highest SM clock (MHz)",
    "gpu_power_limit_w": "power limit (W)",
    "gpu_ecc": "ECC",
    "cpu_threads": "processor threads",
    "cpu_count": "processors",
    "cpu_affinity": "processor cores",
    "memory_bytes": "memory (bytes)",
}


class Difference(NamedTuple):
    """A fact that is not the same: its name in the report, the word for it, both values as text."""

    name: str
    word: str
    before: str
    after: str

    @property
    def words(self) -> str:
        """`driver 570.86 → 580.159`."""
        return f"{self.word} {self.before} → {self.after}"


def facts_differ(before: Mapping[str, object], after: Mapping[str, object]) -> list[Difference]:
    """The facts that both reports know and that differ, in the table's order.

    A fact that one report does not have is no difference: an older worker did not read it.
    """
    return [
        Difference(name, word, str(before[name]), str(after[name]))
        for name, word in TELLING.items()
        if before.get(name) is not None and after.get(name) is not None and before[name] != after[name]
    ]
