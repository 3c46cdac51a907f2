"""The two TensorRT modules behind one door: `tensorrt` (10 and 11) and TensorRT-RTX.

Every name used from them exists in 10.16, 11.4 and RTX 1.7; a test checks that.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from benchmarks.errors import MissingLibrary

_MODULES = {
    "tensorrt": ("tensorrt",),
    "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),  # the wheel decides which of the two
}
_REMEDY = {
    "tensorrt": (
        "pip install 'perfsite[gpu]' brings it; its libraries come from NVIDIA's own index "
        "(https://pypi.nvidia.com), which must be reachable"
    ),
    "tensorrt_rtx": "pip install 'perfsite[rtx]' brings it (Linux x86-64)",
}


def library_import(runner: str) -> ModuleType:
    """The module behind the runner `tensorrt` or `tensorrt_rtx`.

    Raises:
        MissingLibrary: no such module is installed; the message names the extra.
    """
    for name in _MODULES[runner]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise MissingLibrary(f"{runner}: {error.name} is missing; {_REMEDY[runner]}") from error
        except ImportError as error:
            raise MissingLibrary(
                f"{runner}: its library does not load: {error}; {_REMEDY[runner]}"
            ) from error
    raise MissingLibrary(f"{runner} is not installed; {_REMEDY[runner]}")


def logger_make(trt: Any, lines: list[str]) -> Any:
    """A TensorRT logger that appends warnings and errors to `lines` and prints nothing."""

    class Recorder(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Keep what is a warning or worse."""
            if int(severity) <= int(trt.ILogger.WARNING):
                lines.append(f"[{severity.name if hasattr(severity, 'name') else severity}] {message}")

    return Recorder()
