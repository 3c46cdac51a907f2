"""Our own file of layers: what a profile leaves beside the profiler's own, small and read in milliseconds."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from typing import Any

from benchmarks.layers.layer import Layer, Layers

FORMAT = "perfsite-layers/1"


def stored_is(content: Any) -> bool:
    """Whether the JSON is such a file, of this version or another."""
    return isinstance(content, dict) and str(content.get("format", "")).startswith("perfsite-layers/")


def stored_read(content: dict[str, Any]) -> Layers:
    """The layers as they were written.

    Raises:
        ValueError: another version wrote it.
    """
    if content["format"] != FORMAT:
        raise ValueError(f"it is {content['format']}, and this version reads {FORMAT}; profile again")
    layers = (Layer(**{**row, "origins": frozenset(row["origins"])}) for row in content["layers"])
    return Layers(tuple(layers), form=content["profiler"], seconds=content["seconds"])


def stored_write(layers: Layers) -> bytes:
    """The file's bytes, compressed; equal layers give equal bytes."""
    rows = [{**asdict(layer), "origins": sorted(layer.origins)} for layer in layers.layers]
    content = {"format": FORMAT, "profiler": layers.form, "seconds": layers.seconds, "layers": rows}
    return gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0)
