"""What TensorRT-RTX alone has: it compiles kernels when an engine is loaded, on the GPU that is there.

The names here exist in TensorRT-RTX 1.7 and not in TensorRT; the tests check them against its list.
"""

from __future__ import annotations

from typing import Any

from benchmarks.errors import CannotCapture, CannotRun

_DIAGNOSTICS = {
    "VERSION_MISMATCH": "another release of TensorRT-RTX built it",
    "UNSUPPORTED_CC": "it was not built for this GPU's compute capability",
    "OLD_CUDA_DRIVER": "the CUDA driver is too old for it",
    "OLD_CUDA_RUNTIME": "the CUDA runtime is too old for it",
    "INSUFFICIENT_GPU_MEMORY": "the GPU has too little memory for it",
    "MALFORMED_ENGINE": "it is damaged",
    "CUDA_ERROR": "CUDA does not start",
}


def plan_checked(rtx: Any, rtx_runtime: Any, plan: bytes, name: str) -> None:
    """Ask the library whether the engine's header fits this machine.

    Raises:
        CannotRun: it does not, with the library's reasons.
    """
    validity, bits = rtx_runtime.get_engine_validity(plan)
    if validity != rtx.EngineValidity.INVALID:
        return
    reasons = [
        words
        for diagnostic, words in _DIAGNOSTICS.items()
        if int(bits) & int(getattr(rtx.EngineInvalidityDiagnostics, diagnostic))
    ]
    raise CannotRun(
        f"TensorRT-RTX {rtx.__version__} cannot load {name} here: "
        f"{'; '.join(reasons) or 'it gave no reason'}; build it again for this machine"
    )


def context_make(rtx: Any, rtx_engine: Any) -> Any:
    """A context that waits for the kernels of its shapes.

    By default general kernels run first and those of the shape replace them when they are compiled:
    what is timed, or recorded as a graph, would depend on when that is.  It holds the scratch memory of
    its profile, not of the engine's largest.
    """
    rtx_config = rtx_engine.create_runtime_config()
    rtx_config.set_execution_context_allocation_strategy(
        rtx.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE
    )
    strategies = rtx.DynamicShapesKernelSpecializationStrategy
    rtx_config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
    return rtx_engine.create_execution_context(rtx_config)


def capture_checked(rtx_context: Any, stream: Any) -> None:
    """Ask whether the bound inference can be recorded as a CUDA graph.

    Raises:
        CannotCapture: it cannot.
    """
    if not rtx_context.is_stream_capturable(stream.cuda_stream):
        raise CannotCapture(
            "TensorRT-RTX says that this engine cannot be recorded: its memory or its control flow depends "
            "on values on the GPU"
        )
