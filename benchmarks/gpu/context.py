"""The bare CUDA context of this process, made by the driver alone.

It is the primary context, the one that torch, onnxruntime and TensorRT use afterwards, so what it
takes (hundreds of megabytes of device and host memory, a tenth of a second and more) can be told
from what a model takes.
"""

from __future__ import annotations

import ctypes

import torch

from benchmarks.errors import CannotRun

_LIBRARY = "libcuda.so.1"


def gpu_ready() -> None:
    """Torch imported (every runner on a GPU takes streams and buffers from it) and the context made.

    Raises:
        CannotRun: torch was built without CUDA, or the driver refuses.
    """
    if not torch.backends.cuda.is_built():
        raise CannotRun(
            f"torch {torch.__version__} was built without CUDA; install a CUDA build of it "
            "(pip install 'perfsite[gpu]')"
        )
    context_open()


def context_open() -> None:
    """Make the primary context of the GPU that CUDA calls number 0; it lives as long as the process.

    Raises:
        CannotRun: there is no driver, or it refuses; the message has its number (cuda.h, CUresult).
    """
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise CannotRun(
            f"the CUDA driver's library cannot be loaded ({error}); install the driver"
        ) from error
    device, context = ctypes.c_int(), ctypes.c_void_p()
    steps = (
        ("cuInit", lambda: driver.cuInit(0)),
        ("cuDeviceGet", lambda: driver.cuDeviceGet(ctypes.byref(device), 0)),
        ("cuDevicePrimaryCtxRetain", lambda: driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)),
    )
    for name, step in steps:
        status = step()
        if status:
            raise CannotRun(
                f"the CUDA driver makes no context: {name} returned {status}; "
                "look whether the GPU is visible and free (nvidia-smi)"
            )
