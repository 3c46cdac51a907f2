"""What the files of a profile are called, so that whoever has them knows which is which."""

from __future__ import annotations

import re

LAYERS = "layers.json.gz"
GOOD, SUSPECT = "good", "suspect"  # the sides of a job of two builds


def profile_start(side: str, runner: str, shape: str) -> str:
    """How the names of a case's files begin: `good.onnxruntime.b8-qps-50`; `side` may be empty."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", shape)[:80].strip("-")
    return ".".join(filter(None, (side, runner, plain)))
