"""What can go wrong while measuring.  Each error has the kind that a failed job is filed under."""

from __future__ import annotations

from typing import ClassVar, Literal

ErrorKind = Literal["export", "build", "model", "measure", "environment"]


class BenchmarkError(Exception):
    """The base of every error this library raises on purpose; its message is for people."""

    kind: ClassVar[ErrorKind] = "measure"


class ModelError(BenchmarkError):
    """The model cannot be found or loaded, returns the wrong thing, or raises in its forward."""

    kind: ClassVar[ErrorKind] = "model"


class ExportError(BenchmarkError):
    """The model does not become an ONNX file."""

    kind: ClassVar[ErrorKind] = "export"


class BuildError(BenchmarkError):
    """The ONNX file does not become an engine."""

    kind: ClassVar[ErrorKind] = "build"


class MeasureError(BenchmarkError):
    """One case could not be measured; the others go on."""


class IntegrityError(BenchmarkError):
    """A file is not the one that was announced: its digest differs."""

    kind: ClassVar[ErrorKind] = "environment"


class CannotRun(BenchmarkError):  # noqa: N818 - a fact about the machine, not a fault
    """This machine cannot run the case; the case is skipped and the message is the reason."""

    kind: ClassVar[ErrorKind] = "environment"


class CannotCapture(CannotRun):
    """The runner cannot record this model as a CUDA graph; the message is the reason."""


class MissingLibrary(CannotRun):
    """A library is not installed; the message names the extra that brings it."""


_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "bad_alloc",
    "allocate memory",
    "smaller than requested bytes",  # onnxruntime's arena
)


def first_line(error: BaseException) -> str:
    """The first line of what the error says, or its class when it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether the error, or one it came from, says that memory ran out, in a library's own words."""
    while error is not None:
        words = f"{type(error).__name__}: {error}".lower()
        if isinstance(error, MemoryError) or any(sign in words for sign in _OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
