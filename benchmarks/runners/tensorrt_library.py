"""The two TensorRT modules behind one door: `tensorrt` (10 and 11) and TensorRT-RTX.

Every name used from them exists in 10.16, 11.4 and RTX 1.7; a test checks that.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

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
_LEVELS = ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")  # by the library's own number
_ERROR, _INFO = 1, 3
_LAYERS = "Layers:"  # what the inspector would tell, which cannot be asked where the engine does not load


class Line(NamedTuple):
    """One message: seconds since the log began, the library's level (0 is the worst), its words."""

    at_s: float
    level: int
    text: str


@dataclass(eq=False)  # two logs are never the same one
class Log:
    """What the library said; of its five levels all but the most talkative one, of which the layers."""

    lines: list[Line] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def take(self, level: int, text: str) -> None:
        """Keep a message that is worth it."""
        if level <= _INFO or text.startswith(_LAYERS):
            self.lines.append(Line(time.perf_counter() - self.began, level, text.strip()))

    def words(self, most: int = 5) -> str:
        """The last errors in one line; empty when there was none."""
        return " ".join([line.text for line in self.lines if line.level <= _ERROR][-most:])

    def write(self, path: Path) -> Path:
        """One line a message: seconds, level, words."""
        rows = (f"{line.at_s:9.3f} {_LEVELS[line.level]:<14} {line.text}" for line in self.lines)
        path.write_text("\n".join(rows) + "\n")
        return path


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


@contextmanager
def log_kept(trt: ModuleType) -> Iterator[tuple[Any, Log]]:
    """The library's logger and what it is told meanwhile; nothing is printed."""
    logger, logs = _logger(trt)
    log = Log()
    logs.append(log)
    try:
        yield logger, log
    finally:
        logs.remove(log)


@cache
def _logger(trt: Any) -> tuple[Any, list[Log]]:
    """One logger per process: the library keeps the first it meets and ignores every other."""
    logs: list[Log] = []

    class Recorder(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Tell whoever listens."""
            for log in logs:
                log.take(int(severity), message)

    return Recorder(), logs
