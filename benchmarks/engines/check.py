"""What must hold before an engine is deserialised: its digest, its TensorRT release, its GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from benchmarks.artifacts import Artifact
from benchmarks.engines.sidecar import Sidecar, sidecar_read
from benchmarks.errors import CannotRun, IntegrityError, ModelError
from benchmarks.nvml import gpu_handle, nvml_open

HEADER_BYTES = 28
_EXACT = b"ftrt"  # a plan for one release
_COMPATIBLE = b"vtrt"  # one that a newer release may take; every plan of TensorRT-RTX looks like it
_TAGS = {"tensorrt": (_EXACT, _COMPATIBLE), "tensorrt_rtx": (_COMPATIBLE,)}
_FIRST_TENSORRT = 5  # TensorRT-RTX counts from 1; a TensorRT older than 5 does not build such plans
# words of TensorRT 5 to 10, the library's or the GPU's own number first, then the engine's
_VERSIONS = re.compile(r"expecting library version ([\d.]+\d) got ([\d.]+\d)")
_CAPABILITIES = re.compile(r"expecting compute ([\d.]+\d) got compute ([\d.]+\d)")


def engine_checked(engine: Artifact, *, runner: str, version: str) -> Path:
    """The engine's path, when nothing that can be known beforehand speaks against loading it.

    `version` is that of the library behind `runner`.  Without a note beside the engine its header is
    read, and what that does not tell is left to the library.

    Raises:
        IntegrityError: the bytes are not those that were announced or noted; both digests are named.
        CannotRun: it was built by another library, another release or for another GPU; both are named.
    """
    path = engine.verified()
    told = sidecar_read(path)
    if told is None:
        _header_check(path, runner, version)
    else:
        _sidecar_check(path, engine.sha256, told, runner, version)
    return path


def engine_file_check(path: Path, runners: Iterable[str]) -> None:
    """Refuse a file that no library could take for an engine; needs none of them.

    Raises:
        ModelError: it is empty, too short, or does not begin as the engines of one of `runners` do.
    """
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    for runner in runners:
        if len(header) < HEADER_BYTES:
            what = (
                "it is empty" if not header else f"its {len(header)} bytes are fewer than an engine's header"
            )
        elif header[:4] not in _TAGS.get(runner, ()):
            what = f"it begins with {header[:4]!r}, which no engine of {runner} does"
        else:
            continue
        raise ModelError(
            f"{path.name} is no engine of {runner}: {what}; check the path, fetch the file again, "
            "or build the engine anew with that runner"
        )


def capability_here() -> str | None:
    """Compute capability of the GPU that CUDA calls number 0, for example `9.0`; None where not told."""
    with nvml_open() as nvml:
        if isinstance(nvml, str):
            return None
        try:
            major, minor = nvml.nvmlDeviceGetCudaComputeCapability(gpu_handle(nvml))
        except nvml.NVMLError:
            return None
        return f"{major}.{minor}"


def header_version(header: bytes) -> tuple[str, bool] | None:
    """(release, whether only that one takes it) from an engine's first 28 bytes; None if unknown.

    Both kinds hold the release in bytes 24 to 27.  For TensorRT's own plans NVIDIA's trtexec reads it
    there (`--getPlanVersionOnly`); TensorRT-RTX 1.7 writes it there, as a test checks.
    """
    tag, layout = header[:4], header[4:8]
    if len(header) < HEADER_BYTES or tag not in (_EXACT, _COMPATIBLE) or any(layout):
        return None
    numbers = header[24:28]
    release = ".".join(map(str, numbers))
    return release, tag == _EXACT or numbers[0] < _FIRST_TENSORRT


def refusal_words(name: str, words: str) -> str:
    """The library's own refusal as a sentence that names both sides, where it tells them."""
    if match := _VERSIONS.search(words):
        own, engines = match.groups()
        return _other_release(name, f"TensorRT {engines}", f"TensorRT {own}")
    if match := _CAPABILITIES.search(words):
        own, engines = match.groups()
        return _other_gpu(name, engines, own)
    return f"the library refuses {name}: {words or 'it gave no reason'}"


def _sidecar_check(path: Path, sha256: str, told: Sidecar, runner: str, version: str) -> None:
    if told.engine_sha256 != sha256:
        raise IntegrityError(
            f"{path.name} is not the engine of the note beside it: its SHA-256 is {sha256}, "
            f"the note says {told.engine_sha256}; fetch or build the two together"
        )
    if (told.library, _release(told.version)) != (runner, _release(version)):
        raise CannotRun(_other_release(path.name, f"{told.library} {told.version}", f"{runner} {version}"))
    here = capability_here()
    if None not in (told.compute_capability, here) and told.compute_capability != here:
        raise CannotRun(_other_gpu(path.name, str(told.compute_capability), str(here)))


def _header_check(path: Path, runner: str, version: str) -> None:
    with path.open("rb") as file:
        found = header_version(file.read(HEADER_BYTES))
    if found is None:
        return
    release, exact = found
    library = "tensorrt_rtx" if int(release.split(".")[0]) < _FIRST_TENSORRT else "tensorrt"
    if library != runner or (exact and _release(release) != _release(version)):
        raise CannotRun(_other_release(path.name, f"{library} {release}", f"{runner} {version}"))


def _release(version: str) -> tuple[str, ...]:
    """Major, minor and patch: the build number behind them does not fit the header's byte everywhere."""
    return tuple(version.split(".")[:3])


def _other_release(name: str, theirs: str, ours: str) -> str:
    return (
        f"{name} was built by {theirs}, and this is {ours}: an engine fits the release that built it; "
        "build it again here, or install that release"
    )


def _other_gpu(name: str, theirs: str, ours: str) -> str:
    return (
        f"{name} was built for compute capability {theirs}, and this GPU has {ours}; "
        "build it again on such a GPU"
    )
