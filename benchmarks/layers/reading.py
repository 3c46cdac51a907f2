"""Which profiler or inspector wrote a file, and its layers."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.layers.layer import Layers
from benchmarks.layers.onnxruntime_profile import profile_is, profile_read
from benchmarks.layers.stored import stored_is, stored_read
from benchmarks.layers.tensorrt import tensorrt_is, tensorrt_read, times_is, times_read
from benchmarks.layers.tensorrt_text import text_is, text_parse
from benchmarks.layers.torch_trace import trace_is, trace_read

MOST_BYTES = 2**29  # of a file, decompressed
_GZIP = b"\x1f\x8b"


class UnknownFormatError(ValueError):
    """A file is none that a profiler or inspector known here writes."""


class _Form(NamedTuple):
    """A format: what it is called, how it is known, how it is read."""

    title: str
    known: Callable[[Any], bool]
    read: Callable[[Any], Layers]


FORMS = (
    _Form("the layers of `python -m benchmarks profile`", stored_is, stored_read),
    _Form("TensorRT's inspector as JSON or in a build's log", tensorrt_is, tensorrt_read),
    _Form("the times of TensorRT's profiler", times_is, times_read),
    _Form("onnxruntime's profile", profile_is, profile_read),
    _Form("torch.profiler's Chrome trace", trace_is, trace_read),
)


def layers_read(path: Path, *, most_bytes: int = MOST_BYTES) -> Layers:
    """The layers in a file, compressed or not.

    Beside the inspector's `NAME.layers.json`, as suite `build` leaves it, the times are looked for in
    `NAME.layer-times.json`.

    Raises:
        UnknownFormatError: it is none of the known formats.
        ValueError: it cannot be read, or is larger than `most_bytes`.
    """
    beside = path.with_name(path.name.replace(".layers.json", ".layer-times.json"))
    try:
        times = beside.read_bytes() if beside != path and beside.is_file() else None
        return layers_parse(path.read_bytes(), name=str(path), times=times, most_bytes=most_bytes)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error


def layers_parse(
    data: bytes, *, name: str, times: bytes | None = None, most_bytes: int = MOST_BYTES
) -> Layers:
    """The layers in the bytes of a file; `name` is for the messages, `times` those of an engine's layers.

    Raises:
        UnknownFormatError: it is none of the known formats.
        ValueError: it is damaged, or larger than `most_bytes`.
    """
    content = _json(data, name, most_bytes)
    form = next((form for form in FORMS if form.known(content)), None)
    if form is None:
        forms = _list([one.title for one in FORMS])
        raise UnknownFormatError(f"{name} holds JSON that no profiler known here writes; give {forms}")
    try:
        if form.read is tensorrt_read and times is not None:
            told = _json(times, f"the times beside {name}", most_bytes)
            return tensorrt_read(content, told if times_is(told) else None)
        return form.read(content)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{name} looks like {form.title}, but a part of it is missing or of another kind "
            f"({type(error).__name__}: {error}); write it again"
        ) from error


def _json(data: bytes, name: str, most_bytes: int) -> Any:
    try:
        if data.startswith(_GZIP):
            with gzip.open(BytesIO(data)) as stream:
                data = stream.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise ValueError(f"{name} is larger than {most_bytes} bytes; profile fewer inferences")
        text = data.decode()
        if text_is(text):
            return text_parse(text)
        return json.loads(text, strict=False)  # TensorRT puts control characters between names
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name} is a damaged gzip file: {error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnknownFormatError(
            f"{name} is no JSON ({error}); give a profile or the layers of an engine"
        ) from error


def _list(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
