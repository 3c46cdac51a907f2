"""Files that must be whole after a kill or a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def written(path: Path, text: str) -> None:
    """Write and wait for the disk: a rename may outlive a power cut that what was written does not."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
